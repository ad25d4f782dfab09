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

/*
 * Called with the context locked, when the node may have changed. If `failed` is true, xenstored has refused the
 * watch or the connection is lost, and the callback is not called again.
 */
typedef void libxl__watch_callback(libxl_ctx *ctx, void *user, bool failed);

/*
 * A slot holds a pointer to a watch. A free slot holds 2 * N + 1 instead, where N is the number of the next free
 * slot. That number is odd. A pointer is even. So the two can be distinguished.
 */
union libxl__watch_slot {
    libxl__watch *watch;
    uintptr_t next_free;
};

typedef struct libxl__watches {
    union libxl__watch_slot *slots, free; /* `free` has the number of the first free slot */
    uint32_t room;
    uint32_t generation;      /* of the newest watch; it is part of the token, so tokens are not used twice */
    uint32_t count;           /* watches of operations and applications; the context's own are not counted */
    uint64_t event_seq;       /* the number of events so far, of all watches */
    libxl__watch *early_fire; /* set by libxl__watch_fire_early; NULL: none */
    size_t early_fire_length; /* length of its events (path and token), in octets */
    /*
     * The watch that has fired for the event whose body arrives next; NULL: none. It may have been freed, so only
     * compare it.
     */
    libxl__watch *fired_early;
} libxl__watches;

/* Call all functions with the context locked. */

/* Frees all watches. Called while the context is freed, after the transport has been closed. */
void libxl__watches_close(libxl_ctx *ctx);

/*
 * Frees the slot of a watch, but not its memory, because the transport's thread uses and frees it. Called while the
 * context is freed.
 */
void libxl__watch_leave(libxl_ctx *ctx, libxl__watch *watch);

/*
 * Watches `path`, which is copied. If `own` is true, the watch is the context's own: it is not counted, and it may be
 * added while the connection to xenstored is down. When the connection is up again, an own watch is registered again,
 * and fires. *watch_out is set before the first call of the callback, which may come before this returns. Errors,
 * without a message: NOMEM, FAIL, and NO_XENSTORE unless `own`.
 */
int libxl__watch_add(libxl_ctx *ctx, const char *path, libxl__watch_callback *callback, void *user, bool own,
                     libxl__watch **watch_out);
/* Call this when the connection to xenstored is lost. Calls the callback of each watch with `failed` set,
 * except those of the context's own watches. */
void libxl__watches_lost(libxl_ctx *ctx);
/* Call this when the connection is up. Registers the context's own watches that xenstored does not have. */
void libxl__watches_restore(libxl_ctx *ctx);
/* Returns true if the watch has failed because the connection was lost, false if xenstored has refused it. */
bool libxl__watch_is_lost(const libxl__watch *watch);
/*
 * Makes a watch fire early: when the header of an event arrives, before its body, if the header's length is that of
 * the watch's events. The watch does not fire again when the body arrives. xenstored writes the header and the body
 * separately, and on a busy machine milliseconds pass between them. Only one watch can fire early. Events of other
 * watches may have the same length, so the callback must tolerate superfluous calls.
 */
void libxl__watch_fire_early(libxl_ctx *ctx, libxl__watch *watch);
/* Removes the watch; its callback is not called again. NULL: nothing happens. */
void libxl__watch_remove(libxl_ctx *ctx, libxl__watch *watch);

#endif
