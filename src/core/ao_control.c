/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The requests that an application can make to operations in progress: abort, time limit, progress reports,
 * list.
 *
 * Owns: nothing. Operations own their timers and reports. The public functions take the context's lock. All
 * other functions are called with the lock held.
 */
#include "libxl_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- time limits of operations */

static void limit_reached(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)ctx;
    libxl__ao_request_stop(LIBXL__CONTAINER(timer, libxl__ao, limit), ERROR_TIMEDOUT);
}

int libxl__ao_limit(libxl__ao *ao, unsigned milliseconds)
{
    ao->limit_ms = milliseconds;
    if (milliseconds)
        return libxl__timer_start(ao->ctx, &ao->limit, LIBXL__MILLISECONDS(milliseconds), limit_reached);
    libxl__timer_stop(ao->ctx, &ao->limit);
    return 0;
}

static int limit_one(libxl__ao *ao, void *milliseconds)
{
    return libxl__ao_limit(ao, *(const unsigned *)milliseconds);
}

/* ---- finding an operation by its `how` */

/*
 * Calls `act` for the operation that `how` names. `how` NULL: calls `act` for each synchronous call. Returns
 * the result of `act`, or NOTFOUND if there is no such operation.
 */
static int act_on(libxl_ctx *ctx, const libxl_asyncop_how *how, int (*act)(libxl__ao *ao, void *argument),
                  void *argument)
{
    libxl__ao *ao = how ? libxl__ao_index_find(ctx, how) : NULL;
    if (how)
        return ao ? act(ao, argument) : ERROR_NOTFOUND;
    int result = ERROR_NOTFOUND;
    TAILQ_FOREACH (ao, &ctx->aos.live, live_link) {
        if (ao->notify_target != LIBXL__AO_CALLER)
            continue;
        const int rc = act(ao, argument);
        if (result == ERROR_NOTFOUND || rc < 0)
            result = rc;
    }
    return result;
}

static int refuse_control(int rc, const char *function)
{
    if (rc == ERROR_NOTFOUND)
        return libxl__refuse(rc, "no operation in progress was started with this `how` (%s)", function);
    if (rc == ERROR_ABORTED)
        return libxl__refuse(rc, "the operation was asked to stop before (%s)", function);
    return libxl__refuse_in(rc, function);
}

static int abort_one(libxl__ao *ao, void *argument)
{
    (void)argument;
    return libxl__ao_request_stop(ao, ERROR_ABORTED);
}

int libxl_ao_abort(libxl_ctx *ctx, const libxl_asyncop_how *how)
{
    libxl__ctx_lock(ctx);
    const int rc = act_on(ctx, how, abort_one, NULL);
    libxl__ctx_leave(ctx);
    return refuse_control(rc, "libxl_ao_abort");
}

int libxl_ao_set_limit(libxl_ctx *ctx, const libxl_asyncop_how *how, unsigned milliseconds)
{
    libxl__ctx_lock(ctx);
    int rc = act_on(ctx, how, limit_one, &milliseconds);
    if (!how) {
        ctx->aos.sync_limit_ms = milliseconds;
        rc = rc == ERROR_NOTFOUND ? 0 : rc;
    }
    libxl__ctx_leave(ctx);
    return refuse_control(rc, "libxl_ao_set_limit");
}

static int report_one(libxl__ao *ao, void *how)
{
    return libxl__ao_report_to(ao, how);
}

int libxl_ao_set_progress(libxl_ctx *ctx, const libxl_asyncop_how *how,
                          const libxl_asyncprogress_how *progress)
{
    libxl_asyncprogress_how copy;
    if (!how)
        return libxl__refuse(ERROR_INVAL, "how: NULL");
    if (progress)
        copy = *progress;
    libxl__ctx_lock(ctx);
    const int rc = act_on(ctx, how, report_one, progress ? &copy : NULL);
    libxl__ctx_leave(ctx);
    return refuse_control(rc, "libxl_ao_set_progress");
}

/* ---- listing the operations in progress */

/* Nested operations are not listed, because they are part of their parent's phase. Event generators are not listed,
 * because they are not operations of the application. */
static bool is_listed(const libxl__ao *ao)
{
    switch (ao->notify_target) {
    case LIBXL__AO_CALLER:
    case LIBXL__AO_HOW: return true;
    case LIBXL__AO_NOBODY: return !ao->handle;
    default: return false;
    }
}

libxl_operation_state libxl__ao_doing(const libxl__ao *ao)
{
    if (ao->notify_target == LIBXL__AO_NOBODY)
        return LIBXL_OPERATION_STATE_BACKGROUND;
    if (ao->phase.undoing)
        return LIBXL_OPERATION_STATE_UNDOING;
    return ao->stop ? LIBXL_OPERATION_STATE_STOPPING : LIBXL_OPERATION_STATE_RUNNING;
}

/* Fills in *info. Returns true, or false if there is no memory for the texts. */
static bool describe(const libxl__ao *ao, uint64_t now, libxl_operation_info *info)
{
    const struct libxl__ao_report *report = ao->report;
    const bool by_event = ao->notify_target == LIBXL__AO_HOW && !ao->how.callback;
    *info = (libxl_operation_info){
        .operation = strdup(ao->cls->name),
        .domid = ao->subject.number,
        .domuuid = ao->subject.uuid,
        .phase = strdup(ao->cls->phases ? libxl__phase_of(ao)->name : ""),
        .state = libxl__ao_doing(ao),
        .for_event = by_event ? ao->how.u.for_event : 0,
        .age_ms = (now - ao->since) / LIBXL__MILLISECONDS(1),
        .phase_ms = ao->phase.since ? (now - ao->phase.since) / LIBXL__MILLISECONDS(1) : 0,
        .index = report ? report->index : 0,
        .count = report ? report->count : 0,
        .done = report ? report->done : 0,
        .total = report ? report->total : 0,
        .unit = strdup(report && report->unit ? report->unit : ""),
    };
    return info->operation && info->phase && info->unit;
}

/* Returns an array of all listed operations; NULL if there is no memory. */
static libxl_operation_info *make_list(libxl_ctx *ctx, int *nb_out)
{
    const libxl__ao *ao;
    size_t count = 0;
    TAILQ_FOREACH (ao, &ctx->aos.live, live_link)
        count += is_listed(ao);
    /* The array has one more element than operations, so that the array of an empty list is not NULL. */
    libxl_operation_info *list = calloc(count + 1, sizeof(*list));
    const uint64_t now = libxl__now();
    bool complete = list;
    TAILQ_FOREACH (ao, &ctx->aos.live, live_link)
        if (complete && is_listed(ao))
            complete = describe(ao, now, &list[(*nb_out)++]);
    if (complete)
        return list;
    libxl_operation_info_list_free(list, *nb_out);
    *nb_out = 0;
    return NULL;
}

libxl_operation_info *libxl_ao_list(libxl_ctx *ctx, int *nb_out)
{
    *nb_out = 0;
    libxl__ctx_lock(ctx);
    libxl_operation_info *list = make_list(ctx, nb_out);
    libxl__ctx_leave(ctx);
    if (!list)
        libxl__refuse_in(ERROR_NOMEM, "libxl_ao_list");
    return list;
}

void libxl_operation_info_list_free(libxl_operation_info *list, int nb)
{
    for (int i = 0; list && i < nb; i++)
        libxl_operation_info_dispose(&list[i]);
    free(list);
}
