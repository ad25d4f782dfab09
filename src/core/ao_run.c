/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs, stops, completes and destroys the operations that ao.c has started. ao.h shows the states of an
 * operation.
 *
 * Owns: nothing. ao.c says which users free a record. The context's lock guards everything, except records on
 * the stack.
 */
#include "libxl_internal.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- destroying operations */

static void stop_sources(libxl__ao *ao)
{
    libxl__source *source;
    while ((source = SLIST_FIRST(&ao->sources)))
        libxl__source_stop(ao->ctx, source);
}

void libxl__ao_release_work(libxl__ao *ao)
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
    libxl__ao_report_free(ao);
    libxl__ao_record_put(ctx, ao);
}

void libxl__ao_discard(libxl__ao *ao)
{
    libxl__ao_release_work(ao);
    libxl__ao_destroy(ao->ctx, ao);
}

/* ---- completing operations */

static void report_completion(libxl__ao *ao)
{
    libxl_event *event = &ao->event;
    memset(event, 0, offsetof(libxl_event, u)); /* clears only the members before the union, which is large */
    event->type = LIBXL_EVENT_TYPE_OPERATION_COMPLETE;
    event->domid = ao->subject.number;
    event->domuuid = ao->subject.uuid;
    event->for_user = ao->how.u.for_event;
    event->u.operation_complete.rc = libxl__ao_outward(ao, ao->rc);
    /* libxl__event_discard does not free a message from libxl__error_words, which is static. */
    event->u.operation_complete.message = ao->rc ? (char *)libxl__ao_words(ao, ao->rc) : NULL;
    if (ao->rc)
        ao->message = NULL;
    libxl__event_occurred(ao->ctx, &ao->event);
}

/*
 * Notifies the operation's notify target: wakes the caller, queues the callback or the event, or notifies the
 * parent. May destroy the record.
 */
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
    libxl__ao_release_work(ao);
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
    libxl__ao_describe_failure(ao, rc);
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
    /*
     * This function only wakes the operation, because this thread may be a worker. A completion may run
     * application code, which a worker must not do.
     */
    libxl__ao_wake(ao);
}

/* ---- running operations */

void libxl__ao_wake(libxl__ao *ao)
{
    if (ao->runnable || ao->complete)
        return;
    ao->runnable = true;
    TAILQ_INSERT_TAIL(&ao->ctx->aos.runnable, ao, run_link);
}

static void resume(libxl__ao *ao)
{
    if (ao->ending) {
        if (!ao->jobs)
            finish(ao);
        return;
    }
    int rc = ao->stop;
    if (!rc || ao->cls->phases)
        rc = libxl__ao_advance(ao);
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

/* ---- stopping operations */

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
        /* If a stop was requested before, wakes the operation, so that its undo sees that the context is closing. */
        if (libxl__ao_request_stop(ao, ERROR_ABORTED))
            libxl__ao_wake(ao);
}

bool libxl__aos_live(libxl_ctx *ctx)
{
    return !TAILQ_EMPTY(&ctx->aos.live);
}
