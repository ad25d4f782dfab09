/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Event channels as sources of an operation. An operation binds a port. Each notification of the port wakes
 * the operation. src/ops/suspend_channel.h uses them.
 */
#ifndef LIBXL__EVTCHN_H
#define LIBXL__EVTCHN_H

#include <xenevtchn.h>

#include "ao.h"

typedef struct libxl__evtchn libxl__evtchn;

/*
 * The local end of an event channel. Embed this in the operation's state; zero-initialise it. The port is
 * unbound when the operation ends.
 */
struct libxl__evtchn {
    libxl__source source; /* fires at each notification; the port is unmasked before the source fires */
    evtchn_port_t port;   /* the number of the local port */
    uint32_t events;      /* the number of notifications so far */
    LIST_ENTRY(libxl__evtchn) link;
};

typedef struct libxl__evtchns {
    xenevtchn_handle *handle; /* the handle of libxenevtchn; NULL while no port is bound */
    libxl__fd source;
    LIST_HEAD(, libxl__evtchn) list;
} libxl__evtchns;

/* Call the following functions with the context locked. */

/* Closes the handle. Called while the context is freed. */
void libxl__evtchns_close(libxl_ctx *ctx);

/*
 * Binds to the port `remote_port`, which the domain offers. Errors: DOMAIN_NOTFOUND, PERMISSION, NOMEM, FAIL,
 * recorded in ao.
 */
int libxl__evtchn_bind(libxl__ao *ao, libxl__evtchn *evtchn, uint32_t domid, evtchn_port_t remote_port);
/* Notifies the domain at the other end of the channel. Errors: FAIL, recorded in ao. */
int libxl__evtchn_notify(libxl__ao *ao, const libxl__evtchn *evtchn);

#endif
