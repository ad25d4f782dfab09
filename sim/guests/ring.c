/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The xenstore client of a listening guest: watches control/shutdown and acknowledges an order by emptying the node.
 * It sends one request at a time. A request always fits into the ring. Lock: machine->lock. Lifetime: the page is
 * mapped from ring_open to ring_close.
 */
#include "guests.h"

#include <string.h>
#include <sys/mman.h>
#include <xen/sched.h>

static const char node[] = "control/shutdown";

/* The requests that the guest sends at its start, in this order. */
static const struct {
    uint32_t type;
    const char *path, *value;
    uint32_t size;
} greetings[] = {
    {XS_WRITE, "control/feature-poweroff", "1", 1},
    {XS_WRITE, "control/feature-reboot", "1", 1},
    {XS_WRITE, "control/feature-suspend", "1", 1},
    {XS_WATCH, node, "shutdown", sizeof "shutdown"},
};
#define NR_GREETINGS (sizeof greetings / sizeof *greetings)

static const struct {
    const char *order;
    int reason;
} orders[] = {
    {"poweroff", SHUTDOWN_poweroff},
    {"halt", SHUTDOWN_poweroff},
    {"reboot", SHUTDOWN_reboot},
    {"suspend", SHUTDOWN_suspend},
};

static void put(struct ring *r, const void *data, uint32_t size)
{
    uint32_t at = r->page->req_prod;
    for (uint32_t i = 0; i < size; i++)
        r->page->req[MASK_XENSTORE_IDX(at + i)] = ((const char *)data)[i];
    __atomic_store_n(&r->page->req_prod, at + size, __ATOMIC_RELEASE);
}

static void request(struct ring *r, const struct domain *d, uint32_t type, const char *path,
                    const char *value, uint32_t size)
{
    struct xsd_sockmsg header = {.type = type, .len = strlen(path) + 1 + size};
    put(r, &header, sizeof header);
    put(r, path, strlen(path) + 1);
    put(r, value, size);
    channel_notify(d->domid, r->port);
}

static void greet(struct ring *r, const struct domain *d)
{
    uint32_t i = r->greeted++;
    r->state = RING_GREETING;
    request(r, d, greetings[i].type, greetings[i].path, greetings[i].value, greetings[i].size);
}

static uint32_t message_size(const struct ring *r)
{
    return sizeof r->header + (r->got < sizeof r->header ? 0 : r->header.len);
}

/* Reads the available bytes of the next message. Returns true when the message is complete. */
static bool receive(struct ring *r, const struct domain *d)
{
    uint32_t cons = r->page->rsp_cons, prod = __atomic_load_n(&r->page->rsp_prod, __ATOMIC_ACQUIRE);
    while (cons != prod && r->got < message_size(r)) {
        char byte = r->page->rsp[MASK_XENSTORE_IDX(cons++)];
        if (r->got < sizeof r->header)
            ((char *)&r->header)[r->got] = byte;
        else if (r->got - sizeof r->header < sizeof r->body - 1)
            r->body[r->got - sizeof r->header] = byte;
        r->got++;
    }
    if (cons != r->page->rsp_cons) {
        __atomic_store_n(&r->page->rsp_cons, cons, __ATOMIC_RELEASE);
        channel_notify(d->domid, r->port);
    }
    if (r->got < sizeof r->header || r->got < message_size(r))
        return false;
    r->body[r->header.len < sizeof r->body ? r->header.len : sizeof r->body - 1] = 0;
    r->got = 0;
    return true;
}

static int order_in(const struct ring *r)
{
    for (size_t i = 0; r->header.type == XS_READ && i < sizeof orders / sizeof *orders; i++)
        if (!strcmp(r->body, orders[i].order))
            return orders[i].reason;
    return NO_ORDER;
}

bool ring_open(struct ring *r, struct domain *d, uint16_t listener)
{
    struct channel *c = channel_get(d->domid, r->port);
    uint32_t frame = frame_of(d, r->store_frame);
    if (!c || c->state == CHANNEL_FREE || !frame)
        return false;
    r->page = frames_map(NULL, PROT_READ | PROT_WRITE, 0, 1, &frame);
    if (!r->page)
        return false;
    c->listener = listener;
    channel_unmask(d->domid, r->port);
    greet(r, d);
    return true;
}

void ring_close(struct ring *r)
{
    if (r->page)
        munmap(r->page, XC_PAGE_SIZE);
    r->page = NULL;
}

/*
 * Handles the reply to the last request, and sends the next request. Returns NO_ORDER, or the reason of an
 * acknowledged order.
 */
static int go_on(struct ring *r, const struct domain *d)
{
    if (r->state == RING_ACKNOWLEDGING) {
        r->state = RING_IDLE;
        return r->order;
    }
    if (r->state == RING_READING && (r->order = order_in(r)) != NO_ORDER) {
        r->state = RING_ACKNOWLEDGING;
        request(r, d, XS_WRITE, node, NULL, 0);
    } else if (r->greeted < NR_GREETINGS) {
        greet(r, d);
    } else {
        r->state = RING_IDLE;
    }
    return NO_ORDER;
}

int ring_step(struct ring *r, const struct domain *d)
{
    int order = NO_ORDER;
    while (order == NO_ORDER && receive(r, d)) {
        if (r->header.type == XS_WATCH_EVENT)
            r->fired = true;
        else
            order = go_on(r, d);
        if (r->state == RING_IDLE && r->fired && order == NO_ORDER) {
            r->fired = false;
            r->state = RING_READING;
            request(r, d, XS_READ, node, NULL, 0);
        }
    }
    return order;
}
