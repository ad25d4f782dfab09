/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A context's handles to the hypervisor. */
#ifndef LIBXL__HANDLES_H
#define LIBXL__HANDLES_H

#include <stdatomic.h>
#include <xenctrl.h>

#include <libxl.h>

/* A context has few handles, because libxenctrl opens six descriptors for each. */
enum { LIBXL__HANDLES = 4 };

typedef struct libxl__handles {
    /*
     * The handles, one in each slot. If the handle of a slot could not be opened, the slot contains the first
     * handle.
     */
    _Atomic(xc_interface *) of[LIBXL__HANDLES];
    unsigned opened_by; /* the number of the thread that has made the context; this thread uses slot 0 */
} libxl__handles;

/*
 * Opens the first handle. Called while the context is made. Errors, with a message: NO_HYPERVISOR,
 * PERMISSION, NOMEM, FAIL. Call libxl__handles_close after an error, too.
 */
int libxl__handles_open(libxl_ctx *ctx);
/* Closes all handles. Called while the context is freed. */
void libxl__handles_close(libxl_ctx *ctx);

/*
 * Returns the handle for the calling thread's hypercalls. The handle belongs to the context. Any thread may
 * call this, locked or not. Other threads may use the same handle, so do not use its last error
 * (xc_get_last_error). Does not change errno.
 */
xc_interface *libxl__xch(libxl_ctx *ctx);

#endif
