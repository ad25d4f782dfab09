/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the number of the guest's port, binds the port and notifies it.
 *
 * A toolstack can subscribe to the suspension with XEN_DOMCTL_subscribe. Xen then raises the guest's port when the
 * guest is suspended, and does not raise VIRQ_DOM_EXC. So xenstored and other programs would not notice the
 * suspension. This file does not subscribe. If another toolstack has, the event of the port is the only sign of the
 * suspension.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "suspend_channel.h"

#include <stdlib.h>
#include <string.h>

/*
 * The greatest number of events of the port. Xen raises the port when it is bound, and the suspension raises
 * it once. The guest has no reason to notify it.
 */
enum { MOST_EVENTS = 8 };

/* The number of ports that a domain can have: EVTCHN_FIFO_NR_CHANNELS of Xen's public header event_channel.h.
 */
enum { PORTS = 1 << 17 };

int libxl__suspend_channel_read(libxl__ao *ao, libxl__suspend_channel *channel)
{
    const uint32_t domid = ao->subject.number;
    channel->batch = libxl__xs_batch_new(ao, domid);
    if (!channel->batch)
        return ERROR_NOMEM;
    channel->port = libxl__xs_read(channel->batch, "/local/domain/%u/device/suspend/event-channel", domid);
    channel->feature = libxl__xs_read(channel->batch, "/local/domain/%u/control/feature-suspend", domid);
    return libxl__xs_run(channel->batch, LIBXL__XS_ONE_BY_ONE);
}

/* Returns the number of a port, in decimal digits only. Returns 0 if the text is anything else. */
static evtchn_port_t port_of(const char *text)
{
    unsigned long port = 0;
    for (; *text >= '0' && *text <= '9' && port < PORTS; text++)
        port = 10 * port + (unsigned long)(*text - '0');
    return *text || port >= PORTS ? 0 : (evtchn_port_t)port;
}

int libxl__suspend_channel_bind(libxl__ao *ao, libxl__suspend_channel *channel)
{
    if (!libxl__xs_done(channel->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(channel->batch);
    if (rc)
        return rc;
    const char *text = libxl__xs_value(channel->port), *feature = libxl__xs_value(channel->feature);
    const evtchn_port_t port = text ? port_of(text) : 0;
    channel->unannounced = !feature || strcmp(feature, "1") != 0;
    if (port) {
        channel->bound = !libxl__evtchn_bind(ao, &channel->evtchn, ao->subject.number, port);
        /* Without the port the guest is asked by xenstore, so this is no failure of the operation. */
        if (!channel->bound)
            libxl__ao_forget_failure(ao);
    }
    if (text && *text && !channel->bound)
        libxl__ao_log(ao, XTL_WARN, -1,
                      "device/suspend/event-channel does not name a port that can be bound; it is ignored");
    libxl__xs_batch_free(channel->batch);
    channel->batch = NULL;
    return 0;
}

int libxl__suspend_channel_notify(libxl__ao *ao, libxl__suspend_channel *channel)
{
    const int rc = libxl__evtchn_notify(ao, &channel->evtchn);
    channel->notified = !rc;
    return rc;
}

void libxl__suspend_channel_step(libxl__ao *ao, libxl__suspend_channel *channel)
{
    if (!channel->bound || channel->seen == channel->evtchn.events)
        return;
    channel->seen = channel->evtchn.events;
    libxl__domains_look_soon(ao->ctx);
    if (channel->seen < MOST_EVENTS)
        return;
    libxl__ao_log(ao, XTL_WARN, -1, "the guest notifies its event channel for suspending it too often");
    libxl__source_stop(ao->ctx, &channel->evtchn.source);
    channel->bound = false;
}
