/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A context's handles to the hypervisor. */
#ifndef LIBXL__HANDLES_H
#define LIBXL__HANDLES_H

#include <stdatomic.h>
#include <xenctrl.h>

#include <libxl.h>

enum { LIBXL__HANDLES = 4 }; /* libxenctrl opens six descriptors for each */

typedef struct libxl__handles {
    _Atomic(xc_interface *) of[LIBXL__HANDLES]; /* some of the places may have the first one's */
    unsigned opened_by;                         /* the thread whose place is the first */
} libxl__handles;

/* While a context is made. Errors: NO_HYPERVISOR, PERMISSION, NOMEM, FAIL; libxl__handles_close is due in any case. */
int libxl__handles_open(libxl_ctx *ctx);
/* When nobody uses them any more. */
void libxl__handles_close(libxl_ctx *ctx);

/*
 * The one for the calling thread's hypercalls, whichever it is; the context's. Locked or not. Thread-safe, but for its
 * last error, which nobody reads. errno is left alone.
 */
xc_interface *libxl__xch(libxl_ctx *ctx);

#endif
