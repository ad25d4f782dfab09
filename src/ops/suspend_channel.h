/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The event channel by which a guest can be asked to suspend itself. The guest offers a port to domain 0, and
 * writes its number to ~/device/suspend/event-channel (Xen's docs/misc/xenstore-paths.pandoc). A notification
 * of the port is the request. It cannot be withdrawn.
 *
 * The guest may write any value to the node. So a value that is not the number of a port that the guest
 * offers to domain 0 counts as no value.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__SUSPEND_CHANNEL_H
#define LIBXL__SUSPEND_CHANNEL_H

#include "ops.h"

/* The state of the request. Embed this in the operation's state; zero-initialise it. The port is unbound when
 * the operation ends. */
typedef struct libxl__suspend_channel {
    libxl__evtchn evtchn;
    libxl__xs_batch *batch;
    libxl__xs_request *port, *feature;
    uint32_t seen;    /* the number of events of the port that were handled */
    bool bound;       /* the guest has published a port, and the port is bound */
    bool notified;    /* the guest was asked */
    bool unannounced; /* the guest has not written "1" to control/feature-suspend */
} libxl__suspend_channel;

/* Starts to read the guest's nodes. Returns 0, or an error that is recorded in ao: NOMEM, FAIL, NO_XENSTORE.
 */
int libxl__suspend_channel_read(libxl__ao *ao, libxl__suspend_channel *channel);
/*
 * Returns LIBXL__AO_WAIT until the nodes were read. Then binds the port and returns 0. If the guest has
 * published no port, or the port cannot be bound, also returns 0, and `bound` is false. Errors, recorded in
 * ao: those of libxl__xs_result.
 */
int libxl__suspend_channel_bind(libxl__ao *ao, libxl__suspend_channel *channel);
/* Asks the guest to suspend itself. The port must be bound. Returns 0, or FAIL, recorded in ao. */
int libxl__suspend_channel_notify(libxl__ao *ao, libxl__suspend_channel *channel);
/*
 * Plans a look at the domains (domains.h) if the port has had an event since the last call. After a few events the port
 * is unbound, so that a guest cannot keep the loop busy. Call this each time that the operation is called.
 */
void libxl__suspend_channel_step(libxl__ao *ao, libxl__suspend_channel *channel);

#endif
