/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions about SIGCHLD. This library waits for its children by pidfd and does not need SIGCHLD. So
 * these functions have no effect. They exist for programs that call them. Own nothing. Any thread may call them,
 * without the context's lock.
 */
#include "log.h"

#include <libxl.h>

void libxl_childproc_setmode(libxl_ctx *ctx, const libxl_childproc_hooks *hooks, void *user)
{
    (void)ctx, (void)hooks, (void)user;
}

int libxl_childproc_reaped(libxl_ctx *ctx, pid_t pid, int status)
{
    (void)ctx, (void)status;
    return libxl__refuse(ERROR_UNKNOWN_CHILD, "pid: %d is no child of the library", (int)pid);
}

void libxl_childproc_sigchld_occurred(libxl_ctx *ctx)
{
    (void)ctx;
}
