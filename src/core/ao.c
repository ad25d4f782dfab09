/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations from creation to destruction; ao.h shows the states.
 *
 * Owns: every record in use. The context's lock guards them, except records on the stack, which only their thread sees.
 *
 * A record is freed exactly once, by its last user: the synchronous caller; the delivery of the completion callback;
 * whoever frees the completion event; the parent; a background operation itself. So records need no reference count.
 */
#include "libxl_internal.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- starting */

static void init_record(libxl__ao *ao, libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number)
{
    ao->magic = LIBXL__AO_MAGIC;
    ao->ctx = ctx;
    ao->cls = cls;
    ao->subject.number = number;
    SLIST_INIT(&ao->sources);
}

static libxl__ao *create_record(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number)
{
    libxl__ao *ao = libxl__ao_record_get(ctx, cls);
    if (!ao)
        return NULL;
    init_record(ao, ctx, cls, number);
    ao->notify_target = LIBXL__AO_CALLER;
    return ao;
}

static int unlock_and_refuse(libxl_ctx *ctx, int rc)
{
    libxl__ctx_unlock(ctx);
    return libxl__refuse(rc, NULL);
}

int libxl__ao_create(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number,
                     const libxl_asyncop_how *how, libxl__ao **ao_out)
{
    libxl__ctx_lock(ctx);
    int rc = how && (cls->slow || !how->callback) ? libxl__hooks_need_loop(ctx) : 0;
    if (rc || ctx->closing)
        return unlock_and_refuse(ctx, rc ? rc : ERROR_CLOSED);
    libxl__ao *ao = create_record(ctx, cls, number);
    if (!ao)
        return unlock_and_refuse(ctx, ERROR_NOMEM);
    if (how) {
        ao->notify_target = LIBXL__AO_HOW;
        ao->how = *how;
    } else {
        ao->inside = libxl__delivering_here(ctx);
    }
    *ao_out = ao;
    return 0;
}

int libxl__ao_create_instant(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number,
                             const libxl_asyncop_how *how, void *here, libxl__ao **ao_out)
{
    /* A completion event is part of a record on the heap. A callback inside another delivery is deferred. */
    if (how && (!how->callback || libxl__delivering_here(ctx)))
        return libxl__ao_create(ctx, cls, number, how, ao_out);
    if (ctx->closing)
        return libxl__refuse(ERROR_CLOSED, NULL);
    libxl__ao *ao = here;
    memset(ao, 0, sizeof(*ao) + cls->args_size);
    init_record(ao, ctx, cls, number);
    ao->notify_target = LIBXL__AO_STACK;
    if (how)
        ao->how = *how;
    *ao_out = ao;
    return 0;
}

libxl__ao *libxl__ao_create_nested(libxl__ao *parent, struct libxl__nested *nested,
                                   const libxl__ao_class *cls)
{
    libxl__ao *ao = create_record(parent->ctx, cls, parent->subject.number);
    if (!ao)
        return NULL;
    ao->notify_target = LIBXL__AO_PARENT;
    ao->parent = parent;
    ao->nested = nested;
    return ao;
}

libxl__ao *libxl__ao_create_background(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number,
                                       libxl__ao **handle)
{
    libxl__ao *ao = create_record(ctx, cls, number);
    if (!ao)
        return NULL;
    ao->notify_target = LIBXL__AO_NOBODY;
    ao->handle = handle;
    return ao;
}

static void stop_sources(libxl__ao *ao)
{
    libxl__source *source;
    while ((source = SLIST_FIRST(&ao->sources)))
        libxl__source_stop(ao->ctx, source);
}

/* Frees what the operation needed to run. Keeps what the notification needs. */
static void release_work(libxl__ao *ao)
{
    stop_sources(ao);
    libxl__timer_stop(ao->ctx, &ao->limit);
    if (ao->cls->phases)
        libxl__timer_stop(ao->ctx, &ao->phase.timer);
    libxl__ao_index_remove(ao);
    if (ao->runnable)
        TAILQ_REMOVE(&ao->ctx->aos.runnable, ao, run_link);
    ao->runnable = false;
    if (ao->cls->dispose)
        ao->cls->dispose(ao->args);
    libxl__gc_end(&ao->gc);
}

void libxl__ao_destroy(libxl_ctx *ctx, libxl__ao *ao)
{
    assert(ao->magic == LIBXL__AO_MAGIC);
    ao->magic = LIBXL__AO_MAGIC_DESTROYED;
    if (ao->message)
        free(ao->message);
    if (ao->report)
        free(ao->report);
    libxl__ao_record_put(ctx, ao);
}

void libxl__ao_discard(libxl__ao *ao)
{
    release_work(ao);
    libxl__ao_destroy(ao->ctx, ao);
}

/* Ends the initiator: destroys the record, unlocks, returns rc. Sets the message after the dispatch, which may run callbacks
 * that set messages. */
static int leave_initiator(libxl_ctx *ctx, libxl__ao *ao, int rc)
{
    libxl__ctx_dispatch(ctx);
    if (rc)
        libxl__error_message_set(rc, ao->message);
    libxl__ao_destroy(ctx, ao);
    libxl__ctx_unlock(ctx);
    return rc;
}

/* Ends the initiator of an operation whose record is on the stack: releases it, calls the callback, returns the result. */
static int leave_from_stack(libxl__ao *ao, int rc)
{
    libxl_ctx *ctx = ao->ctx;
    const libxl_asyncop_how how = ao->how;
    libxl__ao_check_error(ao, rc);
    assert(rc <= 0 && !ao->jobs && SLIST_EMPTY(&ao->sources));
    if (rc)
        libxl__error_message_set(rc, ao->message);
    free(ao->message);
    if (ao->cls->dispose)
        ao->cls->dispose(ao->args);
    libxl__gc_end(&ao->gc);
    if (rc || !how.callback)
        return rc;
    libxl__deliver_at_once(ctx, &how);
    return ERROR_ASYNC_INPROGRESS;
}

int libxl__ao_abort_start(libxl__ao *ao, int rc)
{
    assert(rc && !ao->complete);
    if (ao->notify_target == LIBXL__AO_STACK)
        return leave_from_stack(ao, rc);
    libxl__ao_check_error(ao, rc);
    release_work(ao);
    return leave_initiator(ao->ctx, ao, rc);
}

static unsigned limit_of(const libxl__ao *ao)
{
    const unsigned limit_ms = ao->notify_target == LIBXL__AO_CALLER ? ao->ctx->aos.sync_limit_ms : 0;
    return limit_ms ? limit_ms : ao->cls->limit_ms;
}

/* Makes a waiting operation visible: from now on it can be found, aborted, limited and listed. */
static void enter_progress(libxl__ao *ao)
{
    const unsigned limit_ms = limit_of(ao);
    ao->since = libxl__now();
    libxl__log(ao->ctx, XTL_DEBUG, -1, "%s: in progress", ao->cls->name);
    TAILQ_INSERT_TAIL(&ao->ctx->aos.live, ao, live_link);
    ao->live = true;
    if (ao->notify_target == LIBXL__AO_HOW)
        libxl__ao_index_add(ao);
    if (libxl__ao_limit(ao, limit_ms))
        libxl__ao_request_stop(ao, ERROR_NOMEM);
    if (ao->ctx->closing) /* an undo has started it after libxl__aos_abort_all */
        libxl__ao_request_stop(ao, ERROR_ABORTED);
}

/* Handles the result of the first run. */
static void handle_first_result(libxl__ao *ao, int rc)
{
    if (rc == LIBXL__AO_WAIT || ao->jobs)
        enter_progress(ao);
    if (rc != LIBXL__AO_WAIT)
        libxl__ao_complete(ao, rc);
}

/* Runs the phases or the body as far as possible. Returns LIBXL__AO_WAIT or the result. */
static int advance(libxl__ao *ao)
{
    const int rc = ao->cls->phases ? libxl__phases_run(ao) : ao->cls->body(ao, ao->args);
    if (rc == LIBXL__AO_WAIT)
        libxl__ao_check_wait(ao);
    return rc;
}

/* The loop is broken, so sources do not fire any more. A stop request still ends the operation. Sleeps if it does not end at
 * once, because its jobs may end it. */
static void stop_without_loop(libxl__ao *ao)
{
    libxl__ao_request_stop(ao, ERROR_FAIL);
    libxl__ctx_dispatch_for(ao->ctx, ao);
    if (!ao->notified)
        libxl__ctx_sleep(ao->ctx, &ao->waiter->cond, libxl__now() + LIBXL__MILLISECONDS(10));
}

/* Returns the record that is notified: another one if the operation was left (libxl__ao_leave). */
__attribute__((noinline)) static libxl__ao *wait_until_notified(libxl__ao *ao)
{
    libxl_ctx *ctx = ao->ctx;
    libxl__waiter waiter = {.ao = ao};
    libxl__waiter_begin(ctx, &waiter);
    ao->waiter = &waiter;
    while (!waiter.ao->notified)
        if (libxl__waiter_wait(ctx, &waiter, 0))
            stop_without_loop(waiter.ao);
    waiter.ao->waiter = NULL;
    libxl__waiter_end(ctx, &waiter);
    return waiter.ao;
}

/* The end of the initiator of a started operation: waits if the call is synchronous; unlocks. */
static int wait_or_leave(libxl__ao *ao)
{
    libxl_ctx *ctx = ao->ctx;
    assert(ao->magic == LIBXL__AO_MAGIC);
    if (ao->notify_target == LIBXL__AO_HOW) {
        libxl__ctx_leave(ctx); /* may destroy the record */
        return ERROR_ASYNC_INPROGRESS;
    }
    if (!ao->notified)
        ao = wait_until_notified(ao);
    return leave_initiator(ctx, ao, ao->rc);
}

int libxl__ao_start(libxl__ao *ao)
{
    if (ao->notify_target == LIBXL__AO_STACK)
        return leave_from_stack(ao, advance(ao));
    const uint64_t first_report = ao->ctx->deliveries.count;
    int rc = advance(ao);
    if (rc < 0 && !ao->jobs) {
        libxl__deliver_drop(ao->ctx, ao, first_report);
        return libxl__ao_abort_start(ao, rc);
    }
    ao->ctx->aos.started++;
    handle_first_result(ao, rc);
    return wait_or_leave(ao);
}

void libxl__ao_start_internal(libxl__ao *ao)
{
    handle_first_result(ao, advance(ao));
}

/* ---- running */

void libxl__ao_wake(libxl__ao *ao)
{
    if (ao->runnable || ao->complete)
        return;
    ao->runnable = true;
    TAILQ_INSERT_TAIL(&ao->ctx->aos.runnable, ao, run_link);
}

static void finish(libxl__ao *ao);

static void resume(libxl__ao *ao)
{
    if (ao->ending) {
        if (!ao->jobs)
            finish(ao);
        return;
    }
    int rc = ao->stop;
    if (!rc || ao->unwinds || ao->cls->phases)
        rc = advance(ao);
    if (rc != LIBXL__AO_WAIT)
        libxl__ao_complete(ao, rc);
}

void libxl__ao_run(libxl__ao *ao)
{
    if (!ao->runnable)
        return;
    TAILQ_REMOVE(&ao->ctx->aos.runnable, ao, run_link);
    ao->runnable = false;
    resume(ao);
}

void libxl__aos_run(libxl_ctx *ctx, libxl__turn *turn)
{
    libxl__ao *ao;
    while ((ao = TAILQ_FIRST(&ctx->aos.runnable)) && libxl__turn_goes_on(ctx, turn))
        libxl__ao_run(ao);
}

void *libxl__ao_state(libxl__ao *ao, size_t size)
{
    if (!ao->state)
        ao->state = libxl__gc_alloc(&ao->gc, size);
    return ao->state;
}

void libxl__ao_unwinds(libxl__ao *ao)
{
    ao->unwinds = true;
}

int libxl__ao_fail(libxl__ao *ao, int rc, const char *fmt, ...)
{
    if (ao->message)
        return rc;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&ao->message, fmt, args) < 0)
        ao->message = NULL;
    va_end(args);
    /* A requested stop is not an error. */
    libxl__log(ao->ctx, ao->stop && rc == ao->stop ? XTL_DEBUG : XTL_ERROR, -1, "%s: %s", ao->cls->name,
               ao->message ? ao->message : "failed");
    return rc;
}

void libxl__ao_fail_also(libxl__ao *ao, const char *fmt, ...)
{
    char *addition, *longer;
    va_list args;
    va_start(args, fmt);
    const int length = vasprintf(&addition, fmt, args);
    va_end(args);
    if (length < 0)
        return;
    libxl__log(ao->ctx, XTL_ERROR, -1, "%s: %s", ao->cls->name, addition);
    if (ao->message && asprintf(&longer, "%s; %s", ao->message, addition) >= 0) {
        free(ao->message);
        ao->message = longer;
    }
    free(addition);
}

void libxl__ao_forget_failure(libxl__ao *ao)
{
    free(ao->message);
    ao->message = NULL;
    ao->rc = 0;
}

/* ---- ending */

static void report_completion(libxl__ao *ao)
{
    libxl_event *event = &ao->event;
    memset(event, 0, offsetof(libxl_event, u)); /* not the whole union, of which a completion uses little */
    event->type = LIBXL_EVENT_TYPE_OPERATION_COMPLETE;
    event->domid = ao->subject.number;
    event->domuuid = ao->subject.uuid;
    event->for_user = ao->how.u.for_event;
    event->u.operation_complete.rc = ao->rc;
    event->u.operation_complete.message = ao->rc ? ao->message : NULL;
    if (ao->rc)
        ao->message = NULL;
    libxl__event_occurred(ao->ctx, &ao->event);
}

/* Wakes the caller, or queues the callback or the event, as the notify target says. May destroy the record. */
static void notify(libxl__ao *ao)
{
    ao->notified = true;
    switch (ao->notify_target) {
    case LIBXL__AO_STACK: return;
    case LIBXL__AO_CALLER:
        if (ao->waiter)
            libxl__waiter_wake(ao->ctx, ao->waiter);
        return;
    case LIBXL__AO_HOW:
        if (ao->how.callback)
            libxl__deliver_completion(ao->ctx, ao);
        else
            report_completion(ao);
        return;
    case LIBXL__AO_PARENT: libxl__nested_ended(ao); return;
    case LIBXL__AO_NOBODY:
        if (ao->handle)
            *ao->handle = NULL;
        libxl__ao_destroy(ao->ctx, ao);
        return;
    }
}

void libxl__ao_report_delivered(libxl_ctx *ctx, libxl__ao *ao)
{
    (void)ctx;
    if (--ao->reports == 0 && ao->complete)
        notify(ao);
}

static void finish(libxl__ao *ao)
{
    libxl__aos *aos = &ao->ctx->aos;
    release_work(ao);
    ao->complete = true;
    if (ao->live)
        TAILQ_REMOVE(&aos->live, ao, live_link);
    ao->live = false;
    if (ao->notify_target <= LIBXL__AO_HOW) {
        aos->completed++;
        aos->aborted += ao->rc == ERROR_ABORTED || ao->rc == ERROR_TIMEDOUT;
    }
    if (aos->drained && TAILQ_EMPTY(&aos->live))
        libxl__waiter_wake(ao->ctx, aos->drained);
    if (!ao->reports)
        notify(ao);
}

void libxl__ao_complete(libxl__ao *ao, int rc)
{
    assert(ao->magic == LIBXL__AO_MAGIC && !ao->complete && !ao->ending);
    assert(rc <= 0 && rc != ERROR_ASYNC_INPROGRESS);
    libxl__ao_check_error(ao, rc);
    ao->rc = rc;
    ao->ending = true;
    stop_sources(ao);
    if (!ao->jobs)
        finish(ao);
}

void libxl__ao_job_ended(libxl__ao *ao)
{
    assert(ao->jobs);
    ao->jobs--;
    libxl__ao_wake(
        ao); /* not completed here: this thread may be a worker, which must not run application code */
}

/* ---- going on in the background */

/* Whether somebody else than the library waits for the operation, and nothing of its progress is still to be delivered. */
static bool can_leave(const libxl__ao *ao)
{
    if (ao->reports || ao->delivering)
        return false;
    return ao->notify_target == LIBXL__AO_HOW || (ao->notify_target == LIBXL__AO_CALLER && ao->waiter);
}

/* Gives `to`, a new record, what the notification of the operation needs. */
static void move_notification(libxl__ao *ao, libxl__ao *to)
{
    to->notify_target = ao->notify_target;
    to->inside = ao->inside;
    to->stop = ao->stop;
    to->subject.uuid = ao->subject.uuid;
    to->message = ao->message;
    ao->message = NULL;
    if (ao->notify_target == LIBXL__AO_HOW) {
        to->how = ao->how;
    } else {
        to->waiter = ao->waiter;
        to->waiter->ao = to;
    }
}

bool libxl__ao_leave(libxl__ao *ao)
{
    libxl__ao *to = can_leave(ao) ? create_record(ao->ctx, ao->cls, ao->subject.number) : NULL;
    if (!to)
        return false;
    libxl__ao_index_remove(ao);
    move_notification(ao, to);
    ao->notify_target = LIBXL__AO_NOBODY;
    ao->handle = NULL;
    ao->progress_wanted = false;
    if (ao->report)
        ao->report->wanted = false;
    libxl__ao_complete(to, ao->rc);
    return true;
}

/* ---- stopping */

int libxl__ao_request_stop(libxl__ao *ao, int why)
{
    if (ao->stop)
        return ERROR_ABORTED;
    ao->stop = why;
    libxl__ao_wake(ao);
    return 0;
}

void libxl__aos_abort_all(libxl_ctx *ctx)
{
    libxl__ao *ao;
    TAILQ_FOREACH (ao, &ctx->aos.live, live_link)
        if (libxl__ao_request_stop(ao, ERROR_ABORTED))
            libxl__ao_wake(ao); /* what goes on in the background hurries */
}

bool libxl__aos_live(libxl_ctx *ctx)
{
    return !TAILQ_EMPTY(&ctx->aos.live);
}

void libxl__aos_open(libxl_ctx *ctx)
{
    libxl__aos *aos = &ctx->aos;
    TAILQ_INIT(&aos->live);
    TAILQ_INIT(&aos->runnable);
    aos->index = aos->first_index;
    aos->index_size = aos->index_room = sizeof(aos->first_index) / sizeof(aos->first_index[0]);
    aos->index_mask = aos->index_size - 1;
}

void libxl__aos_close(libxl_ctx *ctx)
{
    assert(TAILQ_EMPTY(&ctx->aos.live) && !ctx->aos.indexed);
    libxl__ao_records_free(ctx);
}
