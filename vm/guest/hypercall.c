/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls into Xen: shutdown, time, and waiting for events.
 */
#include "guest.h"

#include <xen/vcpu.h>

extern char hypercall_page[];

long hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    register uint64_t r10 __asm__("r10") = d;
    long result;

    __asm__ volatile("call *%[entry]"
                     : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10)
                     : [entry] "r"(hypercall_page + number * 32)
                     : "rcx", "r8", "r9", "r11", "memory");
    return result;
}

void shutdown(unsigned reason)
{
    struct sched_shutdown arg = {.reason = reason};

    hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (uint64_t)&arg, 0, 0);
}

uint64_t now(void)
{
    struct vcpu_runstate_info info = {0};

    /* The call stores the time at which Xen last started this vcpu. This time is close to the present
     * time, because the guest runs only briefly. */
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 0, (uint64_t)&info, 0);
    return info.state_entry_time;
}

void notify(evtchn_port_t port)
{
    struct evtchn_send arg = {.port = port};

    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (uint64_t)&arg, 0, 0);
}

static void clear_pending(evtchn_port_t port)
{
    xen_ulong_t *word = &guest.shared->evtchn_pending[port / 64];

    __asm__ volatile("lock btr %1, %0" : "+m"(*word) : "r"((uint64_t)(port % 64)) : "memory");
}

bool wait_event(evtchn_port_t port, uint64_t deadline)
{
    struct sched_poll poll = {.nr_ports = port ? 1 : 0, .timeout = deadline};

    set_xen_guest_handle(poll.ports, &port);
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, (uint64_t)&poll, 0, 0);
    if (port)
        clear_pending(port);
    return !deadline || now() < deadline;
}

/* Blocks for ever by SCHEDOP_poll. SCHEDOP_block would enable interrupts, and this guest has no handler
 * for interrupts. */
_Noreturn void block(void)
{
    for (;;)
        wait_event(0, 0);
}
