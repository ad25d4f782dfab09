/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sources: what operations wait for. Each kind (a watch, a child, a job, an alarm ...) has one in it. Locked
 * throughout; a source belongs to its operation's memory, or to that of whoever waits for the operation.
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
struct libxl__source { /* all zero: not attached */
    libxl__ao *ao;
    void (*stop)(libxl_ctx *ctx, libxl__source *source); /* deregisters; it never fires afterwards */
    SLIST_ENTRY(libxl__source) link;                     /* an operation has few at a time */
};
SLIST_HEAD(libxl__sources, libxl__source);

/* Attaches a source: it is stopped when the operation ends, at the latest. */
void libxl__source_attach(libxl__ao *ao, libxl__source *source,
                          void (*stop)(libxl_ctx *ctx, libxl__source *source));
/* Stops it now. Not attached: nothing happens. */
void libxl__source_stop(libxl_ctx *ctx, libxl__source *source);
/* Has the body called. */
void libxl__source_fire(libxl__source *source);

/* A source that fires after a time. */
typedef struct libxl__alarm {
    libxl__source source;
    libxl__timer timer;
    bool rang;
} libxl__alarm;

/* Errors: NOMEM. An alarm that is set already is moved, one that rang is set again. */
int libxl__alarm_set(libxl__ao *ao, libxl__alarm *alarm, uint64_t delay_ns);

#endif
