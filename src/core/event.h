/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events: the queue, and who gets an event: a waiting call, the application's receiver, or nobody yet. */
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
    struct libxl__event_list queue; /* what libxl_event_take, _check and _wait return, oldest first */
    uint32_t queued;
    uint32_t unlooked; /* calls that returned queued events since the descriptors were last looked at */
    libxl__event_index
        index; /* of the queue; made when libxl_event_is_for is used, dropped when the queue is empty */
    uint64_t woken_at; /* ns, monotonic: the last call of libxl_ctx_wake; 0: none */
} libxl__events;

/* Everything here: the context locked. */

void libxl__events_open(libxl_ctx *ctx);
/* Frees the events that nobody has taken. */
void libxl__events_close(libxl_ctx *ctx);

/* Makes an event that is not the completion of an operation, about the subject with this number. NULL: out of memory. */
libxl_event *libxl__event_new(libxl_ctx *ctx, libxl_event_type type, uint32_t number, libxl_ev_user for_user);
/*
 * For an event that libxl__event_new has made: a libxl_event_record can say all of it, with this `value`. An event of which
 * this is not said is handed out by libxl_event_take together with its record.
 */
void libxl__event_fits_record(libxl_event *event, int32_t value);
/* Frees an event that has been taken, or that is not to be reported after all. */
void libxl__event_discard(libxl_ctx *ctx, libxl_event *event);
/* Passes the event on, to the application's receiver if it wants it, else to the queue. Takes ownership; cannot fail. */
void libxl__event_occurred(libxl_ctx *ctx, libxl_event *event);
/* Queues the event even if the application's receiver wants it. Takes ownership; cannot fail. */
void libxl__event_queue(libxl_ctx *ctx, libxl_event *event);
/* Says that events of `type` (0: of any type) may have been lost because memory ran out: logs it, and has the application's
 * disaster hook called. */
void libxl__event_missed(libxl_ctx *ctx, libxl_event_type type);
/* The event's entry in the queue of deliveries (deliver.h). */
libxl__delivery *libxl__delivery_of_event(libxl_event *event);

/* Whether an event passes a type mask and, if there is one, a predicate. */
static inline bool libxl__event_wanted(const libxl_event *event, uint64_t typemask,
                                       libxl_event_predicate *predicate, void *user)
{
    const unsigned bit = event->type < 63 ? (unsigned)event->type : 63;
    return typemask >> bit & 1 && (!predicate || predicate(event, user));
}

#endif
