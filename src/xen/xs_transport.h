/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interface of the two transports, which carry requests to xenstored. Operations use xs.h and watch.h instead.
 *
 *   xs_wire.c    the public wire protocol (xen/io/xs_wire.h) over the connection of wire.c. Requests are pipelined; nothing
 *                blocks, and there is no thread. The usual transport.
 *   xs_lib.c     libxenstore on a worker, one batch after the other. Used if xenstored can only be reached through the
 *                kernel's device, or if the application asks for it (LIBXL_CTX_LIBXENSTORE).
 */
#ifndef LIBXL__XS_TRANSPORT_H
#define LIBXL__XS_TRANSPORT_H

#include "watch.h"
#include "xs_batch.h"

struct libxl__watch {
    uint32_t slot, generation;
    libxl__watch_callback *callback; /* NULL: removed */
    void *user;
    bool own, registered, failed;
    char path[];
};

typedef struct libxl__xs_transport {
    bool
        in_order; /* an event of a watch arrives before the answers to requests that xenstored handles later */
    size_t watch_room; /* octets that the transport needs in front of each watch */
    /* While the context is made. Errors, with a message: NO_XENSTORE, PERMISSION, FAIL, NOMEM; nothing is left open. */
    int (*open)(libxl_ctx *ctx);
    /* While the context is freed, after the workers have ended. Frees the batches that have been given up. */
    void (*close)(libxl_ctx *ctx);
    /* In the child of a fork: closes the child's copies of the descriptors. */
    void (*postfork)(libxl_ctx *ctx);
    /* Locked. Reserves what libxl__xs_reserve promises; released before the batch is run or freed. 0, or NOMEM, FAIL. */
    int (*reserve)(libxl_ctx *ctx, libxl__xs_batch *batch, uint32_t requests, size_t octets);
    void (*release)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /* Locked. Starts a batch; libxl__xs_batch_ended is called when it ends. Errors: NOMEM, FAIL, NO_XENSTORE. */
    int (*run)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /* Locked. Takes back a batch of which nothing has been sent. Returns false if it is too late: it will end by itself. */
    bool (*withdraw)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /* Locked. libxl__watch_added is called when xenstored has answered. Errors: as for run. */
    int (*add_watch)(libxl_ctx *ctx, libxl__watch *watch);
    /* Locked. libxl__watch_free is called when xenstored no longer knows the watch. */
    void (*remove_watch)(libxl_ctx *ctx, libxl__watch *watch);
} libxl__xs_transport;

extern const libxl__xs_transport libxl__xs_wire, libxl__xs_lib;

/* ---- called by the transports, locked */

/* Records a failure of `request` (NULL: of the batch as a whole), unless the batch has failed before. A worker that has the
 * batch may call it unlocked. */
void libxl__xs_failed(libxl__xs_batch *batch, const libxl__xs_request *request, int errnoval);
/* Whether a REQUIRE has found something other than what it needs. */
bool libxl__xs_unmet(const libxl__xs_request *request);
/* A batch has ended: wakes its operation, or frees the batch if it has been given up. */
void libxl__xs_batch_ended(libxl__xs_batch *batch);
/* xenstored has taken the watch, or refused it. */
void libxl__watch_added(libxl_ctx *ctx, libxl__watch *watch, bool taken);
/* An event of the watch with this token has arrived; there may be no such watch any more. */
void libxl__watch_event(libxl_ctx *ctx, const char *token);
/* The header of an event has arrived, whose path and token will have so many octets. */
void libxl__watch_early_fire(libxl_ctx *ctx, size_t length);
void libxl__watch_free(libxl_ctx *ctx, libxl__watch *watch);

/* The token by which xenstored names a watch to us. Any thread, locked or not. */
typedef struct libxl__watch_token {
    char text[20];
} libxl__watch_token;
libxl__watch_token libxl__watch_token_of(const libxl__watch *watch);

#endif
