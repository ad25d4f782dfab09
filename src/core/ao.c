/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Creates and starts operations, and waits for the synchronous ones. ao_run.c runs, completes and destroys
 * operations. ao.h shows the states.
 *
 * Owns: every record in use. The context's lock guards the records. It does not guard a record on a thread's
 * stack, because no other thread uses that record.
 *
 * The last user of a record frees it, exactly once. The last user is the synchronous caller, the delivery of the
 * completion callback, the thread that frees the completion event, the parent, or the background operation itself. So
 * records need no reference count.
 */
#include "libxl_internal.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- creating and starting operations */

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

static int refuse_start(const libxl__ao_class *cls, int rc)
{
    return libxl__refuse_in(rc, cls->name);
}

static int unlock_and_refuse(libxl_ctx *ctx, const libxl__ao_class *cls, int rc)
{
    libxl__ctx_unlock(ctx);
    return refuse_start(cls, rc);
}

int libxl__ao_create(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number,
                     const libxl_asyncop_how *how, libxl__ao **ao_out)
{
    libxl__ctx_lock(ctx);
    int rc = how && (cls->slow || !how->callback) ? libxl__hooks_need_loop(ctx) : 0;
    if (rc || ctx->closing)
        return unlock_and_refuse(ctx, cls, rc ? rc : ERROR_CLOSED);
    libxl__ao *ao = create_record(ctx, cls, number);
    if (!ao)
        return unlock_and_refuse(ctx, cls, ERROR_NOMEM);
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
    /*
     * The record must be on the heap if the completion event becomes part of it, or if the callback is
     * deferred. A callback inside another delivery is deferred.
     */
    if (how && (!how->callback || libxl__delivering_here(ctx)))
        return libxl__ao_create(ctx, cls, number, how, ao_out);
    if (ctx->closing)
        return refuse_start(cls, ERROR_CLOSED);
    libxl__ao *ao = here;
    memset(ao, 0, LIBXL__AO_ARGS_AT + cls->args_size);
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

/*
 * A synchronous call that fails may leave an undo in the background. The application's loop then runs the
 * undo. If the context's descriptor cannot be registered with the loop, the application's next call of the
 * library runs the undo. So a failure to register is not an error here.
 */
static void leave_to_loop(libxl_ctx *ctx)
{
    if (libxl__aos_live(ctx) && !ctx->closing)
        libxl__hooks_need_loop(ctx);
}

/*
 * The last part of an initiator: destroys the record, unlocks the context, and returns the application's number for
 * the result `rc`. Sets the error message after the dispatch, because the dispatch may run callbacks that set other
 * messages.
 */
static int leave_initiator(libxl_ctx *ctx, libxl__ao *ao, int rc)
{
    if (rc)
        leave_to_loop(ctx);
    libxl__ctx_dispatch(ctx);
    if (rc)
        libxl__error_message_set(rc, ao->message);
    const int outward = libxl__ao_outward(ao, rc);
    libxl__ao_destroy(ctx, ao);
    libxl__ctx_unlock(ctx);
    return outward;
}

/*
 * The last part of an initiator whose record is on the stack. Releases the record's resources, and calls the callback
 * if there is one. Returns the initiator's return value.
 */
static int leave_from_stack(libxl__ao *ao, int rc)
{
    assert(rc <= 0 && !ao->jobs && SLIST_EMPTY(&ao->sources));
    if (rc) {
        libxl__ao_check_error(ao, rc);
        libxl__ao_describe_failure(ao, rc);
        libxl__error_message_set(rc, ao->message);
        rc = libxl__ao_outward(ao, rc);
    }
    if (ao->message)
        free(ao->message);
    if (ao->cls->dispose)
        ao->cls->dispose(ao->args);
    libxl__gc_end(&ao->gc);
    if (rc || !ao->how.callback)
        return rc;
    libxl__deliver_at_once(ao->ctx, &ao->how);
    return ao->ctx->conventions->started;
}

int libxl__ao_abort_start(libxl__ao *ao, int rc)
{
    assert(rc && !ao->complete);
    if (ao->notify_target == LIBXL__AO_STACK)
        return leave_from_stack(ao, rc);
    libxl__ao_check_error(ao, rc);
    libxl__ao_describe_failure(ao, rc);
    libxl__ao_release_work(ao);
    return leave_initiator(ao->ctx, ao, rc);
}

static unsigned limit_of(const libxl__ao *ao)
{
    const unsigned limit_ms = ao->notify_target == LIBXL__AO_CALLER ? ao->ctx->aos.sync_limit_ms : 0;
    return limit_ms ? limit_ms : ao->cls->limit_ms;
}

/*
 * Puts a waiting operation into the list of operations in progress. The functions that find, abort, limit and
 * list operations use this list.
 */
static void enter_progress(libxl__ao *ao)
{
    const unsigned limit_ms = limit_of(ao);
    ao->since = libxl__now();
    libxl__ao_log(ao, XTL_DEBUG, -1, "%s: in progress", ao->cls->name);
    TAILQ_INSERT_TAIL(&ao->ctx->aos.live, ao, live_link);
    ao->live = true;
    if (ao->notify_target == LIBXL__AO_HOW)
        libxl__ao_index_add(ao);
    if (libxl__ao_limit(ao, limit_ms))
        libxl__ao_request_stop(ao, ERROR_NOMEM);
    /* libxl__aos_abort_all has run before this operation was started, for example by an undo. */
    if (ao->ctx->closing)
        libxl__ao_request_stop(ao, ERROR_ABORTED);
}

/* Handles the result of the operation's first run. */
static void handle_first_result(libxl__ao *ao, int rc)
{
    if (rc == LIBXL__AO_WAIT || ao->jobs)
        enter_progress(ao);
    if (rc != LIBXL__AO_WAIT)
        libxl__ao_complete(ao, rc);
}

int libxl__ao_advance(libxl__ao *ao)
{
    const int rc = ao->cls->phases ? libxl__phases_run(ao) : ao->cls->body(ao, ao->args);
    if (rc == LIBXL__AO_WAIT)
        libxl__ao_check_wait(ao);
    return rc;
}

/*
 * Called when polling has failed, so sources do not fire any more. Asks the operation to stop and runs it. If the
 * operation does not end at once, sleeps for 10 ms. In this time a job of the operation may end, and with it the
 * operation.
 */
static void stop_without_loop(libxl__ao *ao)
{
    libxl__ao_request_stop(ao, ERROR_FAIL);
    libxl__ctx_dispatch_for(ao->ctx, ao);
    if (!ao->notified)
        libxl__ctx_sleep(ao->ctx, &ao->waiter->cond, libxl__now() + LIBXL__MILLISECONDS(10));
}

/*
 * Waits until the operation has completed, and returns the record with the result. If the undo goes on in the
 * background (libxl__ao_leave), the returned record is a new one.
 */
__attribute__((noinline)) static libxl__ao *wait_until_notified(libxl__ao *ao)
{
    libxl_ctx *ctx = ao->ctx;
    libxl__waiter waiter = {.ao = ao};
    libxl__waiter_begin(ctx, &waiter);
    /* cppcheck-suppress autoVariables; ao->waiter is set to NULL before this function returns */
    ao->waiter = &waiter;
    while (!waiter.ao->notified)
        if (libxl__waiter_wait(ctx, &waiter, 0))
            stop_without_loop(waiter.ao);
    waiter.ao->waiter = NULL;
    libxl__waiter_end(ctx, &waiter);
    return waiter.ao;
}

/*
 * The last part of an initiator that has started its operation. Waits for the completion if the call is synchronous.
 * Unlocks the context, and returns the initiator's return value.
 */
static int wait_or_leave(libxl__ao *ao)
{
    libxl_ctx *ctx = ao->ctx;
    assert(ao->magic == LIBXL__AO_MAGIC);
    if (ao->notify_target == LIBXL__AO_HOW) {
        libxl__ctx_leave(ctx); /* this call may free the operation's record */
        return ctx->conventions->started;
    }
    if (!ao->notified)
        ao = wait_until_notified(ao);
    return leave_initiator(ctx, ao, ao->rc);
}

int libxl__ao_start(libxl__ao *ao)
{
    if (ao->notify_target == LIBXL__AO_STACK)
        return leave_from_stack(ao, libxl__ao_advance(ao));
    const uint64_t first_report = ao->ctx->deliveries.count;
    int rc = libxl__ao_advance(ao);
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
    handle_first_result(ao, libxl__ao_advance(ao));
}

int libxl__ao_start_background(libxl__ao *ao, const char *where)
{
    const int rc = libxl__ao_advance(ao);
    if (rc != LIBXL__AO_WAIT)
        libxl__refuse(rc ? rc : ERROR_FAIL, "%s: %s", where, libxl__ao_words(ao, rc ? rc : ERROR_FAIL));
    handle_first_result(ao, rc);
    return rc == LIBXL__AO_WAIT ? 0 : rc ? rc : ERROR_FAIL;
}

/* ---- completing an operation while its undo goes on in the background */

/*
 * Returns whether the operation may complete while its undo goes on: the application waits for the operation,
 * and no progress report is still to be delivered.
 */
static bool can_leave(const libxl__ao *ao)
{
    if (ao->reports || ao->delivering)
        return false;
    return ao->notify_target == LIBXL__AO_HOW || (ao->notify_target == LIBXL__AO_CALLER && ao->waiter);
}

/* Moves the data for the notification from `ao` into the new record `to`. */
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

void libxl__aos_open(libxl_ctx *ctx)
{
    libxl__aos *aos = &ctx->aos;
    TAILQ_INIT(&aos->live);
    TAILQ_INIT(&aos->runnable);
    libxl__ao_index_open(ctx);
}

void libxl__aos_close(libxl_ctx *ctx)
{
    assert(TAILQ_EMPTY(&ctx->aos.live) && !ctx->aos.index.count);
    libxl__ao_records_free(ctx);
}
