/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Xenstore watches. xenstored fires a watch once when it is registered and then at every change of the node
 * or of one below it: so register first, act then, and read each time it fires.
 */
#ifndef LIBXL__WATCH_H
#define LIBXL__WATCH_H

#include "ao.h"
#include "worker.h"

typedef struct libxl__watch libxl__watch;

/* Locked. The node may have changed; `failed`: xenstored does not watch it, and this is the only call. */
typedef void libxl__watch_callback(libxl_ctx *ctx, void *user, bool failed);

/* A watch, or, odd, twice the number of the next free slot: pointers are even. */
union libxl__watch_slot {
    libxl__watch *watch;
    uintptr_t next_free;
};

typedef struct libxl__watches {
    union libxl__watch_slot *slots, free; /* free: as a slot before the first free one would be */
    uint32_t room;
    uint32_t generation;    /* of the newest; part of the token, so that none is used again */
    uint32_t count;         /* of operations and event generators; not the context's own */
    uint64_t heard;         /* events, of any watch */
    libxl__watch *urgent;   /* by libxl__watch_urgent; or NULL */
    size_t urgent_length;   /* of its events: path and token */
    libxl__watch *foretold; /* the urgent one, told of the event that comes next; or NULL. Only compared */
} libxl__watches;

/* A watch as a source. */
typedef struct libxl__watch_source {
    libxl__source source;
    libxl__watch *watch;
    bool failed;
} libxl__watch_source;

/* Locked, all of them. */

/* Frees all of them; the transport is closed. */
void libxl__watches_close(libxl_ctx *ctx);

/*
 * Calls `callback` for `path`, from its registration on. `own`: not counted. *watch_out is set before the first call.
 * Errors: NOMEM, NO_XENSTORE, FAIL.
 */
int libxl__watch_add(libxl_ctx *ctx, const char *path, libxl__watch_callback *callback, void *user, bool own,
                     libxl__watch **watch_out);
/* The connection is lost: tells the operations' watches that they have failed. */
void libxl__watches_lost(libxl_ctx *ctx);
/*
 * One watch at most, of a special node (@...), whose events say no more than that: it is told as soon as the head of an
 * event is there that by its length may be its own, and not again when the rest is. xenstored writes the two apart, and
 * what else runs in between takes milliseconds on a busy machine.
 */
void libxl__watch_urgent(libxl_ctx *ctx, libxl__watch *watch);
/* NULL is fine. Afterwards callback is not called again. */
void libxl__watch_remove(libxl_ctx *ctx, libxl__watch *watch);

/*
 * Watches a path for an operation: the source fires at registration and at each change, and if xenstored
 * refuses the watch (`failed`). Errors: NOMEM, NO_XENSTORE, FAIL, noted in ao.
 */
int libxl__watch_start(libxl__ao *ao, libxl__watch_source *watch, const char *path);

#endif
