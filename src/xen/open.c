/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: ctx->xen, the context's connection to Xen as a whole, from libxl__xen_open to libxl__xen_close. Both run while no
 * other thread uses the context, so they take no lock.
 */
#include "build.h"
#include "xen.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * Uses the socket, unless the application asks for libxenstore. If there is no socket but the kernel's device, xenstored can
 * be reached by libxenstore only.
 */
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

int libxl__xen_open(libxl_ctx *ctx, unsigned flags)
{
    ctx->xen = calloc(1, sizeof(*ctx->xen));
    if (!ctx->xen)
        return libxl__refuse(ERROR_NOMEM, NULL);
    libxl__build_open(ctx);
    libxl__hv_destroy_open(ctx);
    int rc = libxl__domains_open(ctx);
    if (!rc)
        rc = libxl__handles_open(ctx);
    return rc ? rc : open_xenstore(ctx, flags);
}

void libxl__xen_close(libxl_ctx *ctx)
{
    struct libxl__xen *xen = ctx->xen;
    if (!xen)
        return;
    libxl__domains_close(ctx);
    libxl__kept_names_close(ctx);
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

/* The timers of the followed domains and of the kept names are the context's own: they are always there. */
void libxl__xen_count(libxl_ctx *ctx, libxl_counters *out)
{
    out->timers -= 1 + ctx->xen->kept_names.keeping;
    out->watches = ctx->xen->watches.count;
}

void libxl__xen_postfork(libxl_ctx *ctx)
{
    ctx->xen->transport->postfork(ctx);
    if (ctx->xen->evtchns.handle)
        close(xenevtchn_fd(ctx->xen->evtchns.handle));
}
