/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aioxen-sim-guests DIR MEMORY_MB: creates the machine of a world and plays all its guests in one process. It
 * writes "ready" to standard output when the machine can be used, and then runs until it is killed.
 * Lock: one thread. guests.c takes machine->lock for each step.
 */
#include "guests.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s DIR MEMORY_MB\n", argv[0]);
        return EXIT_FAILURE;
    }
    setenv("AIOXEN_SIM_DIR", argv[1], 1);
    if (!machine_create(argv[1], strtoull(argv[2], NULL, 10))) {
        perror(argv[1]);
        return EXIT_FAILURE;
    }
    if (!guests_attach()) {
        perror("event channels");
        return EXIT_FAILURE;
    }
    if (write(STDOUT_FILENO, "ready\n", 6) != 6)
        return EXIT_FAILURE;
    guests_play();
}
