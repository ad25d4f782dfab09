/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The xenstore client of a listening guest. It obeys four nodes:
 *
 *   control/shutdown    it empties the node to acknowledge the order, and then stops
 *   control/sysrq       it empties the node
 *   memory/target       it gives back memory, or takes more
 *   cpu/N/availability  it starts or stops a vcpu
 *
 * It sends one request at a time. A request always fits into the ring. Lock: machine->lock. Lifetime: the
 * page is mapped from ring_open to ring_close.
 */
#include "guests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/sched.h>

/*
 * The nodes that the guest watches. The token of a watch is the node's number in this enumeration, as a
 * digit.
 */
enum { SHUTDOWN, SYSRQ, MEMORY, CPUS, NODES };
static const char *const nodes_watched[NODES] = {"control/shutdown", "control/sysrq", "memory/target", "cpu"};

/*
 * The number of the bit in ring.fired for the availability of vcpu N. The lower bits stand for the nodes
 * before CPUS.
 */
#define CPU_BIT(n)   (CPUS + (n))
#define MOST_BITS    64
#define NR_GREETINGS (NR_FEATURES + 1 + NODES)
#define CHANNEL      "device/suspend/event-channel"

/* The nodes that the guest writes when it starts, before it registers its watches. */
static const char *const features[] = {"control/feature-poweroff", "control/feature-reboot",
                                       "control/feature-suspend"};
#define NR_FEATURES (sizeof features / sizeof *features)

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
    if (r->greeted == NR_FEATURES && !*r->channel)
        r->greeted++;
    uint32_t i = r->greeted++;
    r->state = RING_GREETING;
    if (i < NR_FEATURES) {
        request(r, d, XS_WRITE, features[i], "1", 1);
        return;
    }
    if (i == NR_FEATURES) {
        request(r, d, XS_WRITE, CHANNEL, r->channel, (uint32_t)strlen(r->channel));
        return;
    }
    i -= NR_FEATURES + 1;
    char token[2] = {(char)('0' + i), 0};
    request(r, d, XS_WATCH, nodes_watched[i], token, sizeof token);
}

static uint32_t message_size(const struct ring *r)
{
    return sizeof r->header + (r->got < sizeof r->header ? 0 : r->header.len);
}

/* Receives the octets of the next message that are available. Returns whether the message is complete. */
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

static int order_in(const char *value)
{
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (!strcmp(value, orders[i].order))
            return orders[i].reason;
    return NO_ORDER;
}

/*
 * Handles a watch event: notes which node has changed. The body of the event is the path and then the token.
 * The first event of the watch of `cpu` names no vcpu, so it marks all vcpus as changed.
 */
static void note_event(struct ring *r, const struct domain *d)
{
    const char *path = r->body, *token = path + strlen(path) + 1;
    unsigned node = token < r->body + sizeof r->body - 1 ? (unsigned)(*token - '0') : NODES, cpu;
    if (node < CPUS)
        r->fired |= 1ull << node;
    else if (node == CPUS && sscanf(path, "cpu/%u/availability", &cpu) == 1 && CPU_BIT(cpu) < MOST_BITS)
        r->fired |= 1ull << CPU_BIT(cpu);
    else if (node == CPUS)
        for (cpu = 1; cpu < d->max_vcpus && CPU_BIT(cpu) < MOST_BITS; cpu++)
            r->fired |= 1ull << CPU_BIT(cpu);
}

/* Sends a request to read the next node that has changed. */
static void read_next(struct ring *r, const struct domain *d)
{
    char path[32];
    unsigned bit = (unsigned)__builtin_ctzll(r->fired);
    r->fired &= ~(1ull << bit);
    r->reading = (uint8_t)bit;
    r->state = RING_READING;
    snprintf(path, sizeof path, "cpu/%u/availability", bit - CPUS);
    request(r, d, XS_READ, bit < CPUS ? nodes_watched[bit] : path, NULL, 0);
}

static void start_or_stop_vcpu(struct domain *d, uint32_t vcpu, const char *value)
{
    if (!vcpu || vcpu >= d->max_vcpus)
        return;
    if (!strcmp(value, "online") && d->online_vcpus <= vcpu)
        d->online_vcpus = vcpu + 1;
    if (!strcmp(value, "offline") && d->online_vcpus > vcpu)
        d->online_vcpus = vcpu;
}

bool ring_open(struct ring *r, struct domain *d, uint16_t listener)
{
    struct channel *c = channel_get(d->domid, r->port);
    uint32_t frame = frame_of(d, r->store_frame);
    if (!c || c->state == CHANNEL_FREE || !frame)
        return false;
    r->order = NO_ORDER;
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

/* Obeys the value of the node that was read. Returns whether the guest must empty the node. */
static bool obey(struct ring *r, struct domain *d)
{
    if (r->header.type != XS_READ)
        return false;
    switch (r->reading) {
    case SHUTDOWN:
        r->order = order_in(r->body);
        if (r->order == SHUTDOWN_suspend && r->by_channel)
            r->order = NO_ORDER;
        return r->order != NO_ORDER;
    case SYSRQ: return r->body[0];
    case MEMORY: frames_balloon(d, strtoull(r->body, NULL, 10) >> (XC_PAGE_SHIFT - 10)); return false;
    default: start_or_stop_vcpu(d, r->reading - CPUS, r->body); return false;
    }
}

/*
 * Handles the answer to the last request, and sends the next request. Returns NO_ORDER, or the reason (SHUTDOWN_*) of
 * the order that the guest has acknowledged.
 */
static int go_on(struct ring *r, struct domain *d)
{
    if (r->state == RING_ACKNOWLEDGING) {
        int order = r->order;
        r->order = NO_ORDER;
        r->state = RING_IDLE;
        return order;
    }
    if (r->state == RING_READING && obey(r, d)) {
        r->state = RING_ACKNOWLEDGING;
        request(r, d, XS_WRITE, nodes_watched[r->reading], NULL, 0);
    } else if (r->greeted < NR_GREETINGS) {
        greet(r, d);
    } else {
        r->state = RING_IDLE;
    }
    return NO_ORDER;
}

int ring_step(struct ring *r, struct domain *d)
{
    int order = NO_ORDER;
    while (order == NO_ORDER && receive(r, d)) {
        if (r->header.type == XS_WATCH_EVENT)
            note_event(r, d);
        else
            order = go_on(r, d);
        if (r->state == RING_IDLE && r->fired && order == NO_ORDER)
            read_next(r, d);
    }
    return order;
}
