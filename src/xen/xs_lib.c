/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The transport that calls libxenstore, on the thread of xs_caller.c. Owns: ctx->xen->lib. The context's lock
 * guards everything in this file. There is one exception: while the thread carries out a batch or registers a
 * watch, only the thread uses that batch or watch.
 *
 * A call that blocks cannot be interrupted, so the calls after it must wait. The loss of the connection is
 * noticed only when a call of libxenstore fails. Therefore xs_wire.c is the usual transport.
 */
#include "xs_caller.h"
#include "xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

struct libxl__xs_lib {
    libxl__xs_caller *caller;
    /*
     * `done`: the eventfd of xs_caller.c; readable when calls are done. `events`: libxenstore's descriptor; readable
     * when watches have fired.
     */
    libxl__fd done, events;
};

static libxl__xs_caller *caller_of(const libxl_ctx *ctx)
{
    return ctx->xen->lib->caller;
}

/* ---- registering watches */

static int add_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    if (libxl__xs_link_is_down(ctx))
        return ERROR_NO_XENSTORE;
    libxl__xs_caller_queue(caller_of(ctx), libxl__xs_call_of(watch), LIBXL__XS_ADD);
    return 0;
}

static void remove_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    libxl__xs_call *call = libxl__xs_call_of(watch);
    if (libxl__xs_caller_withdraw(caller_of(ctx), call)) {
        libxl__watch_free(ctx, watch);
        return;
    }
    switch (libxl__xs_caller_state(caller_of(ctx), call)) {
    case LIBXL__XS_CALL_RUNNING: return; /* watch_done calls this function again */
    case LIBXL__XS_CALL_DONE:
        if (watch->sent && !libxl__xs_link_is_down(ctx)) {
            /* After this call the watch's events are ignored. */
            libxl__xs_caller_queue(caller_of(ctx), call, LIBXL__XS_DROP);
            return;
        }
        break;
    default: break;
    }
    libxl__watch_free(ctx, watch);
}

/* ---- events of watches, and the results of calls */

static void watch_fired(libxl_ctx *ctx, libxl__fd *source, uint32_t revents)
{
    (void)source, (void)revents;
    char **event;
    errno = 0;
    while ((event = xs_check_watch(libxl__xs_caller_watches(caller_of(ctx))))) {
        libxl__watch_event(ctx, event[XS_WATCH_PATH], event[XS_WATCH_TOKEN]);
        free(event);
        errno = 0;
    }
    if (errno != EAGAIN)
        libxl__xs_link_lost(ctx, errno ? errno : EPIPE);
}

static void connected(libxl_ctx *ctx, int error)
{
    struct libxl__xs_lib *lib = ctx->xen->lib;
    if (ctx->xen->link.state != LIBXL__XS_PROVING)
        /*
         * xenstored has not answered within the allowed second, so this answer is ignored. The next attempt connects
         * again.
         */
        return;
    if (!error && libxl__fd_register(ctx, &lib->events, xs_fileno(libxl__xs_caller_watches(lib->caller)),
                                     EPOLLIN, watch_fired))
        error = ENOMEM;
    if (error) {
        libxl__xs_link_lost(ctx, error);
        return;
    }
    libxl__fd_mark_internal(ctx, &lib->events);
    libxl__xs_link_proved(ctx);
}

static void batch_done(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    ctx->xen->transactions.ended++;
    libxl__xs_batch_ended(ctx, batch);
}

/*
 * Reports the result of registering a watch to watch.c. If the connection was lost before the watch was
 * registered, watch.c has handled the loss already.
 */
static void watch_done(libxl_ctx *ctx, libxl__watch *watch, int error)
{
    if (!watch->callback || error != ENOTCONN)
        libxl__watch_added(ctx, watch, error);
}

static void call_done(libxl_ctx *ctx, libxl__xs_call *call)
{
    const libxl__xs_call_kind kind = call->kind;
    const int error = call->errnoval;
    if (kind != LIBXL__XS_CONNECT && error == ENOTCONN && libxl__xs_link_is_up(ctx))
        libxl__xs_link_lost(ctx, error);
    if (error != ENOTCONN)
        libxl__xs_link_answered(ctx);
    switch (kind) {
    case LIBXL__XS_CONNECT: connected(ctx, error); break;
    case LIBXL__XS_PING: break;
    case LIBXL__XS_BATCH: batch_done(ctx, LIBXL__CONTAINER(call, libxl__xs_batch, call)); break;
    case LIBXL__XS_ADD: watch_done(ctx, libxl__watch_of_call(call), error); break;
    case LIBXL__XS_DROP: libxl__watch_free(ctx, libxl__watch_of_call(call)); break;
    }
}

static void receive(libxl_ctx *ctx)
{
    libxl__xs_call *call;
    while ((call = libxl__xs_caller_take(caller_of(ctx))))
        call_done(ctx, call);
}

/*
 * Checks whether the connection is lost, because libxenstore notices a loss only at a request. Does nothing
 * if there are no followed domains and no watches except the context's own, because a loss does not matter then.
 */
static void ping(libxl_ctx *ctx)
{
    if (ctx->xen->watches.count || libxl__domains_in_use(ctx))
        libxl__xs_caller_ping(caller_of(ctx));
}

static void calls_done(libxl_ctx *ctx, libxl__fd *source, uint32_t revents)
{
    (void)source, (void)revents;
    receive(ctx);
}

/* ---- running batches */

/* Reserves nothing, because a batch can be queued for the thread without allocating memory. */
static int reserve(libxl_ctx *ctx, libxl__xs_batch *batch, uint32_t requests, size_t octets)
{
    (void)ctx, (void)batch, (void)requests, (void)octets;
    return 0;
}

static void release(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    (void)ctx, (void)batch;
}

static int run(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    if (libxl__xs_link_is_down(ctx))
        return ERROR_NO_XENSTORE;
    libxl__xs_caller_queue(caller_of(ctx), &batch->call, LIBXL__XS_BATCH);
    return 0;
}

static bool is_queued(const libxl_ctx *ctx, const libxl__xs_batch *batch)
{
    return libxl__xs_caller_state(caller_of(ctx), &batch->call) == LIBXL__XS_CALL_QUEUED;
}

static bool withdraw(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    return libxl__xs_caller_withdraw(caller_of(ctx), &batch->call);
}

/* Always returns false: only the thread knows whether the commit has been sent. */
static bool uncommitted(const libxl__xs_batch *batch)
{
    (void)batch;
    return false;
}

/* ---- connecting, opening and closing */

static int connect_lib(libxl_ctx *ctx)
{
    snprintf(ctx->xen->link.address, sizeof(ctx->xen->link.address), "by libxenstore");
    libxl__xs_caller_connect(caller_of(ctx));
    return 0;
}

/*
 * Ends a queued call after the connection was lost. A call that registers a watch is ignored, because watch.c
 * handles such watches.
 */
static void call_off(libxl_ctx *ctx, libxl__xs_call *call)
{
    libxl__xs_batch *batch = LIBXL__CONTAINER(call, libxl__xs_batch, call);
    if (call->kind == LIBXL__XS_BATCH) {
        libxl__xs_failed(batch, STAILQ_FIRST(&batch->requests), ENOTCONN);
        batch_done(ctx, batch);
    } else if (call->kind == LIBXL__XS_DROP) {
        libxl__watch_free(ctx, libxl__watch_of_call(call));
    }
}

static void disconnect_lib(libxl_ctx *ctx)
{
    struct libxl__xs_calls calls = STAILQ_HEAD_INITIALIZER(calls);
    libxl__xs_call *call;
    libxl__fd_deregister(ctx, &ctx->xen->lib->events);
    libxl__xs_caller_withdraw_all(caller_of(ctx), &calls);
    while ((call = STAILQ_FIRST(&calls))) {
        STAILQ_REMOVE_HEAD(&calls, link);
        call_off(ctx, call);
    }
}

/*
 * Called for a call that is still running when the context is freed. Makes sure that the context does not
 * free the batch or watch of the call. If the call has a batch, the batch's operation has ended already.
 */
static void left_behind(libxl_ctx *ctx, libxl__xs_call *call)
{
    if (call->kind == LIBXL__XS_BATCH)
        libxl__xs_spare_leave(ctx, LIBXL__CONTAINER(call, libxl__xs_batch, call));
    if (call->kind == LIBXL__XS_ADD || call->kind == LIBXL__XS_DROP)
        libxl__watch_leave(ctx, libxl__watch_of_call(call));
}

static void close_lib(libxl_ctx *ctx)
{
    struct libxl__xs_lib *lib = ctx->xen->lib;
    struct libxl__xs_calls calls = STAILQ_HEAD_INITIALIZER(calls);
    libxl__xs_call *call;
    libxl__fd_deregister(ctx, &lib->done);
    libxl__xs_caller_stop(ctx, lib->caller, left_behind, &calls);
    while ((call = STAILQ_FIRST(&calls))) {
        STAILQ_REMOVE_HEAD(&calls, link);
        if (call->kind == LIBXL__XS_BATCH) /* libxl__watches_close frees the watches */
            libxl__xs_batch_ended(ctx, LIBXL__CONTAINER(call, libxl__xs_batch, call));
    }
    free(lib);
    ctx->xen->lib = NULL;
}

static int open_lib(libxl_ctx *ctx)
{
    struct libxl__xs_lib *lib = ctx->xen->lib = calloc(1, sizeof(*lib));
    if (!lib)
        return libxl__refuse_in(ERROR_NOMEM, "libxl_ctx_alloc");
    int rc = libxl__xs_caller_start(&lib->caller);
    if (!rc) {
        rc = libxl__fd_register(ctx, &lib->done, libxl__xs_caller_fd(lib->caller), EPOLLIN, calls_done);
        if (!rc)
            return 0;
        close_lib(ctx);
        return rc;
    }
    free(lib);
    ctx->xen->lib = NULL;
    return rc;
}

static void count(libxl_ctx *ctx, libxl_counters *out)
{
    out->threads++;
    out->jobs += libxl__xs_caller_unfinished(caller_of(ctx));
}

static void postfork(libxl_ctx *ctx)
{
    libxl__xs_caller_postfork(caller_of(ctx));
}

const libxl__xs_transport libxl__xs_lib = {
    .watch_room = sizeof(libxl__xs_call),
    .open = open_lib,
    .close = close_lib,
    .connect = connect_lib,
    .ping = ping,
    .receive = receive,
    .disconnect = disconnect_lib,
    .count = count,
    .postfork = postfork,
    .reserve = reserve,
    .release = release,
    .run = run,
    .is_queued = is_queued,
    .withdraw = withdraw,
    .uncommitted = uncommitted,
    .add_watch = add_watch,
    .remove_watch = remove_watch,
};
