/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guests of a world, a simulated machine (sim/aioxen_sim/world.py). The first letter of a guest's command line
 * selects its behaviour:
 *
 *   p   power off at once; other letters and an empty command line do the same
 *   r   reboot at once
 *   c   crash at once
 *   b   block for ever
 *   s   use the processor for ever
 *   dN  power off after N/10 s; N is one digit
 *   l   listen: obey control/shutdown, control/sysrq, memory/target and cpu/N/availability
 *   lN  listen, and power off after N/10 s
 *   kX  ask for a soft reset at once, and do X after it; the console then has "tiny: X"
 *
 * A listening guest with the word suspend-channel publishes an event channel in device/suspend/event-channel. It
 * suspends itself when the channel is notified, and does not obey the order suspend of control/shutdown. With
 * suspend-channel=mute it also ignores the channel. With suspend-channel=flood it does not suspend itself when the
 * channel is notified. Instead it notifies the channel at each further step (with dirty=N: each 10 ms). With
 * suspend-channel=VALUE it publishes VALUE in place of a channel, and obeys the order.
 *
 * A guest with the word dirty=N in its command line writes into N pages each 10 ms; see dirty.c.
 *
 * Each guest writes "tiny: COMMAND LINE" to its console. console.c describes what a guest does with input.
 *
 * Lock: the program has one thread. It holds machine->lock during each step of a guest. Call all functions
 * with the lock, unless the comment says otherwise. Lifetime: a guest begins when its domain first runs, and
 * ends when the domain is destroyed.
 */
#ifndef AIOXEN_SIM_GUESTS_H
#define AIOXEN_SIM_GUESTS_H

#include "machine.h"

#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

/* boot.c: the start information that the domain builder has written for the guest's kernel */
struct boot_info {
    char command_line[64];
    /*
     * The frame numbers of the two rings: numbers of machine frames in a PV guest, and of guest frames in another
     * guest.
     */
    uint64_t store_frame, console_frame;
    uint32_t store_port, console_port;
};
/* Translates a virtual address of a PV guest to a machine frame. Returns NO_FRAME if the address is not mapped. */
uint32_t frame_of_virtual(struct domain *d, uint64_t address);
/* Reads the start information of a domain. Returns true, or false if the domain has no start information. */
bool boot_read(struct domain *d, struct boot_info *info);

/* ring.c: a guest's xenstore client */
#define NO_ORDER (-1)
struct ring {
    struct xenstore_domain_interface *page; /* the mapped page of the ring; NULL: the ring is not set up */
    uint32_t port;
    uint64_t store_frame;
    char channel[24]; /* what the guest publishes in device/suspend/event-channel; "": nothing */
    bool by_channel;  /* `channel` is the number of a port, so the guest does not obey the order suspend */
    enum { RING_IDLE, RING_GREETING, RING_READING, RING_ACKNOWLEDGING } state;
    /* The nodes that have changed since they were last read. Each node has one bit. */
    uint64_t fired;
    uint8_t reading;  /* the bit of the node that was last read */
    uint32_t greeted; /* how many of the requests at the guest's start were sent */
    int order;
    uint32_t got; /* the number of received bytes of the present message, including its header */
    struct xsd_sockmsg header;
    char body[64];
};
bool ring_open(struct ring *r, struct domain *d, uint16_t listener);
void ring_close(struct ring *r);
/*
 * Makes a step of the client. Returns NO_ORDER, or the reason (SHUTDOWN_*) of an order that the guest has
 * acknowledged.
 */
int ring_step(struct ring *r, struct domain *d);

/* console.c: the guest's end of its console */
struct console {
    struct xencons_interface *page; /* the mapped page of the console; NULL: the console is not set up */
    uint32_t port;
    bool echoes, floods;
    uint32_t lines;  /* the number of lines that were written because of `floods` */
    uint32_t length; /* the length of the present input line */
    char line[128];
};
bool console_open(struct console *c, struct domain *d, uint16_t listener, const struct boot_info *info);
void console_close(struct console *c);
void console_step(struct console *c, const struct domain *d);
/* Writes a text. Does nothing if the console is not open. */
void console_write(struct console *c, const struct domain *d, const char *text);

/* pv.c: what the kernel of a PV guest does so that the guest can be saved */
/* Publishes the table of the guest's frames in the shared information. */
void pv_publish_frames(struct domain *d);
/*
 * Call pv_suspend() before the guest suspends itself, and pv_continue() when the guest runs again. They convert the
 * frame numbers in the start information: the numbers are those of guest frames while the guest is suspended, and
 * otherwise those of machine frames. pv_continue() returns whether the toolstack has cancelled the suspension. If it
 * has not, the toolstack has converted the numbers, and the guest must act as in a new domain.
 */
void pv_suspend(struct domain *d);
bool pv_continue(struct domain *d);
/* Returns the machine frame of a PV guest's frame. */
uint32_t pv_frame(struct domain *d, uint64_t pfn);

/* dirty.c */
/*
 * If the guest was restored, checks its memory, stores the result as a text for the guest's console, and
 * returns true. Otherwise returns false.
 */
bool dirty_check(struct domain *d, char text[64]);
void dirty_write(struct domain *d, uint32_t pages);

/* guests.c */
/*
 * Makes this process the one that simulates all guests. Called without the lock. Returns true, or false with
 * errno.
 */
bool guests_attach(void);
_Noreturn void guests_play(void);

#endif
