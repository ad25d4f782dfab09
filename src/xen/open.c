/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the handles to the hypervisor and to xenstored, from libxl_ctx_alloc to libxl_ctx_free; both
 * functions are here because a context is the core's part and Xen's part together.
 */
#include "build.h"
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say_nothing(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
                        const char *context, const char *format, va_list al)
{
    (void)logger, (void)level, (void)errnoval, (void)context, (void)format, (void)al;
}

static void show_nothing(struct xentoollog_logger *logger, const char *context, const char *doing_what,
                         int percent, unsigned long done, unsigned long total)
{
    (void)logger, (void)context, (void)doing_what, (void)percent, (void)done, (void)total;
}

static void destroy_nothing(struct xentoollog_logger *logger)
{
    (void)logger;
}

xentoollog_logger libxl__silent_logger = {
    .vmessage = say_nothing, .progress = show_nothing, .destroy = destroy_nothing};

int libxl__errno_rc(int errnoval)
{
    switch (errnoval) {
    case ESRCH: return ERROR_DOMAIN_NOTFOUND;
    case EPERM:
    case EACCES: return ERROR_PERMISSION;
    case ENOMEM: return ERROR_NO_MEMORY_FOR_GUEST;
    case EEXIST: return ERROR_DOMAIN_EXISTS;
    case ENOSYS:
    case EOPNOTSUPP: return ERROR_NI;
    default: return ERROR_FAIL;
    }
}

int libxl__open_rc(int errnoval, int not_there)
{
    switch (errnoval) {
    case EPERM:
    case EACCES: return ERROR_PERMISSION;
    case EMFILE:
    case ENFILE: return ERROR_FAIL;
    case ENOMEM: return ERROR_NOMEM;
    default: return not_there;
    }
}

/* The socket; or libxenstore, where it is asked for, or where only the kernel's device leads to xenstored. */
static int open_xenstore(libxl_ctx *ctx, unsigned flags)
{
    struct libxl__xen *xen = ctx->xen;
    xen->transport = flags & LIBXL_CTX_LIBXENSTORE ? &libxl__xs_lib : &libxl__xs_wire;
    int rc = xen->transport->open(ctx);
    if (rc != ERROR_NO_XENSTORE || access("/dev/xen/xenbus", F_OK))
        return rc;
    xen->transport = &libxl__xs_lib;
    return xen->transport->open(ctx);
}

static int open_handles(libxl_ctx *ctx, unsigned flags)
{
    libxl__build_open(ctx);
    libxl__hv_destroy_open(ctx);
    int rc = libxl__domains_open(ctx);
    if (!rc)
        rc = libxl__handles_open(ctx);
    return rc ? rc : open_xenstore(ctx, flags);
}

static void close_handles(libxl_ctx *ctx)
{
    struct libxl__xen *xen = ctx->xen;
    libxl__disk_ejects_close(ctx);
    libxl__domains_close(ctx);
    libxl__names_close(ctx);
    if (xen->transport)
        xen->transport->close(ctx);
    libxl__watches_close(ctx);
    libxl__evtchns_close(ctx);
    libxl__handles_close(ctx);
    libxl_version_info_dispose(xen->version);
    free(xen->version);
    free(xen->list.infos);
    free(xen);
    ctx->xen = NULL;
}

int libxl_ctx_alloc(libxl_ctx **ctx_out, int version, unsigned flags, xentoollog_logger *logger)
{
    *ctx_out = NULL;
    if (version != LIBXL_VERSION)
        return libxl__refuse(ERROR_VERSION, "version: %d is not %d", version, LIBXL_VERSION);
    if (flags & ~LIBXL_CTX_LIBXENSTORE)
        return libxl__refuse(ERROR_INVAL, "flags: %#x is not 0 or LIBXL_CTX_LIBXENSTORE", flags);
    libxl_ctx *ctx;
    int rc = libxl__ctx_create(&ctx, logger);
    if (rc)
        return rc;
    ctx->xen = calloc(1, sizeof(*ctx->xen));
    if (!ctx->xen) {
        libxl__workers_close(ctx);
        libxl__ctx_destroy(ctx);
        libxl__error_message_set(ERROR_NOMEM, NULL);
        return ERROR_NOMEM;
    }
    rc = open_handles(ctx, flags);
    if (rc) {
        libxl__workers_close(ctx);
        close_handles(ctx);
        libxl__ctx_destroy(ctx);
        return rc;
    }
    libxl__fds_are_own(ctx);
    *ctx_out = ctx;
    return 0;
}

int libxl_ctx_free(libxl_ctx *ctx)
{
    if (!ctx)
        return 0;
    int rc = libxl__ctx_drain(ctx);
    if (rc == ERROR_INVAL)
        return rc;
    close_handles(ctx);
    libxl__ctx_destroy(ctx);
    return rc;
}

void libxl_ctx_counters(libxl_ctx *ctx, libxl_counters *out)
{
    libxl__ctx_lock(ctx);
    libxl__ctx_count(ctx, out);
    out->timers -= 1 + ctx->xen->names.keeping; /* the one that plans the next look at the domains; its own */
    out->watches = ctx->xen->watches.count;
    out->evgens = ctx->xen->domains.nr_evgens;
    libxl__ctx_unlock(ctx);
}

void libxl_postfork_child_noexec(libxl_ctx *ctx)
{
    if (!ctx)
        return;
    /* Only numbers and copies of memory are this process's own: what they name is the parent's and is not
     * touched. */
    ctx->xen->transport->postfork(ctx);
    if (ctx->xen->evtchns.handle)
        close(xenevtchn_fd(ctx->xen->evtchns.handle));
    libxl__ctx_postfork(ctx);
}
