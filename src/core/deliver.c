/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the three queues of deliveries, and the events in them. The context's lock guards them. The lock is
 * released while application code runs. So the arguments of the application code are copied before the lock
 * is released. The entry of a delivery is a part of its event or of its operation, so queueing a delivery
 * cannot fail.
 *
 * Any thread that is inside the library makes deliveries, except workers. Application code that runs inside a
 * delivery may call the library. New deliveries from such a call are deferred to the outer dispatch loop, so
 * a chain of callbacks does not deepen the stack. There is one exception: a synchronous call inside a
 * delivery makes its own progress reports while it waits. The progress reports of such calls are in the queue
 * `own`.
 */
#include "libxl_internal.h"

#include <errno.h>
#include <stdlib.h>

/*
 * A delivery whose application code runs on this thread. The frames of a thread, for all contexts, form a list. Every
 * public function reads this list, so `innermost` uses the fastest thread-local model.
 */
struct delivery_frame {
    const libxl_ctx *ctx;
    struct delivery_frame *outer;
    bool deferred_any; /* a library call inside this delivery has deferred deliveries */
    bool receives;     /* this delivery runs event_occurs */
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
    TAILQ_INIT(&ctx->deliveries.calls);
    TAILQ_INIT(&ctx->deliveries.events);
    TAILQ_INIT(&ctx->deliveries.own);
}

/* ---- the functions that make one delivery */

static void event_delivered(libxl_ctx *ctx, libxl__ao *ao)
{
    if (!ao)
        return;
    ao->delivering = false;
    libxl__ao_report_delivered(ctx, ao);
}

/*
 * Called when the receiver has become free. Wakes the threads that wait inside other deliveries and have
 * progress reports to deliver.
 */
static void receiver_is_free(libxl_ctx *ctx)
{
    const libxl__delivery *delivery;
    TAILQ_FOREACH (delivery, &ctx->deliveries.own, link)
        if (delivery->ao->waiter)
            libxl__waiter_wake(ctx, delivery->ao->waiter);
}

static void deliver_event(libxl_ctx *ctx, libxl__delivery *delivery)
{
    libxl_event *event = delivery->event;
    libxl__ao *ao = delivery->ao;
    const libxl_event_hooks *receiver = ctx->hooks.receiver;
    if (!libxl__hooks_want(ctx, event)) {
        /*
         * The application does not want the event for its receiver any more: it has removed the receiver or changed
         * the mask. So the event goes into the queue of events, from which libxl_event_wait takes it.
         */
        libxl__event_queue(ctx, event);
    } else {
        void (*occurs)(void *, libxl_event *) = receiver->event_occurs;
        void *user = ctx->hooks.receiver_user;
        libxl__event_taken(ctx, event);
        ctx->deliveries.receiving++;
        innermost->receives = true;
        libxl__ctx_unlock(ctx);
        occurs(user, event);
        libxl__ctx_lock(ctx);
        if (!--ctx->deliveries.receiving)
            receiver_is_free(ctx);
    }
    event_delivered(ctx, ao);
}

/*
 * Delivers a report according to the newest call of libxl_ao_set_progress. That call may have been made after
 * the report was queued. It may have ended the reports, or replaced the callback by events.
 */
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
    const int rc = ao->rc, outward = libxl__ao_outward(ao, rc);
    libxl__ctx_unlock(ctx);
    libxl__error_message_set(rc, rc ? ao->message : NULL);
    how.callback(ctx, outward, how.u.for_callback);
    libxl__ctx_lock(ctx);
    libxl__ao_destroy(ctx, ao);
}

/* ---- the queues of deliveries */

static struct libxl__delivery_queue *queue_of(libxl_ctx *ctx, const libxl__delivery *delivery)
{
    if (delivery->ao && delivery->ao->inside)
        return &ctx->deliveries.own;
    return delivery->deliver == deliver_event ? &ctx->deliveries.events : &ctx->deliveries.calls;
}

/*
 * Puts a delivery into a queue. `place` is the memory for the entry of the delivery. It belongs to the event
 * or the operation, and must be valid until the delivery is made or discarded.
 */
static void enqueue(libxl_ctx *ctx, libxl__delivery *place, libxl__delivery delivery)
{
    *place = delivery;
    place->number = ctx->deliveries.count++;
    TAILQ_INSERT_TAIL(queue_of(ctx, place), place, link);
    if (place->ao && place->ao->inside && place->ao->waiter)
        libxl__waiter_wake(ctx, place->ao->waiter);
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

/*
 * Returns the oldest delivery of a queue that may be made now, or NULL. A delivery must wait while another
 * delivery of its operation is running.
 */
static libxl__delivery *first_deliverable(libxl_ctx *ctx, const struct libxl__delivery_queue *queue)
{
    libxl__delivery *delivery = TAILQ_FIRST(queue);
    for (; delivery && delivery->ao && delivery->ao->delivering; delivery = TAILQ_NEXT(delivery, link))
        ctx->loop.steps++;
    return delivery;
}

/*
 * Returns the oldest delivery that may be made now, or NULL. Events for the receiver must wait while another
 * thread runs the receiver.
 */
static libxl__delivery *next_delivery(libxl_ctx *ctx)
{
    const libxl__deliveries *deliveries = &ctx->deliveries;
    libxl__delivery *call = first_deliverable(ctx, &deliveries->calls),
                    *event = deliveries->receiving ? NULL : first_deliverable(ctx, &deliveries->events);
    if (!call || !event)
        return call ? call : event;
    return call->number < event->number ? call : event;
}

/* Makes a delivery. `delivery` NULL: calls the disaster hook. */
static void deliver(libxl_ctx *ctx, libxl__delivery *delivery)
{
    libxl__deliveries *deliveries = &ctx->deliveries;
    libxl__loop_hand_over(ctx);
    struct delivery_frame here = {.ctx = ctx, .outer = innermost};
    innermost = &here;
    deliveries->under_way++;
    if (!delivery) {
        call_disaster_hook(ctx);
    } else {
        TAILQ_REMOVE(queue_of(ctx, delivery), delivery, link);
        if (delivery->ao)
            delivery->ao->delivering = true;
        delivery->deliver(ctx, delivery);
    }
    deliveries->under_way--;
    innermost = here.outer;
}

bool libxl__deliver_one(libxl_ctx *ctx)
{
    libxl__delivery *delivery = ctx->deliveries.missed ? NULL : next_delivery(ctx);
    if (!delivery && !ctx->deliveries.missed)
        return false;
    deliver(ctx, delivery);
    return true;
}

bool libxl__deliver_own(libxl_ctx *ctx, const libxl__ao *ao)
{
    const bool busy = ctx->deliveries.receiving && !in_receiver(ctx);
    libxl__delivery *delivery = ao->reports ? TAILQ_FIRST(&ctx->deliveries.own) : NULL;
    while (delivery && (delivery->ao != ao || (busy && delivery->deliver == deliver_event)))
        delivery = TAILQ_NEXT(delivery, link);
    if (delivery)
        deliver(ctx, delivery);
    return delivery;
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

/* Discards a delivery, which must have an event. */
static void drop(libxl_ctx *ctx, libxl__delivery *delivery)
{
    TAILQ_REMOVE(queue_of(ctx, delivery), delivery, link);
    libxl__event_discard(ctx, delivery->event);
}

/*
 * Discards the reports of an operation from a queue. `first` is the number of the operation's oldest report.
 * Only deliveries from this number on are searched.
 */
static void drop_newest(libxl_ctx *ctx, struct libxl__delivery_queue *queue, const libxl__ao *ao,
                        uint64_t first)
{
    libxl__delivery *delivery = TAILQ_LAST(queue, libxl__delivery_queue), *previous;
    for (; delivery && delivery->number >= first; delivery = previous) {
        previous = TAILQ_PREV(delivery, libxl__delivery_queue, link);
        if (delivery->ao == ao)
            drop(ctx, delivery);
    }
}

void libxl__deliver_drop(libxl_ctx *ctx, const libxl__ao *ao, uint64_t first)
{
    if (!ao->reports)
        return;
    drop_newest(ctx, &ctx->deliveries.calls, ao, first);
    drop_newest(ctx, &ctx->deliveries.events, ao, first);
    drop_newest(ctx, &ctx->deliveries.own, ao, first);
}

void libxl__deliveries_close(libxl_ctx *ctx)
{
    libxl__delivery *delivery;
    /*
     * The queue `calls` contains only progress reports now, because libxl__ctx_drain has delivered all
     * completions.
     */
    while ((delivery = TAILQ_FIRST(&ctx->deliveries.calls)) ||
           (delivery = TAILQ_FIRST(&ctx->deliveries.events)))
        drop(ctx, delivery);
}
