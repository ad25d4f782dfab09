/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aioxen-sim-guests DIR MEMORY_MB [CAPABILITY | bridge:NAME]...: creates the machine of a world, and
 * simulates all its guests in one process. The machine has all capabilities except those that the command
 * line names. It has the bridges that the command line names. When the machine can be used, the program
 * writes "ready" to standard output. It runs until it is killed. Lock: the program has one thread. guests.c
 * takes machine->lock for each step.
 */
#include "guests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    uint32_t bit;
} capabilities[] = {
    {"pv", XEN_SYSCTL_PHYSCAP_pv},
    {"hvm", XEN_SYSCTL_PHYSCAP_hvm},
    {"hap", XEN_SYSCTL_PHYSCAP_hap},
    {"shadow", XEN_SYSCTL_PHYSCAP_shadow},
    {"gnttab-v1", XEN_SYSCTL_PHYSCAP_gnttab_v1},
    {"gnttab-v2", XEN_SYSCTL_PHYSCAP_gnttab_v2},
    {"directio", XEN_SYSCTL_PHYSCAP_directio},
};

static uint32_t all_but(char **names)
{
    uint32_t set = 0;
    for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++) {
        char **name = names;
        while (*name && strcmp(*name, capabilities[i].name))
            name++;
        set |= *name ? 0 : capabilities[i].bit;
    }
    return set;
}

static void make_host(char **names)
{
    static const char prefix[] = "bridge:";
    machine_lock();
    host_loops_start();
    host_link_add("lo", "");
    for (; *names; names++)
        if (!strncmp(*names, prefix, sizeof prefix - 1) &&
            host_link_add(*names + sizeof prefix - 1, "bridge")) {
            fprintf(stderr, "%s: not the name of a new interface\n", *names);
            exit(EXIT_FAILURE);
        }
    machine_unlock();
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s DIR MEMORY_MB [CAPABILITY...]\n", argv[0]);
        return EXIT_FAILURE;
    }
    setenv("AIOXEN_SIM_DIR", argv[1], 1);
    if (!machine_create(argv[1], strtoull(argv[2], NULL, 10), all_but(argv + 3))) {
        perror(argv[1]);
        return EXIT_FAILURE;
    }
    make_host(argv + 3);
    if (!guests_attach()) {
        perror("event channels");
        return EXIT_FAILURE;
    }
    if (write(STDOUT_FILENO, "ready\n", 6) != 6)
        return EXIT_FAILURE;
    guests_play();
}
