/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the context and its lock, from libxl__ctx_create to libxl__ctx_destroy. The lock guards all members
 * of the context. The lock is not recursive. While a thread holds the lock, no application code runs and
 * nothing blocks.
 */
#include "libxl_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

void libxl__ctx_lock(libxl_ctx *ctx)
{
    pthread_mutex_lock(&ctx->lock);
}

static void show_queued_events(libxl_ctx *ctx)
{
    /*
     * The descriptor of libxl_ctx_fd is made readable only if the application has asked for the descriptor.
     * Threads that wait inside the library do not need it: they are woken in another way. This saves a system
     * call.
     */
    if (ctx->loop.outer_in_use)
        libxl__loop_show_events(ctx);
}

void libxl__ctx_unlock(libxl_ctx *ctx)
{
    show_queued_events(ctx);
    pthread_mutex_unlock(&ctx->lock);
}

int libxl__ctx_sleep(libxl_ctx *ctx, pthread_cond_t *cond, uint64_t deadline)
{
    show_queued_events(ctx);
    if (!deadline)
        return pthread_cond_wait(cond, &ctx->lock);
    const struct timespec until = {.tv_sec = (time_t)(deadline / LIBXL__SECONDS(1)),
                                   .tv_nsec = (long)(deadline % LIBXL__SECONDS(1))};
    return pthread_cond_clockwait(cond, &ctx->lock, CLOCK_MONOTONIC, &until);
}

/* Runs the runnable operations and makes the deliveries of `ao`. Called inside a delivery. */
static void dispatch_inside(libxl_ctx *ctx, libxl__ao *ao)
{
    libxl__turn turn = {0};
    do
        libxl__aos_run(ctx, &turn);
    while (ao && libxl__deliver_own(ctx, ao));
    if (libxl__aos_are_runnable(&ctx->aos))
        libxl__loop_look_again(ctx);
}

static void dispatch_outside(libxl_ctx *ctx, libxl__turn turn)
{
    bool more;
    do {
        libxl__aos_run(ctx, &turn);
        more = libxl__turn_goes_on(ctx, &turn) && libxl__deliveries_pending(&ctx->deliveries) &&
               libxl__deliver_one(ctx);
    } while (more);
    if (turn.over)
        libxl__loop_look_again(ctx);
    /*
     * The remaining deliveries are events for the receiver. The thread that runs the receiver makes these
     * deliveries.
     */
    else
        ctx->loop.undelivered = false;
}

void libxl__ctx_dispatch_for(libxl_ctx *ctx, libxl__ao *ao)
{
    if (libxl__deliveries_defer(ctx))
        dispatch_inside(ctx, ao);
    else if (libxl__aos_are_runnable(&ctx->aos) || libxl__deliveries_pending(&ctx->deliveries))
        dispatch_outside(ctx, (libxl__turn){0});
}

void libxl__ctx_dispatch(libxl_ctx *ctx)
{
    if (libxl__aos_are_runnable(&ctx->aos) || libxl__deliveries_pending(&ctx->deliveries))
        libxl__ctx_dispatch_for(ctx, NULL);
}

void libxl__ctx_leave(libxl_ctx *ctx)
{
    libxl__ctx_dispatch(ctx);
    libxl__ctx_unlock(ctx);
}

static int unchanged(const char *operation, int rc)
{
    (void)operation;
    return rc;
}

static const libxl__conventions own_conventions = {.started = ERROR_ASYNC_INPROGRESS, .outward = unchanged};

int libxl__ctx_create(libxl_ctx **ctx_out, xentoollog_logger *logger)
{
    *ctx_out = NULL;
    libxl_ctx *ctx = calloc(1, sizeof(*ctx));
    if (!ctx)
        return libxl__refuse_in(ERROR_NOMEM, "libxl_ctx_alloc");
    ctx->logger = logger;
    ctx->conventions = &own_conventions;
    pthread_mutex_init(&ctx->lock, NULL);
    libxl__aos_open(ctx);
    libxl__events_open(ctx);
    libxl__deliveries_open(ctx);
    libxl__hooks_open(ctx);
    libxl__workers_open(ctx);
    int rc = libxl__loop_open(ctx);
    if (!rc) {
        rc = libxl__timers_open(ctx);
        if (rc)
            libxl__loop_close(ctx);
    }
    if (rc) {
        pthread_mutex_destroy(&ctx->lock);
        free(ctx);
        return rc;
    }
    libxl__fds_mark_internal(ctx);
    *ctx_out = ctx;
    return 0;
}

int libxl__ctx_drain(libxl_ctx *ctx)
{
    libxl__ctx_lock(ctx);
    if (ctx->deliveries.under_way || libxl__delivering_here(ctx)) {
        libxl__ctx_unlock(ctx);
        return libxl__refuse(ERROR_INVAL, "libxl_ctx_free: called from a callback, or while one runs");
    }
    ctx->closing = true;
    libxl__aos_abort_all(ctx);
    libxl__waiter waiter = {.predicate = NULL};
    libxl__waiter_begin(ctx, &waiter);
    ctx->aos.drained = &waiter;
    int rc = 0;
    libxl__ctx_dispatch(ctx);
    while (!rc && libxl__aos_live(ctx))
        rc = libxl__waiter_wait(ctx, &waiter, 0);
    ctx->aos.drained = NULL;
    libxl__waiter_end(ctx, &waiter);
    dispatch_outside(ctx, (libxl__turn){.until = UINT64_MAX});
    libxl__ctx_leave(ctx);
    if (!rc)
        libxl__workers_close(ctx);
    return rc;
}

void libxl__ctx_destroy(libxl_ctx *ctx)
{
    libxl__hooks_close(ctx);
    libxl__deliveries_close(ctx);
    libxl__events_close(ctx);
    libxl__aos_close(ctx);
    libxl__timers_close(ctx);
    libxl__loop_close(ctx);
    pthread_mutex_destroy(&ctx->lock);
    free(ctx);
}

/* ---- the public functions, the counters, and the child of a fork */

int libxl_ctx_fd(libxl_ctx *ctx)
{
    libxl__ctx_lock(ctx);
    int fd = libxl__loop_use_outer(ctx);
    libxl__ctx_unlock(ctx);
    return fd;
}

int libxl_ctx_process(libxl_ctx *ctx)
{
    libxl__ctx_lock(ctx);
    int rc = libxl__loop_dispatch(ctx);
    libxl__ctx_dispatch(ctx);
    libxl__loop_hide_events(ctx);
    libxl__ctx_unlock(ctx);
    return rc;
}

void libxl__ctx_count(libxl_ctx *ctx, libxl_counters *out)
{
    *out = (libxl_counters){
        .operations_started = ctx->aos.started,
        .operations_completed = ctx->aos.completed,
        .operations_aborted = ctx->aos.aborted,
        .operations = (uint32_t)(ctx->aos.started - ctx->aos.completed),
        .events = ctx->events.queued,
        .timers = ctx->timers.count,
        .descriptors = ctx->loop.descriptors,
    };
    libxl__workers_count(ctx, out);
}

void libxl__ctx_postfork(libxl_ctx *ctx)
{
    libxl__loop_postfork(ctx);
    /* The thread that held the lock at the fork does not exist in the child. */
    pthread_mutex_init(&ctx->lock, NULL);
    ctx->closing = true;
}
