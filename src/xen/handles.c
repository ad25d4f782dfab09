/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the context's handles to the hypervisor. The first handle is opened with the context, the others when
 * they are first needed. All are closed with the context. No lock is needed: each slot is set once,
 * atomically, and does not change afterwards.
 *
 * A context has several handles because libxencall keeps the pages for a hypercall's data in the handle.
 * Threads that share a handle wait for the handle's lock. They also move these pages from one processor's
 * cache to another. So threads are numbered and spread over four handles. The thread that made the context
 * uses the first handle. A program with one thread opens further handles only for workers that make hypercalls, for
 * example to destroy domains.
 */
#include "xen.h"

#include <errno.h>

static atomic_uint threads;

/* Returns the number of the calling thread. The first thread has number 1. */
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
        return libxl__refuse(libxl__errno_rc(LIBXL__CALL_REACH_HOST, errno),
                             "opening the hypervisor's interface, /dev/xen/privcmd: %m");
    handles->opened_by = this_thread();
    atomic_init(&handles->of[0], first);
    if (xc_version(first, XENVER_version, NULL) < 0)
        return libxl__refuse(libxl__errno_rc(LIBXL__CALL_REACH_HOST, errno),
                             "asking for the hypervisor's version: %m");
    return 0;
}

/* Opens the handle of a slot. If that fails, the first handle is put into the slot. */
static __attribute__((noinline)) xc_interface *add(libxl_ctx *ctx, unsigned slot)
{
    libxl__handles *handles = &ctx->xen->handles;
    const int saved = errno;
    xc_interface *shared = handles->of[0], *own = open_one(ctx), *there = NULL;
    if (!atomic_compare_exchange_strong(&handles->of[slot], &there, own ? own : shared) && own)
        xc_interface_close(own);
    errno = saved;
    return handles->of[slot];
}

xc_interface *libxl__xch(libxl_ctx *ctx)
{
    libxl__handles *handles = &ctx->xen->handles;
    const unsigned slot = (this_thread() - handles->opened_by) % LIBXL__HANDLES;
    xc_interface *xch = atomic_load_explicit(&handles->of[slot], memory_order_acquire);
    return xch ? xch : add(ctx, slot);
}

void libxl__handles_close(libxl_ctx *ctx)
{
    libxl__handles *handles = &ctx->xen->handles;
    xc_interface *first = handles->of[0];
    for (unsigned slot = LIBXL__HANDLES; slot-- > 0;) {
        xc_interface *xch = handles->of[slot];
        if (xch && (!slot || xch != first))
            xc_interface_close(xch);
    }
}
