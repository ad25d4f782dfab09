/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aioxen-sim-devices DIR: simulates the drivers of a world's devices until it is killed. devices.h describes
 * the lock.
 */
#include "devices.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return EXIT_FAILURE;
    }
    setenv("AIOXEN_SIM_DIR", argv[1], 1);
    if (!machine_attach() || !store_open()) {
        perror(argv[1]);
        return EXIT_FAILURE;
    }
    play_kernels();
}
