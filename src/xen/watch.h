/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Xenstore watches. A watch fires once when it is registered. Then the watch fires each time its node or a
 * node below changes. So register the watch first, and read the node each time the watch fires.
 */
#ifndef LIBXL__WATCH_H
#define LIBXL__WATCH_H

#include "ao.h"
#include "worker.h"

typedef struct libxl__watch libxl__watch;

/*
 * The callback of a watch. Called with the context locked, when the node may have changed. `failed` true:
 * xenstored has refused the watch, or the connection is lost. The callback is not called again after a call
 * with `failed` true.
 */
typedef void libxl__watch_callback(libxl_ctx *ctx, void *user, bool failed);

/*
 * A slot contains a pointer to a watch, or is free. A free slot contains the number 2 * N + 1, where N is the
 * number of the next free slot. A pointer is even and the number 2 * N + 1 is odd. So the two are
 * distinguished by the lowest bit.
 */
union libxl__watch_slot {
    libxl__watch *watch;
    uintptr_t next_free;
};

typedef struct libxl__watches {
    union libxl__watch_slot *slots, free; /* `free` contains the number of the first free slot */
    uint32_t room;
    /*
     * The generation of the newest watch. The generation is a part of the watch's token, so no two watches
     * have the same token.
     */
    uint32_t generation;
    /* The number of watches of operations and applications; the context's own watches are not counted. */
    uint32_t count;
    /* The path of the changed node, as xenstored names it. Set during a callback. NULL: not known. */
    const char *event_path;
    uint64_t event_seq;       /* the number of events of all watches so far */
    libxl__watch *early_fire; /* the watch that was passed to libxl__watch_fire_early; NULL: none */
    /* The length of the body of an event of `early_fire` (path and token), in octets. */
    size_t early_fire_length;
    /*
     * The watch that the header of the present event has made fire. The body of the event has not arrived
     * yet. NULL: no watch. The watch may be freed already, so only compare the pointer.
     */
    libxl__watch *fired_early;
} libxl__watches;

/* Call all functions with the context locked. */

/* Frees all watches. Called while the context is freed, after the transport has been closed. */
void libxl__watches_close(libxl_ctx *ctx);

/*
 * Frees the slot of a watch, but not the watch: the transport's thread still uses the watch and frees it
 * later. Called while the context is freed.
 */
void libxl__watch_leave(libxl_ctx *ctx, libxl__watch *watch);

/*
 * Watches `path`, which is copied. `own` true: the watch belongs to the context itself, not to an operation
 * or the application. An own watch is not counted. It may be added while the connection to xenstored is down.
 * After each loss of the connection, an own watch is registered again and fires. *watch_out is set before the
 * callback is first called. The first call may happen before this function returns. Returns 0, or an error
 * without a message: NOMEM, FAIL, or (if `own` is false) NO_XENSTORE.
 */
int libxl__watch_add(libxl_ctx *ctx, const char *path, libxl__watch_callback *callback, void *user, bool own,
                     libxl__watch **watch_out);
/*
 * Like libxl__watch_add with `own` true, for @introduceDomain or @releaseDomain. If xenstored can, it names the
 * domain in the path of each event (libxl__watch_domid). The event that it sends when the watch is registered
 * names no domain. A xenstored before 4.22 refuses to name domains. The watch is then registered without names,
 * which takes one more message.
 */
int libxl__watch_add_domains(libxl_ctx *ctx, const char *path, libxl__watch_callback *callback, void *user,
                             libxl__watch **watch_out);
/*
 * Called in the callback of a watch of libxl__watch_add_domains. Returns whether the event names a domain, and stores
 * its domid. If the watch fires early, returns false before the body of the event has arrived.
 */
bool libxl__watch_domid(const libxl_ctx *ctx, uint32_t *domid_out);
/*
 * Called in the callback of a watch that fires early. Returns whether the callback can wait for the body of
 * the event, because the body names a domain. The callback is then called again when the body has arrived.
 */
bool libxl__watch_defer(libxl_ctx *ctx);
/*
 * Call this when the connection to xenstored is lost. Calls the callbacks of all watches with `failed` set,
 * except the callbacks of the context's own watches.
 */
void libxl__watches_lost(libxl_ctx *ctx);
/* Call this when the connection to xenstored is up again. Registers the context's own watches. */
void libxl__watches_restore(libxl_ctx *ctx);
/*
 * Call this for a watch that has failed. Returns true if the connection was lost, and false if xenstored has refused
 * the watch.
 */
bool libxl__watch_is_lost(const libxl__watch *watch);
/* Returns the error with which xenstored has refused the watch, or 0. Errors: those of libxl__xs_for_application. */
int libxl__watch_refusal(const libxl__watch *watch);
/*
 * Makes a watch fire early: when the header of an event arrives, before the body arrives. xenstored writes
 * the header and the body separately. On a busy machine, milliseconds pass between the two writes. The header
 * contains only the length of the body. So the watch fires when a header contains the length of the watch's
 * events. The watch does not fire again when the body arrives. Events of other watches may have the same
 * length, so the callback must tolerate superfluous calls. Only one watch can fire early.
 */
void libxl__watch_fire_early(libxl_ctx *ctx, libxl__watch *watch);
/* Removes the watch. The watch's callback is not called again. NULL: does nothing. */
void libxl__watch_remove(libxl_ctx *ctx, libxl__watch *watch);

#endif
