/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides whether a call fails or is delayed. Owns the rules of this process. The rules of a process come
 * from AIOXEN_SIM_FAULTS, and count the calls of this process. The rules of the world come from
 * aioxen-sim-ctl, and count the calls of all processes. Lock: machine->lock for all rules. The lock is
 * released before a delay.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct fault own[MAX_FAULTS];
static uint32_t nr_own, own_dying_ms;
/* This process runs in a guest (aioxen-sim-ctl inside), so the hypervisor refuses the calls of a toolstack. */
static bool inside;

static void refuse(const char *spec, const char *why)
{
    fprintf(stderr, "aioxen-sim: AIOXEN_SIM_FAULTS: %s: %s\n", spec, why);
    _exit(EXIT_FAILURE);
}

static void add_own(const char *spec)
{
    struct fault_order order;
    char why[256];
    if (!fault_parse(spec, &order, why))
        refuse(spec, why);
    if (order.dying)
        own_dying_ms = order.dying_ms;
    else if (nr_own == MAX_FAULTS)
        refuse(spec, "too many rules");
    else
        own[nr_own++] = order.rule;
}

void fault_attach(void)
{
    const char *all = getenv("AIOXEN_SIM_FAULTS");
    char *copy = all ? strdup(all) : NULL, *rest = copy;
    for (char *spec; (spec = strsep(&rest, ","));)
        if (*spec)
            add_own(spec);
    free(copy);
    inside = getenv("AIOXEN_SIM_INSIDE");
}

static bool applies(struct fault *f, enum call call)
{
    if (f->call != call || (f->pid && f->pid != getpid()))
        return false;
    uint64_t n = ++f->seen;
    if (n < f->first || n > f->last || (n - f->first) % f->every)
        return false;
    f->hits++;
    return true;
}

static void consult(struct fault *f, enum call call, int *error, uint32_t *delay_ms)
{
    if (!applies(f, call))
        return;
    if (f->delay_ms > *delay_ms)
        *delay_ms = f->delay_ms;
    if (!*error)
        *error = f->error;
}

static void sleep_ms(uint32_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        ; /* continues after a signal, because signals do not interrupt a hypercall */
}

int fault_check(enum call call)
{
    int error = 0;
    uint32_t delay_ms = 0;

    __atomic_fetch_add(&machine->calls[call], 1, __ATOMIC_RELAXED);
    if (inside && ((call >= CALL_DOMCTL && call < CALL_MEMORY) || call == CALL_FOREIGN_MAP))
        return EPERM;
    if (__builtin_expect(!nr_own && !__atomic_load_n(&machine->nr_faults, __ATOMIC_RELAXED), 1))
        return 0;
    machine_lock();
    for (uint32_t i = 0; i < nr_own; i++)
        consult(&own[i], call, &error, &delay_ms);
    for (uint32_t i = 0; i < MAX_FAULTS; i++)
        if (machine->faults[i].id)
            consult(&machine->faults[i], call, &error, &delay_ms);
    machine_unlock();
    if (delay_ms)
        sleep_ms(delay_ms);
    if (error)
        trace("%s: made to fail with %s", call_name(call), strerrorname_np(error));
    return error;
}

uint32_t fault_dying_ms(void)
{
    return own_dying_ms > machine->dying_ms ? own_dying_ms : machine->dying_ms;
}
