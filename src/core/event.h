/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events: the queue of events, and the choice between the queue and the application's receiver (libxl_event_hooks).
 *
 * Call every function with the context locked, unless the comment says otherwise. Any thread may call it.
 */
#ifndef LIBXL__EVENT_H
#define LIBXL__EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libxl.h>

#include "deliver.h"
#include "index.h"

TAILQ_HEAD(libxl__event_list, libxl_event);

typedef struct libxl__events {
    /* The events for libxl_event_take, libxl_event_check and libxl_event_wait, oldest first. */
    struct libxl__event_list queue;
    uint32_t queued; /* the number of events in the queue */
    /* The number of calls that have returned queued events since the descriptors were last checked. */
    uint32_t unchecked;
    bool indexed;       /* all queued events are in the index, because libxl_event_is_for was used */
    libxl__index index; /* the index of the queued events by for_user */
    uint64_t woken_at;  /* the time when libxl_ctx_wake was last called, in ns, monotonic; 0: never */
} libxl__events;

/* Prepares the empty queue of events. Called once, while the context is created. */
void libxl__events_open(libxl_ctx *ctx);
/* Called once, unlocked, while the context is destroyed. Frees the queued events. */
void libxl__events_close(libxl_ctx *ctx);

/*
 * Makes an event about the subject with this number. `type` must not be OPERATION_COMPLETE. Returns the
 * event, which the caller owns, or NULL if there is no memory. Needs no lock.
 */
libxl_event *libxl__event_new(libxl_ctx *ctx, libxl_event_type type, uint32_t number, libxl_ev_user for_user);
/*
 * Declares that a libxl_event_record with this `value` holds all data of the event. libxl_event_take then
 * returns the record without the event. Without this call, libxl_event_take returns both. The event must come
 * from libxl__event_new. Needs no lock.
 */
void libxl__event_fits_record(libxl_event *event, int32_t value);
/*
 * A hold belongs to the producer of an event. Its function `taken` is called when the event is no longer pending: the
 * application has taken the event or is about to get it, or the library frees it. With holds a producer can bound the
 * number of its pending events, and can add data to its newest pending event. Embed this in the producer's structure.
 */
typedef struct libxl__event_hold libxl__event_hold;
struct libxl__event_hold {
    /* Called once, with the context locked, unless libxl__event_release was called before. Must not use the event. */
    void (*taken)(libxl_ctx *ctx, libxl__event_hold *hold);
    libxl_event *event; /* the event to which the hold is attached */
};
/*
 * Attaches a hold to an event. The hold's `taken` must be set. The event must come from libxl__event_new, and must
 * not be reported yet.
 */
void libxl__event_attach(libxl_event *event, libxl__event_hold *hold);
/* Detaches a hold from its event, which stays pending. */
void libxl__event_release(libxl__event_hold *hold);
/* Called when the event stops being pending. Calls `taken` of the event's hold, if it has one. */
void libxl__event_taken(libxl_ctx *ctx, libxl_event *event);
/* Frees an event that was taken, or that will not be reported. The event must not be queued. */
void libxl__event_discard(libxl_ctx *ctx, libxl_event *event);
/*
 * Queues the event for delivery if the application's receiver wants it. Otherwise puts it into the queue of
 * events. Takes ownership; cannot fail.
 */
void libxl__event_occurred(libxl_ctx *ctx, libxl_event *event);
/* Puts the event into the queue of events even if the application's receiver wants it. Takes ownership; cannot fail. */
void libxl__event_queue(libxl_ctx *ctx, libxl_event *event);
/*
 * Call this when events of `type` may have been lost because memory ran out; 0: events of any type. Logs the
 * loss, and queues a call of the application's disaster hook.
 */
void libxl__event_missed(libxl_ctx *ctx, libxl_event_type type);
/*
 * Returns the event's entry for the queues of deliveries (deliver.h). The entry lives as long as the event.
 * Needs no lock.
 */
libxl__delivery *libxl__delivery_of_event(libxl_event *event);

/*
 * Returns whether the event's type is in the mask and the predicate accepts the event. `predicate` NULL: only
 * the mask is checked. Bit 63 of the mask stands for all types from 63 on. Needs no lock.
 */
static inline bool libxl__event_wanted(const libxl_event *event, uint64_t typemask,
                                       libxl_event_predicate *predicate, void *user)
{
    const unsigned bit = event->type < 63 ? (unsigned)event->type : 63;
    return typemask >> bit & 1 && (!predicate || predicate(event, user));
}

#endif
