/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Event channels, as sources. */
#ifndef LIBXL__EVTCHN_H
#define LIBXL__EVTCHN_H

#include <xenevtchn.h>

#include "ao.h"

typedef struct libxl__evtchn libxl__evtchn;

/* One end of an event channel. The operation's, zeroed. */
struct libxl__evtchn {
    libxl__source source; /* fires at each notification; the channel is unmasked again at once */
    evtchn_port_t port;   /* ours */
    LIST_ENTRY(libxl__evtchn) link;
};

typedef struct libxl__evtchns {
    xenevtchn_handle *handle; /* opened by the first who needs it */
    libxl__fd source;
    LIST_HEAD(, libxl__evtchn) list;
} libxl__evtchns;

/* Locked, all of them. */

void libxl__evtchns_close(libxl_ctx *ctx);

/* Binds to a port that the domain offers us. Errors: FAIL with the errno in the message. */
int libxl__evtchn_bind(libxl__ao *ao, libxl__evtchn *evtchn, uint32_t domid, evtchn_port_t remote_port);
/* Offers the domain a port to bind to: evtchn->port. Errors: as above. */
int libxl__evtchn_offer(libxl__ao *ao, libxl__evtchn *evtchn, uint32_t domid);
int libxl__evtchn_notify(libxl__ao *ao, const libxl__evtchn *evtchn);

#endif
