/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The transport that calls libxenstore. It owns ctx->xen->lib: two libxenstore handles and the lane of the xenstore worker.
 * There are two handles because libxenstore starts a reading thread for a handle that has watches.
 *
 * The lane has one worker, which makes all calls that block. While it carries out a batch or registers a watch, only the
 * worker uses that batch or watch, without the lock. The context's lock guards everything else.
 *
 * libxenstore's calls block and cannot be interrupted, and they ignore SIGPIPE in the whole process meanwhile. Therefore
 * xs_wire.c is the usual transport.
 */
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

struct libxl__xs_lib {
    struct xs_handle *requests, *watches;
    libxl__fd source;
    libxl__lane lane;
};

/* The job of a watch lies in front of it, in the memory that .watch_room asks for. */
static libxl__job *job_of(libxl__watch *watch)
{
    return (libxl__job *)(void *)watch - 1;
}

static libxl__watch *watch_of(libxl__job *job)
{
    return (libxl__watch *)(void *)(job + 1);
}

/* ---- work of the jobs: on the worker, without the lock */

static bool set_perms(struct xs_handle *xs, xs_transaction_t transaction, const libxl__xs_batch *batch,
                      const libxl__xs_request *request)
{
    const bool guests = request->perms == LIBXL__XS_GUESTS;
    struct xs_permissions perms[2] = {{.id = guests ? batch->domid : 0, .perms = XS_PERM_NONE},
                                      {.id = batch->domid, .perms = XS_PERM_READ}};
    return xs_set_permissions(xs, transaction, request->path, perms,
                              request->perms == LIBXL__XS_GUEST_READS ? 2 : 1);
}

/* Carries out a request. Returns false, with errno, if it fails. */
static bool carry_out(struct xs_handle *xs, xs_transaction_t transaction, const libxl__xs_batch *batch,
                      libxl__xs_request *request)
{
    unsigned length;
    switch (request->kind) {
    case LIBXL__XS_READ:
    case LIBXL__XS_REQUIRE:
        free(request->found);
        request->found = xs_read(xs, transaction, request->path, &length);
        if (!request->found && errno != ENOENT)
            return false;
        errno = ENOENT;
        return request->kind == LIBXL__XS_READ || !libxl__xs_unmet(request);
    case LIBXL__XS_WRITE:
        return xs_write(xs, transaction, request->path, request->value, (unsigned)strlen(request->value));
    case LIBXL__XS_PERMIT: return set_perms(xs, transaction, batch, request);
    case LIBXL__XS_REMOVE: return xs_rm(xs, transaction, request->path) || errno == ENOENT;
    case LIBXL__XS_INTRODUCE: return xs_introduce_domain(xs, batch->domid, request->gfn, request->port);
    }
    return false;
}

/* Carries out the requests up to the first that fails. */
static void carry_out_all(struct xs_handle *xs, xs_transaction_t transaction, libxl__xs_batch *batch)
{
    libxl__xs_request *request;
    STAILQ_FOREACH (request, &batch->requests, link)
        if (!carry_out(xs, transaction, batch, request)) {
            libxl__xs_failed(batch, request, errno);
            return;
        }
}

/* Carries out the batch as a transaction and repeats it while other clients interfere. */
static void carry_out_transaction(struct xs_handle *xs, libxl__xs_batch *batch)
{
    for (;;) {
        xs_transaction_t transaction = xs_transaction_start(xs);
        if (transaction == XBT_NULL) {
            libxl__xs_failed(batch, NULL, errno);
            return;
        }
        carry_out_all(xs, transaction, batch);
        if (xs_transaction_end(xs, transaction, batch->rc != 0) || batch->rc)
            return;
        if (errno != EAGAIN) { /* EAGAIN: another client has changed a node that the transaction has used */
            libxl__xs_failed(batch, NULL, errno);
            return;
        }
    }
}

static void batch_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__xs_batch *batch = LIBXL__CONTAINER(job, libxl__xs_batch, job);
    struct xs_handle *xs = ctx->xen->lib->requests;
    if (batch->mode == LIBXL__XS_TRANSACTION)
        carry_out_transaction(xs, batch);
    else
        carry_out_all(xs, XBT_NULL, batch);
}

static void watch_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__watch *watch = watch_of(job);
    watch->failed = !xs_watch(ctx->xen->lib->watches, watch->path, libxl__watch_token_of(watch).text);
}

static void unwatch_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__watch *watch = watch_of(job);
    xs_unwatch(ctx->xen->lib->watches, watch->path, libxl__watch_token_of(watch).text);
}

/* ---- called on the worker when a job is done, with the lock */

static void batch_done(libxl_ctx *ctx, libxl__job *job)
{
    ctx->xen->transactions.ended++;
    libxl__xs_batch_ended(LIBXL__CONTAINER(job, libxl__xs_batch, job));
    libxl__loop_look_again(ctx);
}

static void watch_done(libxl_ctx *ctx, libxl__job *job)
{
    libxl__watch *watch = watch_of(job);
    libxl__watch_added(ctx, watch, !watch->failed);
    libxl__loop_look_again(ctx);
}

static void unwatch_done(libxl_ctx *ctx, libxl__job *job)
{
    libxl__watch_free(ctx, watch_of(job));
}

/* ---- the transport */

static int submit(libxl_ctx *ctx, libxl__job *job, void (*work)(libxl_ctx *, libxl__job *),
                  void (*on_done)(libxl_ctx *, libxl__job *))
{
    job->work = work;
    job->on_done = on_done;
    return libxl__job_submit(&ctx->xen->lib->lane, NULL, job);
}

/* A worker is all that a batch needs here, whatever its length. */
static int reserve(libxl_ctx *ctx, libxl__xs_batch *batch, uint32_t requests, size_t octets)
{
    (void)requests, (void)octets;
    return libxl__lane_reserve(batch->ao, &ctx->xen->lib->lane);
}

static void release(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    (void)batch;
    libxl__lane_release(&ctx->xen->lib->lane);
}

static int run(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    return submit(ctx, &batch->job, batch_work, batch_done);
}

static bool withdraw(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    (void)ctx;
    return libxl__job_withdraw(&batch->job);
}

static int add_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    return submit(ctx, job_of(watch), watch_work, watch_done);
}

static void remove_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    libxl__job *job = job_of(watch);
    if (libxl__job_withdraw(job))
        libxl__watch_free(ctx, watch);
    else if (job->state == LIBXL__JOB_DONE && submit(ctx, job, unwatch_work, unwatch_done))
        libxl__watch_free(ctx, watch); /* its events are ignored from now on */
    /* else the worker is registering it: libxl__watch_added calls this function again */
}

static void watch_fired(libxl_ctx *ctx, libxl__fd *source, uint32_t revents)
{
    (void)source, (void)revents;
    char **event;
    while ((event = xs_check_watch(ctx->xen->lib->watches))) {
        libxl__watch_event(ctx, event[XS_WATCH_TOKEN]);
        free(event);
    }
}

static void disconnect_lib(libxl_ctx *ctx)
{
    struct libxl__xs_lib *lib = ctx->xen->lib;
    libxl__fd_deregister(ctx, &lib->source);
    if (lib->watches)
        xs_close(lib->watches);
    if (lib->requests)
        xs_close(lib->requests);
    lib->watches = lib->requests = NULL;
}

/* Nothing is ever to be received: connect_lib proves the connection at once. */
static void receive_lib(libxl_ctx *ctx)
{
    (void)ctx;
}

static int connect_lib(libxl_ctx *ctx)
{
    struct libxl__xs_lib *lib = ctx->xen->lib;
    snprintf(ctx->xen->link.address, sizeof(ctx->xen->link.address), "by libxenstore");
    lib->requests = xs_open(0);
    lib->watches = lib->requests ? xs_open(0) : NULL;
    int error = lib->watches ? 0 : errno;
    const int fd = error ? -1 : xs_fileno(lib->watches);
    if (!error && fd < 0)
        error = errno;
    if (!error && libxl__fd_register(ctx, &lib->source, fd, EPOLLIN, watch_fired))
        error = ENOMEM;
    if (error) {
        disconnect_lib(ctx);
        return error;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    libxl__xs_link_proved(ctx);
    return 0;
}

static void close_lib(libxl_ctx *ctx)
{
    free(ctx->xen->lib);
    ctx->xen->lib = NULL;
}

static int open_lib(libxl_ctx *ctx)
{
    struct libxl__xs_lib *lib = ctx->xen->lib = calloc(1, sizeof(*lib));
    if (!lib)
        return libxl__refuse(ERROR_NOMEM, NULL);
    libxl__lane_open(ctx, &lib->lane, "xl-xenstore", 1, false); /* one worker keeps batches in order */
    return 0;
}

static void postfork(libxl_ctx *ctx)
{
    xs_daemon_destroy_postfork(ctx->xen->lib->watches);
    xs_daemon_destroy_postfork(ctx->xen->lib->requests);
}

const libxl__xs_transport libxl__xs_lib = {
    .watch_room = sizeof(libxl__job),
    .open = open_lib,
    .close = close_lib,
    .connect = connect_lib,
    .receive = receive_lib,
    .disconnect = disconnect_lib,
    .postfork = postfork,
    .reserve = reserve,
    .release = release,
    .run = run,
    .withdraw = withdraw,
    .add_watch = add_watch,
    .remove_watch = remove_watch,
};
