/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxenevtchn: dom0's end of event channels. Lock: each function takes machine->lock. xenevtchn_pending does
 * not hold the lock while it waits. Lifetime: closing a handle closes the ports that were bound with it.
 */
#include "machine.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <xenevtchn.h>

struct xenevtchn_handle {
    int fd;
    uint16_t listener;
};

EXPORT xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned int flags)
{
    (void)logger;
    if (!machine_attach())
        return NULL;
    int error = fault_check(CALL_EVTCHN_OPEN);
    xenevtchn_handle *h = error ? NULL : calloc(1, sizeof *h);
    if (!h) {
        errno = error ? error : ENOMEM;
        return NULL;
    }
    machine_lock();
    h->fd = listener_open(!(flags & XENEVTCHN_NO_CLOEXEC), &h->listener);
    machine_unlock();
    if (h->fd >= 0)
        return h;
    errno = -h->fd;
    free(h);
    return NULL;
}

EXPORT xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned int flags)
{
    (void)logger, (void)fd, (void)flags;
    errno = ENOSYS;
    return NULL;
}

EXPORT int xenevtchn_close(xenevtchn_handle *h)
{
    if (!h)
        return 0;
    machine_lock();
    listener_close(h->listener, h->fd);
    machine_unlock();
    free(h);
    return 0;
}

EXPORT int xenevtchn_fd(xenevtchn_handle *h)
{
    return h->fd;
}

EXPORT int xenevtchn_restrict(xenevtchn_handle *h, domid_t domid)
{
    (void)h, (void)domid;
    return 0;
}

EXPORT int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
    (void)h;
    long r = -fault_check(CALL_EVTCHN_NOTIFY);
    if (!r) {
        machine_lock();
        r = channel_notify(0, port);
        machine_unlock();
    }
    return result_of(r);
}

EXPORT xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *h, uint32_t domid)
{
    long r = -fault_check(CALL_EVTCHN_BIND_UNBOUND);
    if (!r) {
        machine_lock();
        if ((r = channel_alloc(0)) > 0)
            *channel_get(0, r) =
                (struct channel){.state = CHANNEL_UNBOUND, .remote_domid = domid, .listener = h->listener};
        machine_unlock();
    }
    trace("evtchn.bind_unbound_port dom %u -> %ld", domid, r);
    return result_of(r);
}

EXPORT xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *h, uint32_t domid,
                                                            evtchn_port_t port)
{
    long r = -fault_check(CALL_EVTCHN_BIND_INTERDOMAIN);
    if (!r) {
        machine_lock();
        r = channel_bind_interdomain(h->listener, 0, domid, port);
        machine_unlock();
    }
    trace("evtchn.bind_interdomain dom %u port %u -> %ld", domid, port, r);
    return result_of(r);
}

EXPORT xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *h, unsigned int virq)
{
    long r = -fault_check(CALL_EVTCHN_BIND_VIRQ);
    if (!r) {
        machine_lock();
        r = channel_bind_virq(h->listener, virq);
        machine_unlock();
    }
    trace("evtchn.bind_virq %u -> %ld", virq, r);
    return result_of(r);
}

EXPORT int xenevtchn_unbind(xenevtchn_handle *h, evtchn_port_t port)
{
    long r = -fault_check(CALL_EVTCHN_UNBIND);
    if (!r) {
        machine_lock();
        struct channel *c = channel_get(0, port);
        if (c && c->listener == h->listener) {
            channel_close(0, port);
            listener_drain(h->listener, h->fd);
        } else {
            r = -EINVAL;
        }
        machine_unlock();
    }
    return result_of(r);
}

EXPORT xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
    for (;;) {
        uint32_t domid, port;
        char byte;
        machine_lock();
        bool found = listener_pop(h->listener, h->fd, &domid, &port);
        machine_unlock();
        if (found)
            return port;
        /* Without MSG_DONTWAIT this waits for a datagram, unless the descriptor is non-blocking. */
        if (recv(h->fd, &byte, 1, MSG_PEEK) < 0)
            return -1;
    }
}

EXPORT int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
    (void)h;
    long r = -fault_check(CALL_EVTCHN_UNMASK);
    if (!r) {
        machine_lock();
        r = channel_unmask(0, port);
        machine_unlock();
    }
    return result_of(r);
}
