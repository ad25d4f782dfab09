/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands that set how simulated drivers behave. Lock: machine->lock. */
#include "ctl.h"

static void set(enum side side, char **argv)
{
    struct behaviour b;
    const char *why = behaviour_parse(side, argv[0], argv[1], &b);
    if (why)
        fail("%s %s: %s", argv[0], argv[1], why);
    machine_lock();
    const bool done = behaviour_set(&b);
    machine_unlock();
    if (!done)
        fail("there are %d behaviours already", MAX_BEHAVIOURS);
}

void backend_behaves(int argc, char **argv)
{
    (void)argc;
    set(BACKEND, argv);
}

void frontend_behaves(int argc, char **argv)
{
    (void)argc;
    set(FRONTEND, argv);
}

void qemu_behaves(int argc, char **argv)
{
    (void)argc;
    set(QEMU, argv);
}

void behaviours_clear(int argc, char **argv)
{
    (void)argc, (void)argv;
    machine_lock();
    machine->nr_behaviours = 0;
    machine_unlock();
}
