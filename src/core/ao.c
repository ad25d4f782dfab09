/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the life of every operation, from create to destroy; ao.h draws it. Guarded by the context's lock.
 *
 * Who frees a record: its synchronous caller, or the delivery of its callback, or whoever takes its event.
 * Each of these happens once and last, so nobody else needs to hold the record.
 */
#include "libxl_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct libxl__ao_report {
    libxl_event *event;
    STAILQ_ENTRY(libxl__ao_report) link;
};

/* ---- sources */

void libxl__source_attach(libxl__ao *ao, libxl__source *source,
                          void (*stop)(libxl_ctx *ctx, libxl__source *source))
{
    source->ao = ao;
    source->stop = stop;
    source->fired = false;
    LIST_INSERT_HEAD(&ao->sources, source, link);
}

void libxl__source_stop(libxl_ctx *ctx, libxl__source *source)
{
    if (!source->ao)
        return;
    LIST_REMOVE(source, link);
    source->ao = NULL;
    source->stop(ctx, source);
}

void libxl__source_fire(libxl__source *source)
{
    source->fired = true;
    libxl__ao_wake(source->ao);
}

static void alarm_stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__timer_stop(ctx, &((libxl__alarm *)source)->timer);
}

static void alarm_rings(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)ctx;
    libxl__source_fire(&((libxl__alarm *)((char *)timer - offsetof(libxl__alarm, timer)))->source);
}

int libxl__alarm_set(libxl__ao *ao, libxl__alarm *alarm, uint64_t delay_ns)
{
    int rc = libxl__timer_start(ao->ctx, &alarm->timer, delay_ns, alarm_rings);
    if (rc)
        return rc;
    if (!alarm->source.ao)
        libxl__source_attach(ao, &alarm->source, alarm_stop);
    alarm->source.fired = false;
    return 0;
}

/* ---- starting */

static void prepare(libxl__ao *ao, libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t domid)
{
    ao->magic = LIBXL__AO_MAGIC;
    ao->in_initiator = true;
    ao->ctx = ctx;
    ao->cls = cls;
    ao->domid = domid;
    STAILQ_INIT(&ao->reports);
    LIST_INIT(&ao->sources);
}

static int refused(libxl_ctx *ctx, int rc)
{
    libxl__ctx_unlock(ctx);
    libxl__error_message_set(rc, NULL);
    return rc;
}

int libxl__ao_create(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t domid, const libxl_asyncop_how *how,
                     libxl__ao **ao_out)
{
    libxl__ctx_lock(ctx);
    if (ctx->closing)
        return refused(ctx, ERROR_CLOSED);
    libxl__ao *ao = libxl__ao_record_get(ctx, cls);
    if (!ao)
        return refused(ctx, ERROR_NOMEM);
    prepare(ao, ctx, cls, domid);
    if (how) {
        ao->asynchronous = true;
        ao->how = *how;
    }
    *ao_out = ao;
    return 0;
}

libxl__ao *libxl__ao_create_nested(libxl__ao *parent, struct libxl__nested *nested,
                                   const libxl__ao_class *cls)
{
    libxl__ao *ao = libxl__ao_record_get(parent->ctx, cls);
    if (!ao)
        return NULL;
    prepare(ao, parent->ctx, cls, parent->domid);
    ao->parent = parent;
    ao->nested = nested;
    return ao;
}

libxl__ao *libxl__ao_create_background(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t domid,
                                       libxl__ao **handle)
{
    libxl__ao *ao = libxl__ao_record_get(ctx, cls);
    if (!ao)
        return NULL;
    prepare(ao, ctx, cls, domid);
    ao->background = handle;
    return ao;
}

void *libxl__ao_args(libxl__ao *ao)
{
    return ao->args;
}

void libxl__ao_progress_how(libxl__ao *ao, const libxl_asyncprogress_how *how)
{
    if (!how)
        return;
    ao->progress_wanted = true;
    ao->progress_how = *how;
}

static void stop_sources(libxl__ao *ao)
{
    libxl__source *source;
    while ((source = LIST_FIRST(&ao->sources)))
        libxl__source_stop(ao->ctx, source);
}

/* Gives back all that the work needed; what the notification needs stays. */
static void release_work(libxl__ao *ao)
{
    stop_sources(ao);
    libxl__timer_stop(ao->ctx, &ao->limit);
    libxl__ao_index_remove(ao);
    if (ao->cls->dispose)
        ao->cls->dispose(ao->args);
    libxl__gc_end(&ao->gc);
}

void libxl__ao__destroy(libxl_ctx *ctx, libxl__ao *ao)
{
    assert(ao->magic == LIBXL__AO_MAGIC);
    ao->magic = LIBXL__AO_MAGIC_DESTROYED;
    struct libxl__ao_report *report;
    while ((report = STAILQ_FIRST(&ao->reports))) { /* of one that failed to start */
        STAILQ_REMOVE_HEAD(&ao->reports, link);
        libxl__event_discard(ctx, report->event);
        free(report);
    }
    free(ao->message);
    libxl__ao_record_put(ctx, ao);
}

libxl__ao *libxl__ao_of_event(libxl_event *event)
{
    return (libxl__ao *)((char *)event - offsetof(libxl__ao, event));
}

int libxl__ao_abort_start(libxl__ao *ao, int rc)
{
    libxl_ctx *ctx = ao->ctx;
    assert(rc && ao->in_initiator && !ao->complete);
    libxl__error_message_set(rc, ao->message);
    release_work(ao);
    if (ao->deliverable)
        STAILQ_REMOVE(&ctx->aos.deliverable, ao, libxl__ao, deliver_link);
    libxl__ao__destroy(ctx, ao);
    libxl__ctx_leave(ctx);
    return rc;
}

static void limit_reached(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)ctx;
    libxl__ao *ao = (libxl__ao *)((char *)timer - offsetof(libxl__ao, limit));
    if (ao->stop)
        return;
    ao->stop = ERROR_TIMEDOUT;
    libxl__ao_wake(ao);
}

/* It waits: now it can be found, aborted and limited. */
static void enter_progress(libxl__ao *ao)
{
    TAILQ_INSERT_TAIL(&ao->ctx->aos.live, ao, live_link);
    if (ao->asynchronous)
        libxl__ao_index_add(ao);
    if (ao->cls->limit_ms &&
        libxl__timer_start(ao->ctx, &ao->limit, LIBXL__MILLISECONDS(ao->cls->limit_ms), limit_reached)) {
        ao->stop = ERROR_NOMEM;
        libxl__ao_wake(ao);
    }
}

int libxl__ao_start(libxl__ao *ao)
{
    int rc = ao->asynchronous && ao->cls->slow ? libxl__hooks_need_loop(ao->ctx) : 0;
    if (rc)
        return libxl__ao_abort_start(ao, rc);
    rc = ao->cls->body(ao, ao->args);
    if (rc < 0 && !ao->jobs)
        return libxl__ao_abort_start(ao, rc);
    ao->ctx->aos.started++;
    if (rc == LIBXL__AO_WAIT || ao->jobs)
        enter_progress(ao);
    if (rc != LIBXL__AO_WAIT)
        libxl__ao_complete(ao, rc);
    return libxl__ao_inprogress(ao);
}

void libxl__ao_start_nested(libxl__ao *ao)
{
    int rc = ao->cls->body(ao, ao->args);
    ao->in_initiator = false;
    if (rc == LIBXL__AO_WAIT || ao->jobs)
        enter_progress(ao);
    if (rc != LIBXL__AO_WAIT)
        libxl__ao_complete(ao, rc);
}

static int wait_until_complete(libxl__ao *ao)
{
    libxl_ctx *ctx = ao->ctx;
    libxl__waiter waiter = {.predicate = NULL};
    libxl__waiter_begin(ctx, &waiter);
    ao->waiter = &waiter;
    while (!ao->notified)
        /* A broken loop cannot be waited with: then the operation is asked to stop, and its jobs still end
         * it. */
        if (libxl__waiter_wait(ctx, &waiter, 0) && !ao->stop) {
            ao->stop = ERROR_FAIL;
            libxl__ao_wake(ao);
        }
    ao->waiter = NULL;
    libxl__waiter_end(ctx, &waiter);
    return ao->rc;
}

int libxl__ao_inprogress(libxl__ao *ao)
{
    libxl_ctx *ctx = ao->ctx;
    assert(ao->magic == LIBXL__AO_MAGIC && ao->in_initiator);
    int rc = ERROR_ASYNC_INPROGRESS;
    if (ao->asynchronous) {
        ao->in_initiator = false;
        libxl__ctx_leave(ctx);
        return rc;
    }
    rc = ao->notified ? ao->rc : wait_until_complete(ao);
    if (rc)
        libxl__error_message_set(rc, ao->message);
    libxl__ao__destroy(ctx, ao);
    libxl__ctx_leave(ctx);
    return rc;
}

/* ---- running */

void libxl__ao_wake(libxl__ao *ao)
{
    if (ao->runnable || ao->complete)
        return;
    ao->runnable = true;
    STAILQ_INSERT_TAIL(&ao->ctx->aos.runnable, ao, run_link);
}

static void run(libxl__ao *ao)
{
    int rc = ao->stop;
    if (ao->ending)
        return;
    if (!rc || ao->unwinds)
        rc = ao->cls->body(ao, ao->args);
    if (rc != LIBXL__AO_WAIT)
        libxl__ao_complete(ao, rc);
}

void libxl__aos_run(libxl_ctx *ctx)
{
    libxl__ao *ao;
    while ((ao = STAILQ_FIRST(&ctx->aos.runnable))) {
        STAILQ_REMOVE_HEAD(&ctx->aos.runnable, run_link);
        ao->runnable = false;
        run(ao);
    }
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
    libxl__log(ao->ctx, XTL_ERROR, -1, "%s: %s", ao->cls->name, ao->message ? ao->message : "failed");
    return rc;
}

/* ---- ending */

static void stand_in_line(libxl__ao *ao)
{
    if (!ao->deliverable)
        STAILQ_INSERT_TAIL(&ao->ctx->aos.deliverable, ao, deliver_link);
    ao->deliverable = true;
}

/* The one place where a completion becomes a woken caller, a callback or an event. */
static void notify(libxl__ao *ao)
{
    libxl_ctx *ctx = ao->ctx;
    if (ao->deliverable)
        return; /* progress reports go first; the last one's delivery comes back here */
    ao->notified = true;
    if (ao->parent) {
        libxl__nested_ended(ao);
    } else if (ao->background) {
        *ao->background = NULL;
        libxl__ao__destroy(ctx, ao);
    } else if (!ao->asynchronous) {
        if (ao->waiter)
            libxl__waiter_wake(ctx, ao->waiter);
    } else if (ao->how.callback) {
        stand_in_line(ao);
    } else {
        ao->event.type = LIBXL_EVENT_TYPE_OPERATION_COMPLETE;
        ao->event.domid = ao->domid;
        ao->event.for_user = ao->how.u.for_event;
        ao->event.u.operation_complete.rc = ao->rc;
        if (ao->rc) {
            ao->event.u.operation_complete.message = ao->message;
            ao->message = NULL;
        }
        libxl__event_occurred(ctx, &ao->event);
    }
}

static void finish(libxl__ao *ao)
{
    libxl__aos *aos = &ao->ctx->aos;
    release_work(ao);
    ao->complete = true;
    if (ao->runnable) {
        STAILQ_REMOVE(&aos->runnable, ao, libxl__ao, run_link);
        ao->runnable = false;
    }
    if (ao->live_link.tqe_prev)
        TAILQ_REMOVE(&aos->live, ao, live_link);
    if (!ao->parent && !ao->background) {
        aos->completed++;
        aos->aborted += ao->rc == ERROR_ABORTED || ao->rc == ERROR_TIMEDOUT;
    }
    if (aos->drained && TAILQ_EMPTY(&aos->live))
        libxl__waiter_wake(ao->ctx, aos->drained);
    notify(ao);
}

void libxl__ao_complete(libxl__ao *ao, int rc)
{
    assert(ao->magic == LIBXL__AO_MAGIC && !ao->complete && !ao->ending);
    assert(rc <= 0 && rc != ERROR_ASYNC_INPROGRESS);
    ao->rc = rc;
    ao->ending = true;
    stop_sources(ao);
    if (!ao->jobs)
        finish(ao);
}

void libxl__ao_job_ended(libxl__ao *ao)
{
    assert(ao->jobs);
    if (--ao->jobs == 0 && ao->ending)
        finish(ao);
}

/* ---- delivering to the application */

void libxl__ao_progress(libxl__ao *ao, libxl_event_type type)
{
    if (!ao->progress_wanted)
        return;
    libxl_event *event = libxl__event_new(ao->ctx, type, ao->domid, ao->progress_how.u.for_event);
    if (!event)
        return; /* a report may be missed; a completion never */
    if (!ao->progress_how.callback) {
        libxl__event_occurred(ao->ctx, event);
        return;
    }
    struct libxl__ao_report *report = malloc(sizeof(*report));
    if (!report) {
        libxl__event_discard(ao->ctx, event);
        return;
    }
    report->event = event;
    STAILQ_INSERT_TAIL(&ao->reports, report, link);
    stand_in_line(ao);
}

static void deliver_report(libxl_ctx *ctx, libxl__ao *ao)
{
    struct libxl__ao_report *report = STAILQ_FIRST(&ao->reports);
    STAILQ_REMOVE_HEAD(&ao->reports, link);
    libxl_asyncprogress_how how = ao->progress_how;
    libxl__ctx_unlock(ctx);
    how.callback(ctx, report->event, how.u.for_callback);
    free(report);
    libxl__ctx_lock(ctx);
}

static void deliver_completion(libxl_ctx *ctx, libxl__ao *ao)
{
    libxl_asyncop_how how = ao->how;
    int rc = ao->rc;
    libxl__ctx_unlock(ctx);
    libxl__error_message_set(rc, rc ? ao->message : NULL);
    how.callback(ctx, rc, how.u.for_callback);
    libxl__ctx_lock(ctx);
    libxl__ao__destroy(ctx, ao);
}

/*
 * While one of an operation's reports is under way the operation stays marked deliverable, so that no other
 * thread can overtake it: its reports and its completion reach the application one after the other.
 */
bool libxl__aos_deliver_one(libxl_ctx *ctx)
{
    libxl__aos *aos = &ctx->aos;
    libxl__ao *ao = STAILQ_FIRST(&aos->deliverable);
    if (!ao)
        return libxl__hooks_deliver_one(ctx);
    STAILQ_REMOVE_HEAD(&aos->deliverable, deliver_link);
    libxl__loop_hand_over(ctx);
    aos->delivering++;
    if (STAILQ_EMPTY(&ao->reports)) {
        deliver_completion(ctx, ao);
    } else {
        deliver_report(ctx, ao);
        ao->deliverable = false;
        if (!STAILQ_EMPTY(&ao->reports))
            stand_in_line(ao);
        else if (ao->complete)
            notify(ao);
    }
    aos->delivering--;
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

int libxl_ao_abort(libxl_ctx *ctx, const libxl_asyncop_how *how)
{
    libxl__ctx_lock(ctx);
    libxl__ao *ao = libxl__ao_index_find(ctx, how);
    int rc = ao ? libxl__ao_request_stop(ao, ERROR_ABORTED) : ERROR_NOTFOUND;
    libxl__ctx_leave(ctx);
    return rc;
}

int libxl_ao_set_limit(libxl_ctx *ctx, const libxl_asyncop_how *how, unsigned milliseconds)
{
    libxl__ctx_lock(ctx);
    libxl__ao *ao = libxl__ao_index_find(ctx, how);
    int rc = ao ? 0 : ERROR_NOTFOUND;
    if (ao && milliseconds)
        rc = libxl__timer_start(ctx, &ao->limit, LIBXL__MILLISECONDS(milliseconds), limit_reached);
    else if (ao)
        libxl__timer_stop(ctx, &ao->limit);
    libxl__ctx_leave(ctx);
    return rc;
}

void libxl__aos_abort_all(libxl_ctx *ctx)
{
    libxl__ao *ao;
    TAILQ_FOREACH(ao, &ctx->aos.live, live_link)
    libxl__ao_request_stop(ao, ERROR_ABORTED);
}

bool libxl__aos_live(libxl_ctx *ctx)
{
    return !TAILQ_EMPTY(&ctx->aos.live);
}

bool libxl__aos_delivering(libxl_ctx *ctx)
{
    return ctx->aos.delivering > 0;
}

void libxl__aos_open(libxl_ctx *ctx)
{
    libxl__aos *aos = &ctx->aos;
    TAILQ_INIT(&aos->live);
    STAILQ_INIT(&aos->runnable);
    STAILQ_INIT(&aos->deliverable);
    aos->index = aos->first_index;
    aos->index_size = sizeof(aos->first_index) / sizeof(aos->first_index[0]);
}

void libxl__aos_close(libxl_ctx *ctx)
{
    libxl__aos *aos = &ctx->aos;
    assert(TAILQ_EMPTY(&aos->live) && !aos->indexed);
    libxl__ao_records_free(ctx);
}
