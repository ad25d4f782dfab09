/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens and frees a context. A context consists of the core, the state for the host's devices, the connection
 * to Xen, and the event generators. This file opens these four parts in this order and closes them in reverse
 * order.
 *
 * Owns: nothing. Each part owns its own state. Any thread may call these functions, without the context's lock. But no
 * other thread may use the context while it is opened or closed, and only the child of a fork may call
 * libxl_postfork_child_noexec.
 */
#include "generators.h"
#include "host.h"
#include "xen.h"

static int open_layers(libxl_ctx *ctx, unsigned flags)
{
    int rc = libxl__host_open(ctx);
    if (!rc)
        rc = libxl__xen_open(ctx, flags);
    return rc ? rc : libxl__generators_open(ctx);
}

/*
 * Closes the layers in reverse order. Also called after open_layers has failed. The workers must have ended.
 */
static void close_layers(libxl_ctx *ctx)
{
    libxl__generators_close(ctx);
    libxl__xen_close(ctx);
    libxl__host_close(ctx);
    libxl__ctx_destroy(ctx);
}

static int open_context(libxl_ctx **ctx_out, unsigned flags, xentoollog_logger *logger)
{
    libxl_ctx *ctx;
    int rc = libxl__ctx_create(&ctx, logger);
    if (rc)
        return rc;
    rc = open_layers(ctx, flags);
    if (rc) {
        libxl__workers_close(ctx);
        close_layers(ctx);
        return rc;
    }
    libxl__fds_mark_internal(ctx);
    *ctx_out = ctx;
    return 0;
}

int libxl_ctx_alloc(libxl_ctx **ctx_out, int version, unsigned flags, xentoollog_logger *logger)
{
    *ctx_out = NULL;
    if (version != LIBXL_VERSION)
        return libxl__refuse(ERROR_VERSION, "version: %d is not %d", version, LIBXL_VERSION);
    if (flags & ~(LIBXL_CTX_LIBXENSTORE | LIBXL_CTX_NO_WAIT))
        return libxl__refuse(ERROR_INVAL, "flags: %#x is not of LIBXL_CTX_LIBXENSTORE and LIBXL_CTX_NO_WAIT",
                             flags);
    /* Clears the message of an earlier failure, because the code below tests whether a message was set. */
    libxl__error_message_set(0, NULL);
    const int rc = open_context(ctx_out, flags, logger);
    return rc && !*libxl_error_message() ? libxl__refuse_in(rc, "libxl_ctx_alloc") : rc;
}

int libxl_ctx_free(libxl_ctx *ctx)
{
    if (!ctx)
        return 0;
    int rc = libxl__ctx_drain(ctx);
    if (!rc) /* after an error of libxl__ctx_drain, operations may still use the context */
        close_layers(ctx);
    return rc;
}

void libxl_ctx_counters(libxl_ctx *ctx, libxl_counters *out)
{
    libxl__ctx_lock(ctx);
    libxl__ctx_count(ctx, out);
    libxl__xen_count(ctx, out);
    out->evgens = ctx->generators->count;
    libxl__ctx_unlock(ctx);
}

/*
 * Closes the child's copies of the descriptors. The child must not use the connections, because it shares
 * them with the parent.
 */
void libxl_postfork_child_noexec(libxl_ctx *ctx)
{
    if (!ctx)
        return;
    libxl__xen_postfork(ctx);
    libxl__ctx_postfork(ctx);
}
