/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sources: the things that operations wait for, for example a watch, a child or an alarm. Each kind of source
 * embeds a libxl__source.
 *
 * Call every function with the context locked. Any thread may call it. A source is part of the operation's
 * state, or of other memory that lives until the source is stopped.
 */
#ifndef LIBXL__SOURCE_H
#define LIBXL__SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libxl.h>

#include "timer.h"

typedef struct libxl__ao libxl__ao;
typedef struct libxl__source libxl__source;
struct libxl__source { /* A source. Zero-initialise it: it is not attached then. */
    libxl__ao *ao;
    /* Called with the context locked. Deregisters the source. The source never fires afterwards. */
    void (*stop)(libxl_ctx *ctx, libxl__source *source);
    /* The entry in the operation's list of sources. A removal walks the list, which is short. */
    SLIST_ENTRY(libxl__source) link;
};
SLIST_HEAD(libxl__sources, libxl__source);

/* Attaches a source to an operation. The source is stopped when the operation ends, unless it was stopped before. */
void libxl__source_attach(libxl__ao *ao, libxl__source *source,
                          void (*stop)(libxl_ctx *ctx, libxl__source *source));
/* Stops the source and detaches it from its operation. Does nothing if the source is not attached. */
void libxl__source_stop(libxl_ctx *ctx, libxl__source *source);
/*
 * Wakes the operation, so that the operation's phase or body is called again. The source must be attached,
 * and stays attached.
 */
void libxl__source_fire(libxl__source *source);

/* A source that fires after a delay. Embed it in the operation's state; zero-initialise it. */
typedef struct libxl__alarm {
    libxl__source source;
    libxl__timer timer;
    bool rang; /* the delay has passed, and the source has fired */
} libxl__alarm;

/* Sets the alarm to fire after `delay_ns`. An alarm may be set again before or after it has fired. Errors: NOMEM. */
int libxl__alarm_set(libxl__ao *ao, libxl__alarm *alarm, uint64_t delay_ns);

#endif
