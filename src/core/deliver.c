/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the two queues of deliveries, and the events in them. The context's lock guards both. The lock is released while
 * application code runs; everything that the code is called with is copied before. The entry of a delivery is a part of its
 * event or of its operation, so queueing one cannot fail.
 *
 * Any thread that is inside the library makes deliveries, except workers. Application code that runs inside a delivery may
 * call the library. The deliveries that such a call causes are deferred to the outer dispatch loop. So a chain of callbacks
 * does not deepen the stack. Only a call that waits inside a delivery makes deliveries itself.
 */
#include "libxl_internal.h"

#include <errno.h>
#include <stdlib.h>

/* The deliveries, of all contexts, that this thread is inside. Every public function reads this list, so it uses the fastest
 * thread-local model. */
struct delivery_frame {
    const libxl_ctx *ctx;
    struct delivery_frame *outer;
    bool deferred_any; /* a call inside it has deferred its deliveries */
    bool receives;     /* it runs event_occurs */
};
static _Thread_local struct delivery_frame *innermost __attribute__((tls_model("initial-exec")));

static struct delivery_frame *frame_of(const libxl_ctx *ctx)
{
    struct delivery_frame *frame = innermost;
    while (frame && frame->ctx != ctx)
        frame = frame->outer;
    return frame;
}

bool libxl__delivering_here(const libxl_ctx *ctx)
{
    return frame_of(ctx);
}

static bool in_receiver(const libxl_ctx *ctx)
{
    const struct delivery_frame *frame = innermost;
    while (frame && !(frame->ctx == ctx && frame->receives))
        frame = frame->outer;
    return frame;
}

bool libxl__deliveries_defer(libxl_ctx *ctx)
{
    struct delivery_frame *frame = frame_of(ctx);
    if (frame)
        frame->deferred_any = true;
    return frame;
}

void libxl__deliveries_open(libxl_ctx *ctx)
{
    STAILQ_INIT(&ctx->deliveries.calls);
    STAILQ_INIT(&ctx->deliveries.events);
}

/* ---- the kinds of deliveries */

static void event_delivered(libxl_ctx *ctx, libxl__ao *ao)
{
    if (!ao)
        return;
    ao->delivering = false;
    libxl__ao_report_delivered(ctx, ao);
}

static void deliver_event(libxl_ctx *ctx, libxl__delivery *delivery)
{
    libxl_event *event = delivery->event;
    libxl__ao *ao = delivery->ao;
    const libxl_event_hooks *receiver = ctx->hooks.receiver;
    if (!libxl__hooks_want(ctx, event)) {
        /* The receiver was deregistered, or its mask was changed, after the event was queued for it. */
        libxl__event_queue(ctx, event);
    } else {
        void (*occurs)(void *, libxl_event *) = receiver->event_occurs;
        void *user = ctx->hooks.receiver_user;
        ctx->deliveries.receiving++;
        innermost->receives = true;
        libxl__ctx_unlock(ctx);
        occurs(user, event);
        libxl__ctx_lock(ctx);
        ctx->deliveries.receiving--;
    }
    event_delivered(ctx, ao);
}

/* A report that is due follows the newest request (libxl_ao_set_progress), which may have ended the reports, or want events. */
static void deliver_report(libxl_ctx *ctx, libxl__delivery *delivery)
{
    libxl_event *event = delivery->event;
    libxl__ao *ao = delivery->ao;
    const bool of_phases = event->type == LIBXL_EVENT_TYPE_OPERATION_PROGRESS;
    const libxl_asyncprogress_how how = of_phases ? ao->report->how : *libxl__ao_progress_of(ao);
    event->for_user = how.for_event;
    if (of_phases && !ao->report->wanted) {
        libxl__event_discard(ctx, event);
    } else if (!how.callback) {
        ao->delivering = false;
        libxl__deliver_event(ctx, event, ao);
        return;
    } else {
        libxl__ctx_unlock(ctx);
        how.callback(ctx, event, how.for_callback);
        libxl__ctx_lock(ctx);
    }
    event_delivered(ctx, ao);
}

static void deliver_completion(libxl_ctx *ctx, libxl__delivery *delivery)
{
    libxl__ao *ao = delivery->ao;
    libxl_asyncop_how how = ao->how;
    int rc = ao->rc;
    libxl__ctx_unlock(ctx);
    libxl__error_message_set(rc, rc ? ao->message : NULL);
    how.callback(ctx, rc, how.u.for_callback);
    libxl__ctx_lock(ctx);
    libxl__ao_destroy(ctx, ao);
}

/* ---- the queues */

static struct libxl__delivery_queue *queue_of(libxl_ctx *ctx, const libxl__delivery *delivery)
{
    return delivery->deliver == deliver_event ? &ctx->deliveries.events : &ctx->deliveries.calls;
}

/* `place` belongs to the event or the operation, and must live until the delivery is made or discarded. */
static void enqueue(libxl_ctx *ctx, libxl__delivery *place, libxl__delivery delivery)
{
    *place = delivery;
    place->number = ctx->deliveries.count++;
    STAILQ_INSERT_TAIL(queue_of(ctx, place), place, link);
}

void libxl__deliver_event(libxl_ctx *ctx, libxl_event *event, libxl__ao *ao)
{
    enqueue(ctx, libxl__delivery_of_event(event),
            (libxl__delivery){.deliver = deliver_event, .ao = ao, .event = event});
}

void libxl__deliver_report(libxl_ctx *ctx, libxl_event *event, libxl__ao *ao)
{
    enqueue(ctx, libxl__delivery_of_event(event),
            (libxl__delivery){.deliver = deliver_report, .ao = ao, .event = event});
}

void libxl__deliver_completion(libxl_ctx *ctx, libxl__ao *ao)
{
    enqueue(ctx, &ao->delivery, (libxl__delivery){.deliver = deliver_completion, .ao = ao});
}

/* ---- making deliveries */

static void call_disaster_hook(libxl_ctx *ctx)
{
    const libxl_event_hooks *receiver = ctx->hooks.receiver;
    void (*disaster)(void *, libxl_event_type, const char *, int) = receiver ? receiver->disaster : NULL;
    void *user = ctx->hooks.receiver_user;
    libxl_event_type type = ctx->deliveries.missed_type;
    ctx->deliveries.missed = false;
    if (!disaster)
        return;
    libxl__ctx_unlock(ctx);
    disaster(user, type, "an event may have been missed", ENOMEM);
    libxl__ctx_lock(ctx);
}

/* Returns the oldest delivery of a queue whose operation has no other delivery in progress, or NULL. */
static libxl__delivery *first_deliverable(const struct libxl__delivery_queue *queue)
{
    libxl__delivery *delivery = STAILQ_FIRST(queue);
    while (delivery && delivery->ao && delivery->ao->delivering)
        delivery = STAILQ_NEXT(delivery, link);
    return delivery;
}

/* Returns the oldest delivery that may be made now, or NULL. While another thread runs the receiver, events are held back. */
static libxl__delivery *next_delivery(libxl_ctx *ctx)
{
    const libxl__deliveries *deliveries = &ctx->deliveries;
    const bool busy = deliveries->receiving && !in_receiver(ctx);
    libxl__delivery *call = first_deliverable(&deliveries->calls),
                    *event = busy ? NULL : first_deliverable(&deliveries->events);
    if (!call || !event)
        return call ? call : event;
    return call->number < event->number ? call : event;
}

bool libxl__deliver_one(libxl_ctx *ctx)
{
    libxl__deliveries *deliveries = &ctx->deliveries;
    libxl__delivery *delivery = deliveries->missed ? NULL : next_delivery(ctx);
    if (!delivery && !deliveries->missed)
        return false;
    libxl__loop_hand_over(ctx);
    struct delivery_frame here = {.ctx = ctx, .outer = innermost};
    innermost = &here;
    deliveries->under_way++;
    if (!delivery) {
        call_disaster_hook(ctx);
    } else {
        STAILQ_REMOVE(queue_of(ctx, delivery), delivery, libxl__delivery, link);
        if (delivery->ao)
            delivery->ao->delivering = true;
        delivery->deliver(ctx, delivery);
    }
    deliveries->under_way--;
    innermost = here.outer;
    return true;
}

void libxl__deliver_at_once(libxl_ctx *ctx, const libxl_asyncop_how *how)
{
    struct delivery_frame here = {.ctx = ctx, .outer = innermost};
    innermost = &here;
    libxl__error_message_set(0, NULL);
    how->callback(ctx, 0, how->u.for_callback);
    innermost = here.outer;
    if (!here.deferred_any)
        return;
    libxl__ctx_lock(ctx);
    libxl__ctx_leave(ctx);
}

/* Discards the deliveries of an operation from a queue; ao NULL: all deliveries. They must have events. */
static void drop_deliveries(libxl_ctx *ctx, struct libxl__delivery_queue *queue, const libxl__ao *ao)
{
    libxl__delivery *delivery = STAILQ_FIRST(queue), *following;
    for (; delivery; delivery = following) {
        following = STAILQ_NEXT(delivery, link);
        if (ao && delivery->ao != ao)
            continue;
        STAILQ_REMOVE(queue, delivery, libxl__delivery, link);
        libxl__event_discard(ctx, delivery->event);
    }
}

void libxl__deliver_drop(libxl_ctx *ctx, const libxl__ao *ao)
{
    if (!ao->reports)
        return;
    drop_deliveries(ctx, &ctx->deliveries.calls, ao);
    drop_deliveries(ctx, &ctx->deliveries.events, ao);
}

void libxl__deliveries_close(libxl_ctx *ctx)
{
    /* The queue of calls holds only reports: the drain has delivered all completions. */
    drop_deliveries(ctx, &ctx->deliveries.calls, NULL);
    drop_deliveries(ctx, &ctx->deliveries.events, NULL);
}
