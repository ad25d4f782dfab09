/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the watches and their libxenstore handle. Guarded by the context's lock; registering and
 * unregistering are round trips to xenstored and so are jobs of the xenstore lane, which uses the handle
 * without the lock (libxenstore has its own). A token is a number that is never used again: an event of a
 * watch that is gone finds nothing.
 */
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct libxl__watch {
    libxl__job job; /* registers, and in the end unregisters */
    uint64_t token;
    libxl__watch_callback *callback; /* NULL: removed */
    void *user;
    bool own, registered, failed;
    LIST_ENTRY(libxl__watch) link;
    char path[];
};

enum { TOKEN_SIZE = 24 };

static libxl__watch *watch_of_job(libxl__job *job)
{
    return (libxl__watch *)((char *)job - offsetof(libxl__watch, job));
}

static void token_text(const libxl__watch *watch, char text[TOKEN_SIZE])
{
    snprintf(text, TOKEN_SIZE, "%llx", (unsigned long long)watch->token);
}

/* ---- on the lane, not locked */

static void register_it(libxl_ctx *ctx, libxl__job *job)
{
    libxl__watch *watch = watch_of_job(job);
    char token[TOKEN_SIZE];
    token_text(watch, token);
    watch->failed = !xs_watch(ctx->xen->watches.xs, watch->path, token);
}

static void unregister_it(libxl_ctx *ctx, libxl__job *job)
{
    libxl__watch *watch = watch_of_job(job);
    char token[TOKEN_SIZE];
    token_text(watch, token);
    xs_unwatch(ctx->xen->watches.xs, watch->path, token);
}

/* ---- locked */

static void forget(libxl__watch *watch)
{
    LIST_REMOVE(watch, link);
    free(watch);
}

static void unregister_later(libxl_ctx *ctx, libxl__watch *watch)
{
    watch->job.work = unregister_it;
    /* If not: xenstored keeps it until we disconnect, and its token is never used again. */
    if (libxl__job_submit(ctx, NULL, &watch->job, LIBXL__LANE_XENSTORE))
        forget(watch);
}

/* The lane has registered or unregistered it. */
static void lane_done(libxl_ctx *ctx, libxl__job *job)
{
    libxl__watch *watch = watch_of_job(job);
    if (job->work == unregister_it || (watch->failed && !watch->callback)) {
        forget(watch);
    } else if (watch->failed) {
        libxl__log(ctx, XTL_ERROR, -1, "xenstore: %s: cannot be watched", watch->path);
    } else {
        watch->registered = true;
        if (!watch->callback)
            unregister_later(ctx, watch);
    }
}

libxl__watch *libxl__watch_add(libxl_ctx *ctx, const char *path, libxl__watch_callback *callback, void *user,
                               bool own)
{
    libxl__watches *watches = &ctx->xen->watches;
    size_t length = strlen(path) + 1;
    libxl__watch *watch = calloc(1, sizeof(*watch) + length);
    if (!watch)
        return NULL;
    watch->token = ++watches->next_token;
    watch->callback = callback;
    watch->user = user;
    watch->own = own;
    memcpy(watch->path, path, length);
    watch->job.work = register_it;
    watch->job.orphaned = lane_done;
    if (libxl__job_submit(ctx, NULL, &watch->job, LIBXL__LANE_XENSTORE)) {
        free(watch);
        return NULL;
    }
    LIST_INSERT_HEAD(&watches->list, watch, link);
    watches->count += !own;
    return watch;
}

void libxl__watch_remove(libxl_ctx *ctx, libxl__watch *watch)
{
    if (!watch)
        return;
    watch->callback = NULL;
    ctx->xen->watches.count -= !watch->own;
    if (watch->registered)
        unregister_later(ctx, watch);
    else if (watch->failed || libxl__job_withdraw(ctx, &watch->job))
        forget(watch);
}

static void changed(libxl_ctx *ctx, libxl__fd *source, uint32_t revents)
{
    (void)source, (void)revents;
    libxl__watches *watches = &ctx->xen->watches;
    char **event;
    while ((event = xs_check_watch(watches->xs))) {
        libxl__watch *watch;
        uint64_t token = strtoull(event[XS_WATCH_TOKEN], NULL, 16);
        LIST_FOREACH(watch, &watches->list, link)
        if (watch->token == token) {
            if (watch->callback)
                watch->callback(ctx, watch->user);
            break;
        }
        free(event);
    }
}

int libxl__watches_open(libxl_ctx *ctx)
{
    libxl__watches *watches = &ctx->xen->watches;
    LIST_INIT(&watches->list);
    watches->xs = xs_open(0);
    if (!watches->xs)
        return libxl__log_errno(ctx, ERROR_NO_XENSTORE, "connecting to xenstored");
    int fd = xs_fileno(watches->xs);
    if (fd < 0)
        return libxl__log_errno(ctx, ERROR_FAIL, "xs_fileno");
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return libxl__fd_register(ctx, &watches->source, fd, EPOLLIN, changed);
}

void libxl__watches_close(libxl_ctx *ctx)
{
    libxl__watches *watches = &ctx->xen->watches;
    libxl__fd_deregister(ctx, &watches->source);
    libxl__watch *watch;
    while ((watch = LIST_FIRST(&watches->list))) {
        LIST_REMOVE(watch, link);
        free(watch);
    }
    if (watches->xs)
        xs_close(watches->xs);
}

/* ---- as a source */

static void fire(libxl_ctx *ctx, void *user)
{
    (void)ctx;
    libxl__source_fire(user);
}

static void stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__watch_source *watch = (libxl__watch_source *)source;
    libxl__watch_remove(ctx, watch->watch);
    watch->watch = NULL;
}

int libxl__watch_start(libxl__ao *ao, libxl__watch_source *watch, const char *path)
{
    watch->watch = libxl__watch_add(ao->ctx, path, fire, &watch->source, false);
    if (!watch->watch)
        return libxl__ao_fail(ao, ERROR_NOMEM, "watching %s", path);
    libxl__source_attach(ao, &watch->source, stop);
    return 0;
}
