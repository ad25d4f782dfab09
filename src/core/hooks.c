/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: events on their way to event_occurs, and the one registration with the application's loop. Guarded by
 * the context's lock. event_occurs and the loop's hooks are called unlocked; the latter must not call the
 * library all the same, as libxl's rules have it.
 *
 * There is one descriptor to register, libxl_ctx_fd, and no timeout ever: deadlines make the descriptor
 * readable. So a late or repeated occurrence does no harm: it is a look that finds nothing.
 */
#include "libxl_internal.h"

void libxl__hooks_open(libxl_ctx *ctx)
{
    pthread_cond_init(&ctx->hooks.registration_done, NULL);
}

/* ---- events */

bool libxl__hooks_want(libxl_ctx *ctx, const libxl_event *event)
{
    const libxl_event_hooks *receiver = ctx->hooks.receiver;
    return receiver && receiver->event_occurs_mask &&
           libxl__event_wanted(event, receiver->event_occurs_mask, NULL, NULL);
}

void libxl_event_register_callbacks(libxl_ctx *ctx, const libxl_event_hooks *hooks, void *user)
{
    libxl__ctx_lock(ctx);
    ctx->hooks.receiver = hooks;
    ctx->hooks.receiver_user = user;
    libxl__ctx_unlock(ctx);
}

/* ---- the application's loop */

void libxl_osevent_register_hooks(libxl_ctx *ctx, const libxl_osevent_hooks *hooks, void *user)
{
    libxl__ctx_lock(ctx);
    ctx->hooks.loop = hooks;
    ctx->hooks.loop_user = user;
    libxl__ctx_unlock(ctx);
}

int libxl__hooks_need_loop(libxl_ctx *ctx)
{
    libxl__hooks *hooks = &ctx->hooks;
    while (hooks->registering) /* by another thread: what comes of it decides for this one, too */
        libxl__ctx_sleep(ctx, &hooks->registration_done, 0);
    if (!hooks->loop || hooks->registered)
        return 0;
    hooks->registering = true;
    void *for_app = NULL;
    libxl__ctx_unlock(ctx);
    int rc = hooks->loop->fd_register(hooks->loop_user, libxl_ctx_fd(ctx), &for_app, POLLIN, hooks);
    libxl__ctx_lock(ctx);
    hooks->registering = false;
    pthread_cond_broadcast(&hooks->registration_done);
    hooks->registered = !rc;
    if (!rc)
        hooks->for_app = for_app;
    return rc;
}

void libxl__hooks_close(libxl_ctx *ctx)
{
    libxl__hooks *hooks = &ctx->hooks;
    if (hooks->registered)
        hooks->loop->fd_deregister(hooks->loop_user, libxl_ctx_fd(ctx), hooks->for_app);
    hooks->registered = false;
    pthread_cond_destroy(&hooks->registration_done);
}

void libxl_osevent_occurred_fd(libxl_ctx *ctx, void *for_libxl, int fd, short events, short revents)
{
    (void)events, (void)revents;
    if (for_libxl == &ctx->hooks && fd == libxl_ctx_fd(ctx))
        libxl_ctx_process(ctx);
}

void libxl_osevent_occurred_timeout(libxl_ctx *ctx, void *for_libxl)
{
    (void)ctx, (void)for_libxl; /* none is ever registered */
}

int libxl_osevent_beforepoll(libxl_ctx *ctx, int *nfds_io, struct pollfd *fds, int *timeout_upd,
                             struct timeval now)
{
    (void)
        timeout_upd; /* deadlines make the descriptor readable: there is never a reason to shorten the poll */
    (void)now;
    int room = *nfds_io;
    *nfds_io = 1;
    if (room < 1)
        return libxl__tell(ERROR_BUFFERFULL);
    fds[0] = (struct pollfd){.fd = libxl_ctx_fd(ctx), .events = POLLIN};
    return 0;
}

void libxl_osevent_afterpoll(libxl_ctx *ctx, int nfds, const struct pollfd *fds, struct timeval now)
{
    (void)now;
    for (int i = 0; i < nfds; i++)
        if (fds[i].fd == libxl_ctx_fd(ctx) && fds[i].revents)
            libxl_ctx_process(ctx);
}

/* ---- children: followed by pidfd, so there is nothing to agree about SIGCHLD */

void libxl_childproc_setmode(libxl_ctx *ctx, const libxl_childproc_hooks *hooks, void *user)
{
    (void)ctx, (void)hooks, (void)user;
}

int libxl_childproc_reaped(libxl_ctx *ctx, pid_t pid, int status)
{
    (void)ctx, (void)pid, (void)status;
    return libxl__tell(ERROR_UNKNOWN_CHILD);
}

void libxl_childproc_sigchld_occurred(libxl_ctx *ctx)
{
    (void)ctx;
}
