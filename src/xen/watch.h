/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Xenstore watches. xenstored fires a watch once when it is registered and then at every change of the node
 * or of one below it: so register first, act then, and read each time it fires.
 */
#ifndef LIBXL__WATCH_H
#define LIBXL__WATCH_H

#include <xenstore.h>

#include "ao.h"
#include "worker.h"

typedef struct libxl__watch libxl__watch;

/* Locked. The node may have changed. */
typedef void libxl__watch_callback(libxl_ctx *ctx, void *user);

typedef struct libxl__watches {
    struct xs_handle *xs; /* for watches only; libxenstore makes a thread for reading them */
    libxl__fd source;
    uint64_t next_token;
    LIST_HEAD(, libxl__watch) list;
    uint32_t count; /* of operations and event generators; not the context's own */
} libxl__watches;

/* A watch as a source. */
typedef struct libxl__watch_source {
    libxl__source source;
    libxl__watch *watch;
} libxl__watch_source;

/* Locked, all of them. */

int libxl__watches_open(libxl_ctx *ctx);
void libxl__watches_close(libxl_ctx *ctx);

/* Calls `callback` for `path`, from its registration on. NULL: NOMEM or FAIL. `own`: not counted. */
libxl__watch *libxl__watch_add(libxl_ctx *ctx, const char *path, libxl__watch_callback *callback, void *user,
                               bool own);
/* NULL is fine. Afterwards callback is not called again. */
void libxl__watch_remove(libxl_ctx *ctx, libxl__watch *watch);

/* Watches a path for an operation: the source fires at registration and at each change. Errors: NOMEM, FAIL.
 */
int libxl__watch_start(libxl__ao *ao, libxl__watch_source *watch, const char *path);

#endif
