/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deliveries: the pending calls of application code. A delivery is a completion callback, a progress report,
 * or an event for the application's receiver (libxl_event_hooks).
 *
 * Deliveries are made in the order in which their causes occurred. Two deliveries of the same operation never
 * run at the same time. Two threads never call the receiver at the same time. Events for the receiver have a
 * separate queue. So no thread searches these events while the receiver is busy.
 *
 * Call every function with the context locked, unless the comment says otherwise. Workers may queue
 * deliveries, but only other threads make them.
 */
#ifndef LIBXL__DELIVER_H
#define LIBXL__DELIVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libxl.h>

#include "index.h"

struct libxl__ao;

typedef struct libxl__delivery libxl__delivery;
struct libxl__delivery {
    union {
        struct { /* the following members are valid while the delivery is queued */
            /*
             * Makes the delivery. Called with the context locked. Releases the lock while application code
             * runs, and returns with the context locked. Afterwards ao->delivering is false or ao is
             * destroyed.
             */
            void (*deliver)(libxl_ctx *ctx, libxl__delivery *delivery);
            struct libxl__ao *ao; /* the operation that the delivery belongs to; NULL: none */
            /* The event that is delivered; NULL: the delivery is a completion callback. */
            libxl_event *event;
            /* The number of the delivery; numbers ascend in the order in which deliveries are queued. */
            uint64_t number;
            TAILQ_ENTRY(libxl__delivery) link;
        };
        struct { /* the following members are valid while the event is in the queue of events (event.c) */
            libxl__index_link index_link;
            libxl_event *indexed_event;
        };
    };
};

TAILQ_HEAD(libxl__delivery_queue, libxl__delivery);

typedef struct libxl__deliveries {
    /* The pending completion callbacks, and the pending progress reports by callback. */
    struct libxl__delivery_queue calls;
    struct libxl__delivery_queue events; /* the pending events for the receiver */
    /*
     * The progress reports of synchronous calls that were made inside a delivery. The thread of each call
     * delivers the reports of its call.
     */
    struct libxl__delivery_queue own;
    /*
     * The number of deliveries that were queued since the context was made; the next delivery gets this
     * number.
     */
    uint64_t count;
    uint32_t under_way; /* the number of deliveries whose application code is running */
    uint32_t receiving; /* the number of deliveries that run event_occurs now */
    bool missed;        /* events may have been lost, so the application's disaster hook must be called */
    /* The type of the events that may have been lost; 0: several types, or an unknown type. */
    libxl_event_type missed_type;
} libxl__deliveries;

/* Prepares the empty queues. Called once, while the context is created. */
void libxl__deliveries_open(libxl_ctx *ctx);
/* Called once, unlocked, while the context is destroyed. Frees the events of the deliveries that were not made. */
void libxl__deliveries_close(libxl_ctx *ctx);

/* Returns whether a delivery that any thread may make, or a call of the disaster hook, is pending. This function is
 * inline, because every public function calls it. */
static inline bool libxl__deliveries_pending(const libxl__deliveries *deliveries)
{
    return !TAILQ_EMPTY(&deliveries->calls) || !TAILQ_EMPTY(&deliveries->events) || deliveries->missed;
}
/*
 * Makes the oldest delivery that may be made now. Unlocks while application code runs. Returns true if a
 * delivery was made, otherwise false. Do not call it on a worker, or inside a delivery of this context.
 */
bool libxl__deliver_one(libxl_ctx *ctx);
/*
 * Like libxl__deliver_one, but makes only the oldest delivery of `ao`. A thread calls this when it is inside
 * a delivery and waits in the synchronous call `ao`.
 */
bool libxl__deliver_own(libxl_ctx *ctx, const struct libxl__ao *ao);
/* Returns whether this thread is inside one of the context's deliveries. Needs no lock. */
bool libxl__delivering_here(const libxl_ctx *ctx);
/*
 * Returns whether this thread is inside one of the context's deliveries. If it is, notes that pending
 * deliveries are deferred to the outer dispatch loop. Needs no lock.
 */
bool libxl__deliveries_defer(libxl_ctx *ctx);
/*
 * Calls the completion callback of an instant operation that has succeeded. Then makes the deliveries that were
 * deferred during the callback. Call it unlocked, and not inside a delivery of this context. No other thread may have
 * access to the operation.
 */
void libxl__deliver_at_once(libxl_ctx *ctx, const libxl_asyncop_how *how);

/*
 * Queues the delivery of an event to the application's receiver. If the receiver does not want the event when the
 * delivery is made, the event goes to the queue of events instead. `ao`: the operation that reports by this event;
 * NULL: none. Takes ownership of the event.
 */
void libxl__deliver_event(libxl_ctx *ctx, libxl_event *event, struct libxl__ao *ao);
/* Queues the delivery of an operation's progress report to its callback. Takes ownership of the event. */
void libxl__deliver_report(libxl_ctx *ctx, libxl_event *event, struct libxl__ao *ao);
/* Queues the delivery of an operation's completion to its callback. The operation is destroyed after the callback. */
void libxl__deliver_completion(libxl_ctx *ctx, struct libxl__ao *ao);
/*
 * Discards the pending reports of an operation that failed to start. `first`: the value of
 * libxl__deliveries.count when the operation started.
 */
void libxl__deliver_drop(libxl_ctx *ctx, const struct libxl__ao *ao, uint64_t first);

#endif
