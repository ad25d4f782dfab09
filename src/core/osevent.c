/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions for an application's own event loop: libxl_osevent_*.
 *
 * Owns: the registration of the context's descriptor with the application's loop, from the first successful
 * libxl__hooks_need_loop until the context is freed. The context's lock guards the registration. The
 * application's hooks are called unlocked. As in libxl, a hook must not call the library.
 *
 * The library never registers a timeout, because a timer that expires makes the descriptor readable. A late
 * or repeated call of libxl_osevent_occurred_fd is harmless, because it finds no work.
 */
#include "libxl_internal.h"

void libxl__hooks_open(libxl_ctx *ctx)
{
    pthread_cond_init(&ctx->hooks.registration_done, NULL);
}

void libxl__hooks_close(libxl_ctx *ctx)
{
    libxl__hooks *hooks = &ctx->hooks;
    if (hooks->registered)
        hooks->loop->fd_deregister(hooks->loop_user, libxl_ctx_fd(ctx), hooks->for_app);
    hooks->registered = false;
    pthread_cond_destroy(&hooks->registration_done);
}

__attribute__((noinline)) static int register_loop(libxl_ctx *ctx)
{
    libxl__hooks *hooks = &ctx->hooks;
    void *for_app = NULL;
    hooks->registering = true;
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

int libxl__hooks_need_loop(libxl_ctx *ctx)
{
    libxl__hooks *hooks = &ctx->hooks;
    /* Another thread is registering the descriptor. If its attempt fails, this thread tries again below. */
    while (hooks->registering)
        libxl__ctx_sleep(ctx, &hooks->registration_done, 0);
    return !hooks->loop || hooks->registered ? 0 : register_loop(ctx);
}

void libxl_osevent_register_hooks(libxl_ctx *ctx, const libxl_osevent_hooks *hooks, void *user)
{
    libxl__ctx_lock(ctx);
    ctx->hooks.loop = hooks;
    ctx->hooks.loop_user = user;
    libxl__ctx_unlock(ctx);
}

void libxl_osevent_occurred_fd(libxl_ctx *ctx, void *for_libxl, int fd, short events, short revents)
{
    (void)events, (void)revents;
    if (for_libxl == &ctx->hooks && fd == libxl_ctx_fd(ctx))
        libxl_ctx_process(ctx);
}

void libxl_osevent_occurred_timeout(libxl_ctx *ctx, void *for_libxl)
{
    (void)ctx, (void)for_libxl; /* this function is never called, because the library registers no timeout */
}

/* Does not change the application's timeout, because a timer that expires makes the descriptor readable. */
int libxl_osevent_beforepoll(libxl_ctx *ctx, int *nfds_io, struct pollfd *fds, int *timeout_upd,
                             struct timeval now)
{
    (void)timeout_upd, (void)now;
    int room = *nfds_io;
    *nfds_io = 1;
    if (room < 1)
        return libxl__refuse(ERROR_BUFFERFULL, "nfds_io: %d is less than 1", room);
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
