/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the context's event channel handle, which is open while a port is bound, and the ports that are
 * bound through it. The context's lock guards both.
 */
#include "xen.h"

#include <errno.h>

static void notified(libxl_ctx *ctx, libxl__fd *source, uint32_t revents)
{
    (void)source, (void)revents;
    libxl__evtchns *evtchns = &ctx->xen->evtchns;
    libxl__evtchn *evtchn;
    xenevtchn_port_or_error_t port = xenevtchn_pending(evtchns->handle);
    if (port < 0)
        return;
    LIST_FOREACH (evtchn, &evtchns->list, link)
        if (evtchn->port == (evtchn_port_t)port) {
            xenevtchn_unmask(evtchns->handle, evtchn->port);
            evtchn->events++;
            libxl__source_fire(&evtchn->source);
            return;
        }
}

static int open_handle(libxl__ao *ao)
{
    libxl__evtchns *evtchns = &ao->ctx->xen->evtchns;
    if (evtchns->handle)
        return 0;
    xentoollog_logger *logger = libxl__xen_logger(ao->ctx);
    evtchns->handle = xenevtchn_open(logger, 0);
    if (!evtchns->handle)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_OPEN_HANDLE, errno),
                              "opening event channels: %m");
    int rc = libxl__fd_register(ao->ctx, &evtchns->source, xenevtchn_fd(evtchns->handle), EPOLLIN, notified);
    if (!rc)
        return 0;
    xenevtchn_close(evtchns->handle);
    evtchns->handle = NULL;
    return libxl__ao_fail(ao, rc, "watching event channels");
}

void libxl__evtchns_close(libxl_ctx *ctx)
{
    libxl__evtchns *evtchns = &ctx->xen->evtchns;
    if (!evtchns->handle)
        return;
    libxl__fd_deregister(ctx, &evtchns->source);
    xenevtchn_close(evtchns->handle);
    evtchns->handle = NULL;
}

static void close_if_unused(libxl_ctx *ctx)
{
    if (LIST_EMPTY(&ctx->xen->evtchns.list))
        libxl__evtchns_close(ctx);
}

static void evtchn_stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__evtchn *evtchn = (libxl__evtchn *)source;
    LIST_REMOVE(evtchn, link);
    xenevtchn_unbind(ctx->xen->evtchns.handle, evtchn->port);
    close_if_unused(ctx);
}

int libxl__evtchn_bind(libxl__ao *ao, libxl__evtchn *evtchn, uint32_t domid, evtchn_port_t remote_port)
{
    libxl__evtchns *evtchns = &ao->ctx->xen->evtchns;
    int rc = open_handle(ao);
    if (rc)
        return rc;
    const xenevtchn_port_or_error_t port = xenevtchn_bind_interdomain(evtchns->handle, domid, remote_port);
    if (port < 0) {
        rc = libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_DOMAIN, errno),
                            "binding an event channel to domain %u: %m", domid);
        close_if_unused(ao->ctx);
        return rc;
    }
    evtchn->port = (evtchn_port_t)port;
    LIST_INSERT_HEAD(&evtchns->list, evtchn, link);
    libxl__source_attach(ao, &evtchn->source, evtchn_stop);
    return 0;
}

int libxl__evtchn_notify(libxl__ao *ao, const libxl__evtchn *evtchn)
{
    if (xenevtchn_notify(ao->ctx->xen->evtchns.handle, evtchn->port))
        return libxl__ao_fail(ao, ERROR_FAIL, "notifying event channel %u: %m", evtchn->port);
    return 0;
}
