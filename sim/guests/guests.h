/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guests of a world, and what each does. The first letter of its command line decides:
 *   p power off at once (also without a command line, and for any other letter)   r reboot at once   c crash
 * at once b block for ever   s spin for ever   dN power off after N/10 s l listen: obey control/shutdown   lN
 * the same, and power off after N/10 s
 *
 * Lock: one thread; machine->lock is held while a guest takes a step, and wanted by everything here.
 * Lifetime: a guest begins when its domain first runs and ends when the domain is being destroyed.
 */
#ifndef AIOXEN_SIM_GUESTS_H
#define AIOXEN_SIM_GUESTS_H

#include "machine.h"

#include <xen/io/xs_wire.h>

/* boot.c: what the domain builder has left in memory for the guest's kernel */
struct boot_info {
    char command_line[64];
    uint64_t store_frame; /* as this kind of guest numbers its frames */
    uint32_t store_port;
};
bool boot_read(struct domain *d, struct boot_info *info); /* false: there is nothing that could run */

/* ring.c: the guest's side of xenstore */
#define NO_ORDER (-1)
struct ring {
    struct xenstore_domain_interface *page; /* NULL: not set up */
    uint32_t port;
    uint64_t store_frame;
    enum { RING_IDLE, RING_GREETING, RING_READING, RING_ACKNOWLEDGING } state;
    bool fired;       /* the watch, since the node was read */
    uint32_t greeted; /* greetings that were sent */
    int order;
    uint32_t got; /* bytes of the message that is coming in, header included */
    struct xsd_sockmsg header;
    char body[16];
};
bool ring_open(struct ring *r, struct domain *d, uint16_t listener);
void ring_close(struct ring *r);
int ring_step(struct ring *r, const struct domain *d); /* NO_ORDER, or the SHUTDOWN_* that was acknowledged */

/* guests.c */
bool guests_attach(void); /* become the player of all guests; false: errno; without the lock */
_Noreturn void guests_play(void);

#endif
