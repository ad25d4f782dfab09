/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of the calls, and the functions that find a call by its name or by the hypercall's arguments. calls.h
 * says what a call is. Constant data: no lock. */
#include "calls.h"

#include <string.h>
#include <xenctrl.h>

static const char *const names[NR_CALLS] = {
#include "call-names.h"
#define CALL(id, name) [CALL_##id] = (name),
    LIBRARY_CALLS(CALL)
#undef CALL
};

const char *call_name(enum call call)
{
    return call < NR_CALLS ? names[call] : NULL;
}

enum call call_by_name(const char *name)
{
    for (unsigned int i = 0; i < NR_CALLS; i++)
        if (names[i] && !strcmp(names[i], name))
            return i;
    return NR_CALLS;
}

enum call call_of_hypercall(unsigned int op, uint64_t arg1)
{
    static const struct {
        uint8_t op;
        /*
         * true: the subcommand is the first word of the structure at the address arg1; false: the subcommand
         * is arg1
         */
        bool by_address;
        uint16_t first, count;
    } families[] = {
        {__HYPERVISOR_domctl, true, CALL_DOMCTL, CALL_SYSCTL - CALL_DOMCTL},
        {__HYPERVISOR_sysctl, true, CALL_SYSCTL, CALL_MEMORY - CALL_SYSCTL},
        {__HYPERVISOR_memory_op, false, CALL_MEMORY, CALL_EVTCHN - CALL_MEMORY},
        {__HYPERVISOR_event_channel_op, false, CALL_EVTCHN, CALL_SCHED - CALL_EVTCHN},
        {__HYPERVISOR_sched_op, false, CALL_SCHED, CALL_HVM - CALL_SCHED},
        {__HYPERVISOR_hvm_op, false, CALL_HVM, CALL_VERSION - CALL_HVM},
        {__HYPERVISOR_xen_version, false, CALL_VERSION, CALL_LIBRARY - CALL_VERSION},
    };

    for (unsigned int i = 0; i < sizeof families / sizeof *families; i++)
        if (families[i].op == op) {
            uint64_t cmd = families[i].by_address ? *(uint32_t *)(uintptr_t)arg1 : arg1;
            if (cmd < families[i].count)
                return families[i].first + cmd;
        }
    return op < CALL_DOMCTL ? CALL_HYPERCALL + op : CALL_HYPERCALL;
}
