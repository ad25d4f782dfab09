/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands for the fault rules of all processes, and for the counts of calls. Lock: machine->lock. */
#include "ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t number_in(const char *text, const char *what, uint64_t max)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value > max)
        fail("%s: not a number from 0 to %llu: '%s'", what, (unsigned long long)max, text);
    return value;
}

static uint32_t add(const struct fault *rule)
{
    uint32_t id = 0;
    machine_lock();
    for (struct fault *f = machine->faults; !id && f < machine->faults + MAX_FAULTS; f++)
        if (!f->id) {
            *f = *rule;
            f->id = id = ++machine->next_fault;
            machine->nr_faults++;
        }
    machine_unlock();
    return id;
}

static void parse(const char *spec, struct fault_order *order)
{
    char why[256];
    if (!fault_parse(spec, order, why))
        fail("%s", why);
}

void fault_add(int argc, char **argv)
{
    struct fault_order order;
    bool with_pid = argc == 3 && !strcmp(argv[0], "--pid");
    if (argc != (with_pid ? 3 : 1))
        fail("expected [--pid PID] SPEC");
    parse(argv[argc - 1], &order);
    if (order.dying) {
        machine_lock();
        machine->dying_ms = order.dying_ms;
        machine_unlock();
        return;
    }
    order.rule.pid = with_pid ? number_in(argv[1], "PID", INT32_MAX) : 0;
    uint32_t id = add(&order.rule);
    if (!id)
        fail("there are %d rules already", MAX_FAULTS);
    printf("%u\n", id);
}

void fault_check_spec(int argc, char **argv)
{
    struct fault_order order;
    (void)argc;
    parse(argv[0], &order);
}

void fault_list(int argc, char **argv)
{
    char text[128];
    (void)argc, (void)argv;
    machine_lock();
    for (const struct fault *f = machine->faults; f < machine->faults + MAX_FAULTS; f++)
        if (f->id) {
            fault_format(f, text);
            printf("%u %s %d %llu %llu\n", f->id, text, f->pid, (unsigned long long)f->seen,
                   (unsigned long long)f->hits);
        }
    if (machine->dying_ms)
        printf("0 dying=%u 0 0 0\n", machine->dying_ms);
    machine_unlock();
}

void fault_clear(int argc, char **argv)
{
    uint64_t id = argc ? number_in(argv[0], "NUMBER", UINT32_MAX) : 0;
    bool found = !argc;
    machine_lock();
    for (struct fault *f = machine->faults; f < machine->faults + MAX_FAULTS; f++)
        if (f->id && (!argc || f->id == id)) {
            f->id = 0;
            machine->nr_faults--;
            found = true;
        }
    if (!argc)
        machine->dying_ms = 0;
    machine_unlock();
    if (!found)
        fail("there is no rule %llu", (unsigned long long)id);
}

void calls_list(int argc, char **argv)
{
    for (unsigned int call = 0; call < NR_CALLS; call++) {
        uint64_t count = __atomic_load_n(&machine->calls[call], __ATOMIC_RELAXED);
        const char *name = call_name(call);
        if (count && name && (!argc || !strncmp(name, argv[0], strlen(argv[0]))))
            printf("%llu %s\n", (unsigned long long)count, name);
    }
}

void names_list(int argc, char **argv)
{
    for (unsigned int call = 0; call < NR_CALLS; call++) {
        const char *name = call_name(call);
        if (name && (!argc || !strncmp(name, argv[0], strlen(argv[0]))))
            puts(name);
    }
}
