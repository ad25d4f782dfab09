/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the event channels of dom0 and of the guests: binding, raising, masking, closing. Lock: machine->lock
 * for all functions.
 *
 * Lifetime: a channel exists while the state of its port is not CHANNEL_FREE. When one end is closed, the
 * other end becomes unbound. A delivered port stays masked until its owner unmasks it, so it is never queued
 * twice.
 */
#include "machine.h"

#include <xen/event_channel.h>

struct channel *channel_get(uint32_t domid, uint32_t port)
{
    if (!domid)
        return port && port < DOM0_PORTS ? &machine->dom0_ports[port] : NULL;
    struct domain *d = domain_get(domid);
    return d && port < GUEST_PORTS ? &d->ports[port] : NULL;
}

int channel_alloc(uint32_t domid)
{
    if (domid) {
        struct domain *d = domain_get(domid);
        if (!d)
            return -ESRCH;
        for (uint32_t port = 1; port < GUEST_PORTS && port <= d->max_port; port++)
            if (d->ports[port].state == CHANNEL_FREE)
                return port;
        return -ENOSPC;
    }
    for (uint32_t port = machine->low_port; port < DOM0_PORTS; port++)
        if (machine->dom0_ports[port].state == CHANNEL_FREE) {
            machine->low_port = port;
            if (port > machine->top_port)
                machine->top_port = port;
            return port;
        }
    return -ENOSPC;
}

static void deliver(struct channel *c, uint32_t domid, uint32_t port)
{
    c->masked = port != 0;
    listener_queue(c->listener, domid, port);
}

void channel_raise(uint32_t domid, uint32_t port)
{
    struct channel *c = channel_get(domid, port);
    if (!c || c->queued || (port && c->state == CHANNEL_FREE))
        return;
    if (c->masked || !c->listener)
        c->pending = true;
    else
        deliver(c, domid, port);
}

long channel_unmask(uint32_t domid, uint32_t port)
{
    struct channel *c = channel_get(domid, port);
    if (!c || c->state == CHANNEL_FREE)
        return -EINVAL;
    c->masked = false;
    if (c->pending && c->listener && !c->queued) {
        c->pending = false;
        deliver(c, domid, port);
    }
    return 0;
}

long channel_notify(uint32_t domid, uint32_t port)
{
    struct channel *c = channel_get(domid, port);
    if (!c || c->state == CHANNEL_FREE)
        return -EINVAL;
    if (c->state == CHANNEL_INTERDOMAIN)
        channel_raise(c->remote_domid, c->remote_port);
    return 0;
}

long channel_bind_interdomain(uint16_t listener, uint32_t domid, uint32_t remote_domid, uint32_t remote_port)
{
    struct channel *remote = channel_get(remote_domid, remote_port);
    if (!remote || !remote_port || remote->state != CHANNEL_UNBOUND || remote->remote_domid != domid)
        return -EINVAL;
    int port = channel_alloc(domid);
    if (port < 0)
        return port;
    *channel_get(domid, port) = (struct channel){.state = CHANNEL_INTERDOMAIN,
                                                 .remote_domid = remote_domid,
                                                 .remote_port = remote_port,
                                                 .listener = listener};
    remote->state = CHANNEL_INTERDOMAIN;
    remote->remote_domid = domid;
    remote->remote_port = port;
    /* The port is raised, so that an earlier notification by the guest is not lost. Xen does the same. */
    channel_raise(domid, port);
    return port;
}

long channel_bind_virq(uint16_t listener, uint32_t virq)
{
    if (virq >= NR_VIRQS)
        return -EINVAL;
    if (machine->virq_port[virq])
        return -EEXIST;
    int port = channel_alloc(0);
    if (port < 0)
        return port;
    machine->dom0_ports[port] = (struct channel){.state = CHANNEL_VIRQ, .virq = virq, .listener = listener};
    machine->virq_port[virq] = port;
    return port;
}

void channel_close(uint32_t domid, uint32_t port)
{
    struct channel *c = channel_get(domid, port);
    if (!c || c->state == CHANNEL_FREE)
        return;
    struct channel *remote =
        c->state == CHANNEL_INTERDOMAIN ? channel_get(c->remote_domid, c->remote_port) : NULL;
    if (remote && remote->state == CHANNEL_INTERDOMAIN) {
        remote->state = CHANNEL_UNBOUND;
        remote->remote_domid = domid;
    }
    if (c->state == CHANNEL_VIRQ)
        machine->virq_port[c->virq] = 0;
    if (c->queued)
        listener_unqueue(c->listener, domid, port);
    *c = (struct channel){0};
    if (!domid && port < machine->low_port)
        machine->low_port = port;
}

void virq_raise(uint32_t virq)
{
    if (machine->virq_port[virq])
        channel_raise(0, machine->virq_port[virq]);
}

static long alloc_unbound(evtchn_alloc_unbound_t *a)
{
    uint32_t domid = a->dom == DOMID_SELF ? 0 : a->dom;
    int port = channel_alloc(domid);
    if (port < 0)
        return port;
    *channel_get(domid, port) = (struct channel){
        .state = CHANNEL_UNBOUND, .remote_domid = a->remote_dom == DOMID_SELF ? 0 : a->remote_dom};
    a->port = port;
    return 0;
}

static long status(evtchn_status_t *s)
{
    static const uint8_t public_state[] = {
        [CHANNEL_FREE] = EVTCHNSTAT_closed,
        [CHANNEL_UNBOUND] = EVTCHNSTAT_unbound,
        [CHANNEL_INTERDOMAIN] = EVTCHNSTAT_interdomain,
        [CHANNEL_VIRQ] = EVTCHNSTAT_virq,
    };
    struct channel *c = channel_get(s->dom == DOMID_SELF ? 0 : s->dom, s->port);
    if (!c)
        return -EINVAL;
    s->vcpu = 0;
    s->status = public_state[c->state];
    if (c->state == CHANNEL_UNBOUND)
        s->u.unbound.dom = c->remote_domid;
    if (c->state == CHANNEL_VIRQ)
        s->u.virq = c->virq;
    if (c->state == CHANNEL_INTERDOMAIN) {
        s->u.interdomain.dom = c->remote_domid;
        s->u.interdomain.port = c->remote_port;
    }
    return 0;
}

void channels_reset(uint32_t domid)
{
    for (uint32_t port = 1; port < GUEST_PORTS; port++)
        channel_close(domid, port);
}

static long reset(const evtchn_reset_t *r)
{
    if (!r->dom || !domain_get(r->dom))
        return -ESRCH;
    channels_reset(r->dom);
    return 0;
}

long do_event_channel_op(unsigned int cmd, void *arg)
{
    switch (cmd) {
    case EVTCHNOP_alloc_unbound: return alloc_unbound(arg);
    case EVTCHNOP_status: return status(arg);
    case EVTCHNOP_reset: return reset(arg);
    default: return -ENOSYS;
    }
}
