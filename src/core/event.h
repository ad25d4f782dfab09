/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The queue of events, and who gets them. */
#ifndef LIBXL__EVENT_H
#define LIBXL__EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libxl.h>

#include "deliver.h"
#include "event_index.h"

TAILQ_HEAD(libxl__event_list, libxl_event);

typedef struct libxl__events {
    struct libxl__event_list queue; /* for libxl_event_take, _check and _wait */
    uint32_t queued;
    uint32_t unlooked;        /* calls that found events queued, since one has looked at the descriptors */
    libxl__event_index index; /* of the queue, once someone takes by libxl_event_is_for; until it is empty */
    uint64_t woken_at;        /* ns: the last call of libxl_ctx_wake; 0: none */
} libxl__events;

/* Everything here: the context locked. */

void libxl__events_open(libxl_ctx *ctx);
/* Frees what nobody took. */
void libxl__events_close(libxl_ctx *ctx);

/* Makes an event that is not the completion of an operation, about the subject with this number. NULL: out of memory. */
libxl_event *libxl__event_new(libxl_ctx *ctx, libxl_event_type type, uint32_t number, libxl_ev_user for_user);
/*
 * For an event that libxl__event_new has made: a libxl_event_record can say all of it, with this `value`. An event of which
 * this is not said is handed out by libxl_event_take together with its record.
 */
void libxl__event_fits_record(libxl_event *event, int32_t value);
/* Frees an event that did not occur after all, or was taken. */
void libxl__event_discard(libxl_ctx *ctx, libxl_event *event);
/* Gives the event to the hook or the queue; it is no longer the caller's. Never fails. */
void libxl__event_occurred(libxl_ctx *ctx, libxl_event *event);
/* Queues it for libxl_event_take, _check and _wait, whoever else might want it. Never fails. */
void libxl__event_queue(libxl_ctx *ctx, libxl_event *event);
/* Events of `type` (0: any) may have been missed, for want of memory: the log and the disaster hook are told.
 */
void libxl__event_missed(libxl_ctx *ctx, libxl_event_type type);
/* An event's place in the line of deliveries. */
libxl__delivery *libxl__delivery_of_event(libxl_event *event);

/* Whether an event passes a mask and a predicate. */
static inline bool libxl__event_wanted(const libxl_event *event, uint64_t typemask,
                                       libxl_event_predicate *predicate, void *user)
{
    const unsigned bit = event->type < 63 ? (unsigned)event->type : 63;
    return typemask >> bit & 1 && (!predicate || predicate(event, user));
}

#endif
