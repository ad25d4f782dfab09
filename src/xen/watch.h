/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Xenstore watches. xenstored fires a watch once when it is registered, and then whenever the node or one below it changes.
 * So register the watch first, and read the node each time the watch fires.
 */
#ifndef LIBXL__WATCH_H
#define LIBXL__WATCH_H

#include "ao.h"
#include "worker.h"

typedef struct libxl__watch libxl__watch;

/* Locked. Called when the node may have changed. `failed`: xenstored does not watch it; there are no further calls. */
typedef void libxl__watch_callback(libxl_ctx *ctx, void *user, bool failed);

/* A watch; or, in a free slot, twice the number of the next free slot plus one, which is odd, as no pointer is. */
union libxl__watch_slot {
    libxl__watch *watch;
    uintptr_t next_free;
};

typedef struct libxl__watches {
    union libxl__watch_slot *slots,
        free; /* `free` names the first free slot, as a free slot names the next */
    uint32_t room;
    uint32_t generation;      /* of the newest watch; it is part of the token, so tokens are not used twice */
    uint32_t count;           /* watches that are counted: not the context's own */
    uint64_t event_seq;       /* the number of events so far, of all watches */
    libxl__watch *early_fire; /* set by libxl__watch_fire_early; NULL: none */
    size_t early_fire_length; /* of its events: path and token, in octets */
    libxl__watch
        *fired_early; /* has fired for the event that comes next; or NULL. Never followed, only compared */
} libxl__watches;

/* A watch as a source. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__watch_source {
    libxl__source source;
    libxl__watch *watch;
    bool failed;
} libxl__watch_source;

/* Locked, all of them. */

/* While the context is freed, after the transport has been closed: frees all watches. */
void libxl__watches_close(libxl_ctx *ctx);

/*
 * Watches `path`, which is copied. `own`: the watch is the context's own and not counted. *watch_out is set before the first
 * call of the callback, which may come before this returns. Errors, without a message: NOMEM, NO_XENSTORE, FAIL.
 */
int libxl__watch_add(libxl_ctx *ctx, const char *path, libxl__watch_callback *callback, void *user, bool own,
                     libxl__watch **watch_out);
/* The connection to xenstored is lost: calls the callbacks of all watches but the context's own, as failed. */
void libxl__watches_lost(libxl_ctx *ctx);
/*
 * Makes a watch fire as soon as the header of an event has arrived whose length fits; it does not fire again when the rest
 * arrives. xenstored writes header and body apart, and on a busy machine milliseconds pass between them. For one watch at a
 * time, of a special node (@...): its user must bear that it fires for an event of another watch.
 */
void libxl__watch_fire_early(libxl_ctx *ctx, libxl__watch *watch);
/* Removes the watch; its callback is not called again. NULL: nothing happens. */
void libxl__watch_remove(libxl_ctx *ctx, libxl__watch *watch);

/*
 * Watches a path for an operation. The source fires when the watch is registered, at each change, and if xenstored refuses
 * the watch (`failed`). Errors: NOMEM, NO_XENSTORE, FAIL, recorded in ao.
 */
int libxl__watch_start(libxl__ao *ao, libxl__watch_source *watch, const char *path);

#endif
