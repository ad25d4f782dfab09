/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tiny guest: one vCPU, no interrupts, no memory management. It waits by polling event channels.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

#define NANOSECONDS_PER_TENTH 100000000ull

/* The start information from the domain builder. A ring that the builder has not set up is NULL. */
struct guest {
    const char *command_line;
    struct shared_info *shared;
    struct xencons_interface *console;
    struct xenstore_domain_interface *store;
    evtchn_port_t console_port, store_port;
};
extern struct guest guest;

/* Fills `guest`. Exactly one of the arguments is not NULL. Defined in platform.c. */
void platform_init(const struct start_info *pv, const void *pvh);

/* This function and the next ones are defined in hypercall.c. */
long hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
void shutdown(unsigned reason); /* Returns only after a suspension. */
_Noreturn void block(void);     /* Blocks for ever. */
uint64_t now(void);             /* Returns Xen's system time, in nanoseconds. */
void notify(evtchn_port_t port);
/* Waits for an event on `port` until `deadline`. Port 0 means no event, and deadline 0 means no limit.
 * Returns whether there is time left. */
bool wait_event(evtchn_port_t port, uint64_t deadline);

/* Writes as much of the text as the ring has room for. Defined in console.c. */
void console_write(const char *text);

/* All paths are relative to the domain's directory. These functions are defined in xenstore.c. */
void xenstore_write(const char *path, const char *value);
void xenstore_watch(const char *path);
/* Waits for a watch to fire. Returns false if the deadline has passed first. */
bool xenstore_wait(uint64_t deadline);
/* Reads a node into `value`. Stores at most `size` bytes, including the terminating NUL. Stores "" if the
 * node cannot be read. */
void xenstore_read(const char *path, char *value, size_t size);

/* These functions are defined in strings.c. The code that the compiler makes also calls some of them. */
void *memcpy(void *to, const void *from, size_t length);
size_t strlen(const char *text);
bool equal(const char *a, const char *b);

#endif
