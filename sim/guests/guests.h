/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guests of a world. The first letter of a guest's command line selects its behaviour:
 *   p   power off at once; also with any other letter or without one
 *   r   reboot at once
 *   c   crash at once
 *   b   block for ever
 *   s   spin for ever
 *   dN  power off after N/10 s
 *   l   listen: obey control/shutdown, control/sysrq, memory/target and cpu/N/availability
 *   lN  listen, and power off after N/10 s
 * Each guest writes "tiny: COMMAND LINE" to its console; console.c says what it does with the input.
 *
 * Lock: the program has one thread. It holds machine->lock during each step of a guest. All functions here require
 * the lock, unless stated otherwise. Lifetime: a guest begins when its domain first runs, and ends when the domain is
 * destroyed.
 */
#ifndef AIOXEN_SIM_GUESTS_H
#define AIOXEN_SIM_GUESTS_H

#include "machine.h"

#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

/* boot.c: the start information that the domain builder has written for the guest's kernel */
struct boot_info {
    char command_line[64];
    uint64_t store_frame, console_frame; /* PV: machine frame; PVH: guest frame */
    uint32_t store_port, console_port;
};
bool boot_read(struct domain *d, struct boot_info *info); /* false: the domain has no start information */

/* ring.c: the guest's side of xenstore */
#define NO_ORDER (-1)
struct ring {
    struct xenstore_domain_interface *page; /* NULL: not set up */
    uint32_t port;
    uint64_t store_frame;
    enum { RING_IDLE, RING_GREETING, RING_READING, RING_ACKNOWLEDGING } state;
    uint64_t fired;   /* nodes that have changed since they were last read: one bit for each */
    uint8_t reading;  /* the bit of the node that was read last */
    uint32_t greeted; /* number of greetings sent */
    int order;
    uint32_t got; /* bytes received of the current message, with its header */
    struct xsd_sockmsg header;
    char body[64];
};
bool ring_open(struct ring *r, struct domain *d, uint16_t listener);
void ring_close(struct ring *r);
int ring_step(
    struct ring *r,
    struct domain *d); /* returns NO_ORDER, or the SHUTDOWN_* reason that the guest has acknowledged */

/* console.c: the guest's side of its console */
struct console {
    struct xencons_interface *page; /* NULL: not set up */
    uint32_t port;
    bool echoes, floods;
    uint32_t lines;  /* how many lines the flood had */
    uint32_t length; /* of the input line so far */
    char line[128];
};
bool console_open(struct console *c, struct domain *d, uint16_t listener, const struct boot_info *info);
void console_close(struct console *c);
void console_step(struct console *c, const struct domain *d);

/* guests.c */
bool guests_attach(
    void); /* makes this process the player of all guests; call it without the lock; false: errno is set */
_Noreturn void guests_play(void);

#endif
