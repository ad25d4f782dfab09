/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the context's handles to the hypervisor, the first from libxl_ctx_alloc, all to libxl_ctx_free. No lock: each
 * is opened once, by whoever comes first, and stays.
 *
 * libxencall keeps a handle's buffers, a page for each hypercall, with the handle. Threads that share one take these
 * pages from each other's caches and wait for its lock, so each of a few has its own; who opened the context has the
 * first, and a program of one thread others only for the workers that destroy domains.
 */
#include "xen.h"

#include <errno.h>

static atomic_uint threads;

/* From 1 on. */
static unsigned this_thread(void)
{
    static _Thread_local unsigned number __attribute__((tls_model("initial-exec")));
    if (!number)
        number = atomic_fetch_add(&threads, 1) + 1;
    return number;
}

static xc_interface *open_one(libxl_ctx *ctx)
{
    xentoollog_logger *logger = libxl__xen_logger(ctx);
    return xc_interface_open(logger, logger, 0);
}

int libxl__handles_open(libxl_ctx *ctx)
{
    libxl__handles *handles = &ctx->xen->handles;
    xc_interface *first = open_one(ctx);
    if (!first)
        return libxl__refuse(libxl__open_rc(errno, ERROR_NO_HYPERVISOR),
                             "opening the hypervisor's interface, /dev/xen/privcmd: %m");
    handles->opened_by = this_thread();
    atomic_init(&handles->of[0], first);
    if (xc_version(first, XENVER_version, NULL) < 0)
        return libxl__refuse(libxl__open_rc(errno, ERROR_NO_HYPERVISOR),
                             "asking for the hypervisor's version: %m");
    return 0;
}

/* Who cannot have its own shares the first one. */
static __attribute__((noinline)) xc_interface *add(libxl_ctx *ctx, unsigned place)
{
    libxl__handles *handles = &ctx->xen->handles;
    const int saved = errno;
    xc_interface *shared = handles->of[0], *own = open_one(ctx), *there = NULL;
    if (!atomic_compare_exchange_strong(&handles->of[place], &there, own ? own : shared) && own)
        xc_interface_close(own);
    errno = saved;
    return handles->of[place];
}

xc_interface *libxl__xch(libxl_ctx *ctx)
{
    libxl__handles *handles = &ctx->xen->handles;
    const unsigned place = (this_thread() - handles->opened_by) % LIBXL__HANDLES;
    xc_interface *xch = atomic_load_explicit(&handles->of[place], memory_order_acquire);
    return xch ? xch : add(ctx, place);
}

void libxl__handles_close(libxl_ctx *ctx)
{
    libxl__handles *handles = &ctx->xen->handles;
    xc_interface *first = handles->of[0];
    for (unsigned place = LIBXL__HANDLES; place-- > 0;) {
        xc_interface *xch = handles->of[place];
        if (xch && (!place || xch != first))
            xc_interface_close(xch);
    }
}
