/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the queued events, from their occurrence until the application takes them. The application owns an
 * event that it has taken, and frees it with libxl_event_free. The context's lock guards the queue.
 *
 * The completion event of an operation is a part of the operation's record. So the event needs no separate
 * memory, and freeing the event frees the record. Every other event is malloc'ed in an event_box.
 */
#include "libxl_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Up to this number of queued events, searching the queue is faster than an index. */
    WORTH_AN_INDEX = 32,
    PAST = 1, /* a deadline that has passed, in ns: 1 ns after the machine started */
    /*
     * While events are queued, only every second call of libxl_event_take, and every 64th call of
     * libxl_event_wait, checks the descriptors.
     */
    TAKES_A_LOOK = 2,
    WAITS_A_LOOK = 64,
};

/*
 * An event and the data that the library keeps for it. The event of a completion is in the operation's record
 * instead.
 */
struct event_box {
    libxl_event event;
    libxl__delivery delivery;
    libxl__event_hold *hold; /* the hold of the event's producer (event.h); NULL: the event has no hold */
    bool fits_record; /* a libxl_event_record holds all data of the event; set by libxl__event_fits_record */
    int32_t value;
};

static bool is_completion(const libxl_event *event)
{
    return event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE;
}

static libxl__ao *operation_of(libxl_event *event)
{
    return LIBXL__CONTAINER(event, libxl__ao, event);
}

static struct event_box *box_of(libxl_event *event)
{
    return LIBXL__CONTAINER(event, struct event_box, event);
}

libxl__delivery *libxl__delivery_of_event(libxl_event *event)
{
    return is_completion(event) ? &operation_of(event)->delivery : &box_of(event)->delivery;
}

static const uint64_t *key_of(const libxl__index_link *link)
{
    return &LIBXL__CONTAINER(link, const libxl__delivery, index_link)->indexed_event->for_user;
}

void libxl__events_open(libxl_ctx *ctx)
{
    TAILQ_INIT(&ctx->events.queue);
    libxl__index_open(&ctx->events.index, key_of, 1, &ctx->loop.steps);
}

static void add_to_index(libxl__events *events, libxl_event *event)
{
    /* No delivery uses this entry while the event is in the queue of events. */
    libxl__delivery *place = libxl__delivery_of_event(event);
    place->indexed_event = event;
    libxl__index_add(&events->index, &place->index_link);
}

libxl_event *libxl__event_new(libxl_ctx *ctx, libxl_event_type type, uint32_t number, libxl_ev_user for_user)
{
    (void)ctx;
    struct event_box *box = malloc(sizeof(*box));
    if (!box)
        return NULL;
    box->hold = NULL;
    box->fits_record = false;
    box->value = 0;
    libxl_event_init(&box->event);
    libxl_event_init_type(&box->event, type);
    box->event.domid = number;
    box->event.for_user = for_user;
    return &box->event;
}

void libxl__event_fits_record(libxl_event *event, int32_t value)
{
    box_of(event)->fits_record = true;
    box_of(event)->value = value;
}

void libxl__event_attach(libxl_event *event, libxl__event_hold *hold)
{
    box_of(event)->hold = hold;
    hold->event = event;
}

void libxl__event_release(libxl__event_hold *hold)
{
    box_of(hold->event)->hold = NULL;
    hold->event = NULL;
}

void libxl__event_taken(libxl_ctx *ctx, libxl_event *event)
{
    libxl__event_hold *hold = is_completion(event) ? NULL : box_of(event)->hold;
    if (!hold)
        return;
    libxl__event_release(hold);
    hold->taken(ctx, hold);
}

void libxl__event_discard(libxl_ctx *ctx, libxl_event *event)
{
    libxl__event_taken(ctx, event);
    if (is_completion(event)) {
        char *message = event->u.operation_complete.message;
        if (message && message != libxl__error_words(operation_of(event)->rc))
            free(message);
        libxl__ao_destroy(ctx, operation_of(event));
    } else {
        libxl_event_dispose(event);
        free(box_of(event));
    }
}

/*
 * Wakes one waiter that wants the event. One is enough, because only one thread can take the event. A waiter
 * that does not sleep (for example because its thread runs a callback) needs no wakeup: it searches the queue
 * before it sleeps again.
 */
static void wake_one(libxl_ctx *ctx, const libxl_event *event)
{
    libxl__waiter *waiter;
    TAILQ_FOREACH (waiter, &ctx->loop.waiters, link) {
        bool idle = waiter->following || ctx->loop.leader == waiter;
        ctx->loop.steps++;
        if (waiter->woken ||
            !libxl__event_wanted(event, waiter->typemask, waiter->predicate, waiter->predicate_user))
            continue;
        libxl__waiter_wake(ctx, waiter);
        if (idle)
            return;
    }
}

void libxl__event_queue(libxl_ctx *ctx, libxl_event *event)
{
    TAILQ_INSERT_TAIL(&ctx->events.queue, event, link);
    ctx->events.queued++;
    if (ctx->events.indexed)
        add_to_index(&ctx->events, event);
    wake_one(ctx, event);
}

void libxl__event_occurred(libxl_ctx *ctx, libxl_event *event)
{
    if (libxl__hooks_want(ctx, event))
        libxl__deliver_event(ctx, event, NULL);
    else
        libxl__event_queue(ctx, event);
}

void libxl__event_missed(libxl_ctx *ctx, libxl_event_type type)
{
    libxl__deliveries *deliveries = &ctx->deliveries;
    if (!deliveries->missed)
        libxl__log(ctx, XTL_CRITICAL, ENOMEM, "an event may have been missed");
    if (deliveries->missed && deliveries->missed_type != type)
        type = 0;
    deliveries->missed = true;
    deliveries->missed_type = type;
}

static void take_out(libxl_ctx *ctx, libxl_event *event)
{
    libxl__event_taken(ctx, event);
    TAILQ_REMOVE(&ctx->events.queue, event, link);
    if (ctx->events.indexed)
        libxl__index_remove(&ctx->events.index, &libxl__delivery_of_event(event)->index_link);
    if (--ctx->events.queued == 0 && ctx->events.indexed) {
        ctx->events.indexed = false;
        libxl__index_clear(&ctx->events.index);
    }
}

void libxl__events_close(libxl_ctx *ctx)
{
    libxl_event *event;
    while ((event = TAILQ_FIRST(&ctx->events.queue))) {
        take_out(ctx, event);
        libxl__event_discard(ctx, event);
    }
}

/*
 * Checks the descriptors. A check costs a system call. So while events are queued, only every Nth call of
 * this function checks, where N is `every`. Some calls must check, because otherwise a caller that always
 * finds queued events would never get new events.
 */
static int look(libxl_ctx *ctx, uint32_t every)
{
    libxl__events *events = &ctx->events;
    if (events->queued && ++events->unchecked < every)
        return 0;
    events->unchecked = 0;
    return libxl__loop_dispatch(ctx);
}

/* ---- taking many events at a time */

/*
 * Fills the record. If the record holds all data of the event, frees the event. Otherwise the record refers
 * to the event.
 */
static void fill_record(libxl_ctx *ctx, libxl_event *event, libxl_event_record *record)
{
    *record = (libxl_event_record){
        .for_user = event->for_user,
        .type = (uint32_t)event->type,
        .domid = event->domid,
        .domuuid = event->domuuid,
    };
    bool fits;
    if (is_completion(event)) {
        record->value = event->u.operation_complete.rc;
        fits = !event->u.operation_complete.message;
    } else {
        record->value = box_of(event)->value;
        fits = box_of(event)->fits_record;
    }
    if (fits)
        libxl__event_discard(ctx, event);
    else
        record->event = event;
}

int libxl_event_take(libxl_ctx *ctx, libxl_event_record *records, int max)
{
    if (!records && max > 0)
        return libxl__refuse(ERROR_INVAL, "records: NULL");
    libxl__ctx_lock(ctx);
    int count = look(ctx, TAKES_A_LOOK);
    libxl__ctx_dispatch(ctx);
    if (!count)
        while (count < max && ctx->events.queued) {
            libxl_event *event = TAILQ_FIRST(&ctx->events.queue);
            take_out(ctx, event);
            fill_record(ctx, event, &records[count++]);
        }
    if (!count)
        libxl__loop_hide_events(ctx);
    libxl__ctx_unlock(ctx);
    return count;
}

/* ---- taking one event */

int libxl_event_is_for(const libxl_event *event, void *user)
{
    return event->for_user == *(const libxl_ev_user *)user;
}

/* Returns whether the index can find the events that `want` selects. Makes the index if the queue has become long. */
static bool indexed(libxl__events *events, const libxl__waiter *want)
{
    libxl_event *event;
    if (want->predicate != libxl_event_is_for)
        return false;
    if (events->indexed || events->queued <= WORTH_AN_INDEX)
        return events->indexed;
    events->indexed = true;
    TAILQ_FOREACH (event, &events->queue, link)
        add_to_index(events, event);
    return true;
}

/* Returns the oldest event in the index that `want` selects by its for_user and its type, or NULL. */
static libxl_event *find_in_index(libxl__events *events, const libxl__waiter *want)
{
    libxl__index_link *first = libxl__index_find(&events->index, want->predicate_user), *link = first;
    if (!first)
        return NULL;
    do {
        libxl_event *event = LIBXL__CONTAINER(link, libxl__delivery, index_link)->indexed_event;
        ++*events->index.steps;
        if (libxl__event_wanted(event, want->typemask, NULL, NULL))
            return event;
        link = link->newer;
    } while (link != first);
    return NULL;
}

static libxl_event *find(libxl_ctx *ctx, const libxl__waiter *want)
{
    libxl__events *events = &ctx->events;
    libxl_event *event;
    if (indexed(events, want))
        event = find_in_index(events, want);
    else
        TAILQ_FOREACH (event, &events->queue, link)
            if (libxl__event_wanted(event, want->typemask, want->predicate, want->predicate_user))
                break;
    if (event)
        take_out(ctx, event);
    return event;
}

int libxl_event_check(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                      libxl_event_predicate *predicate, void *predicate_user)
{
    if (!event_out)
        return libxl__refuse(ERROR_INVAL, "event_out: NULL");
    const libxl__waiter want = {
        .typemask = typemask, .predicate = predicate, .predicate_user = predicate_user};
    libxl__ctx_lock(ctx);
    libxl__ctx_dispatch(ctx);
    *event_out = find(ctx, &want);
    if (!*event_out)
        libxl__loop_hide_events(ctx);
    libxl__ctx_unlock(ctx);
    return *event_out ? 0 : libxl__refuse(ERROR_NOT_READY, "no such event is queued");
}

/*
 * The time at which this thread last returned from waiting for an event, in ns, monotonic. If libxl_ctx_wake
 * is called after this time, the thread's next wait returns at once. The reason is that the thread may have
 * checked its condition before the call of libxl_ctx_wake.
 */
static _Thread_local uint64_t returned_at __attribute__((tls_model("initial-exec")));

int libxl_event_wait_limit(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                           libxl_event_predicate *predicate, void *predicate_user, int milliseconds)
{
    if (!event_out)
        return libxl__refuse(ERROR_INVAL, "event_out: NULL");
    libxl__waiter waiter = {.typemask = typemask, .predicate = predicate, .predicate_user = predicate_user};
    uint64_t deadline = milliseconds < 0 ? 0 : libxl__now() + LIBXL__MILLISECONDS(milliseconds);
    *event_out = NULL;
    const uint64_t since = returned_at;
    libxl__ctx_lock(ctx);
    libxl__waiter_begin(ctx, &waiter);
    int rc = ctx->events.queued ? look(ctx, WAITS_A_LOOK) : 0;
    libxl__ctx_dispatch(ctx);
    /*
     * The descriptors are checked at least once, even after the deadline or after libxl_ctx_wake. The reason
     * is that some callers only poll: their deadline has always passed.
     */
    for (bool looked = false; !(*event_out = find(ctx, &waiter)) && !rc; looked = true) {
        const bool woken = ctx->events.woken_at && ctx->events.woken_at >= since;
        if (looked && woken)
            rc = ERROR_NOT_READY;
        else if (looked && deadline && libxl__now() >= deadline)
            rc = ERROR_TIMEDOUT;
        else
            rc = libxl__waiter_wait(ctx, &waiter, woken ? PAST : deadline);
    }
    returned_at = libxl__now();
    libxl__waiter_end(ctx, &waiter);
    if (!*event_out)
        libxl__loop_hide_events(ctx);
    libxl__ctx_leave(ctx);
    if (*event_out)
        return 0;
    if (rc == ERROR_TIMEDOUT)
        return libxl__refuse(rc, "no such event within %d ms", milliseconds);
    /* libxl__loop_dispatch has set the message of FAIL, which names the failed system call. */
    return rc == ERROR_FAIL ? rc : libxl__refuse_in(rc, "libxl_event_wait");
}

int libxl_event_wait(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                     libxl_event_predicate *predicate, void *predicate_user)
{
    return libxl_event_wait_limit(ctx, event_out, typemask, predicate, predicate_user, -1);
}

void libxl_event_free(libxl_ctx *ctx, libxl_event *event)
{
    if (!event)
        return;
    libxl__ctx_lock(ctx);
    libxl__event_discard(ctx, event);
    libxl__ctx_unlock(ctx);
}

void libxl_ctx_wake(libxl_ctx *ctx)
{
    libxl__waiter *waiter;
    libxl__ctx_lock(ctx);
    ctx->events.woken_at = libxl__now();
    TAILQ_FOREACH (waiter, &ctx->loop.waiters, link)
        libxl__waiter_wake(ctx, waiter);
    libxl__ctx_leave(ctx);
}
