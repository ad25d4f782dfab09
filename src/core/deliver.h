/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is due to the application: completion callbacks, progress reports, events for its receiver. They are
 * delivered in order of occurrence; what belongs to one operation, and what the receiver gets, one after the
 * other. Events for the receiver have a line of their own: while it is busy, nobody looks through them.
 */
#ifndef LIBXL__DELIVER_H
#define LIBXL__DELIVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libxl.h>

struct libxl__ao;

typedef struct libxl__delivery libxl__delivery;
struct libxl__delivery {
    /* Called locked; gives up the lock for the application's code; ends with ao->delivering false, or ao
     * destroyed. */
    void (*deliver)(libxl_ctx *ctx, libxl__delivery *delivery);
    struct libxl__ao *ao; /* whose it is; NULL: no operation's */
    libxl_event *event;   /* NULL: a completion's callback */
    uint64_t number;      /* in order of occurrence */
    STAILQ_ENTRY(libxl__delivery) link;
};

STAILQ_HEAD(libxl__delivery_queue, libxl__delivery);

typedef struct libxl__deliveries {
    struct libxl__delivery_queue calls;  /* of callbacks */
    struct libxl__delivery_queue events; /* for the receiver */
    uint64_t count;                      /* of all that have occurred */
    uint32_t under_way;                  /* the application's code is running */
    uint32_t receiving;                  /* of these, event_occurs */
    bool missed;                         /* events may have been missed: the disaster hook is to be told */
    libxl_event_type missed_type;        /* 0: of several types, or of any */
} libxl__deliveries;

/* Locked, all of them. */

void libxl__deliveries_open(libxl_ctx *ctx);
/* Frees what has not been delivered. */
void libxl__deliveries_close(libxl_ctx *ctx);

/* Whether anything stands in line, or has to be told. Asked at the end of every call. */
static inline bool libxl__deliveries_pending(const libxl__deliveries *deliveries)
{
    return !STAILQ_EMPTY(&deliveries->calls) || !STAILQ_EMPTY(&deliveries->events) || deliveries->missed;
}
/* Delivers the first that may be; whether there was one. */
bool libxl__deliver_one(libxl_ctx *ctx);
/* Whether this thread is inside one of the context's deliveries. Locked or not. */
bool libxl__delivering_here(const libxl_ctx *ctx);
/* The same; then what is due is left to the loop around that. */
bool libxl__deliveries_defer(libxl_ctx *ctx);
/* Not locked, and not inside a delivery: the callback of an operation that is done and that nobody else has seen. */
void libxl__deliver_at_once(libxl_ctx *ctx, const libxl_asyncop_how *how);

/* An event for the application's receiver; if there is none by then, it is queued. `ao`: whose report it is,
 * or NULL. */
void libxl__deliver_event(libxl_ctx *ctx, libxl_event *event, struct libxl__ao *ao);
/* An operation's progress report, to its callback; the event is the delivery's. */
void libxl__deliver_report(libxl_ctx *ctx, libxl_event *event, struct libxl__ao *ao);
/* An operation's completion, to its callback. */
void libxl__deliver_completion(libxl_ctx *ctx, struct libxl__ao *ao);
/* Drops the reports of an operation that did not start. */
void libxl__deliver_drop(libxl_ctx *ctx, const struct libxl__ao *ao);

#endif
