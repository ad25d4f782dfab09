/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interface between xs.c and watch.c on one side and the two transports to xenstored on the other. Operations use xs.h
 * and watch.h instead.
 *
 *   xs_wire.c    speaks the public wire protocol (xen/io/xs_wire.h) over the socket of wire.c. Requests are pipelined; nothing
 *                blocks, and there is no thread. This is the usual transport.
 *   xs_lib.c     calls libxenstore on a worker, one batch after the other. It is used if xenstored can only be reached through
 *                the kernel's device, or if the application asks for it (LIBXL_CTX_LIBXENSTORE).
 */
#ifndef LIBXL__XS_TRANSPORT_H
#define LIBXL__XS_TRANSPORT_H

#include "watch.h"
#include "xs_batch.h"

/* A watch. It belongs to watch.c and is guarded by the context's lock. The transport may allocate memory in front of it. */
struct libxl__watch {
    uint32_t slot, generation;       /* make up the token */
    libxl__watch_callback *callback; /* NULL: the watch has been removed */
    void *user;
    bool own;  /* it is the context's own: not counted, and registered again after the connection was lost */
    bool sent; /* the transport has it; false: not sent yet, or the connection was lost since */
    bool failed; /* used by xs_lib.c: xenstored has refused it */
    char path[];
};

typedef struct libxl__xs_transport {
    /* Whether watch events arrive before the answers to requests that xenstored has handled after them. */
    bool in_order;
    /* How many octets of memory to allocate in front of each libxl__watch, for the transport's own data. */
    size_t watch_room;
    /* Prepares the transport, not connected. Called while the context is made. Errors, with a message: NOMEM, FAIL. After an
     * error nothing is left open. */
    int (*open)(libxl_ctx *ctx);
    /* Frees what `open` has prepared. Called while the context is freed, disconnected, after the workers have ended. */
    void (*close)(libxl_ctx *ctx);
    /*
     * Called with the context locked, while the transport is not connected. Begins to connect, sets link.address, and sends
     * a request. The transport calls libxl__xs_link_proved when xenstored has answered. Returns 0 or an errno. EAGAIN
     * means that xenstored's backlog is full. After an error nothing is connected.
     */
    int (*connect)(libxl_ctx *ctx);
    /*
     * Called with the context locked, once a second while the connection is up. Sends xenstored a request, for a transport
     * that notices a lost connection only at a request. NULL: the transport notices it by itself.
     */
    void (*ping)(libxl_ctx *ctx);
    /* Called with the context locked. Handles the answers that have arrived. */
    void (*receive)(libxl_ctx *ctx);
    /*
     * Called with the context locked, or while the context is freed. Closes the connection, if there is one. Ends the
     * batches that are under way with ENOTCONN. A batch that its operation has freed already is freed then.
     */
    void (*disconnect)(libxl_ctx *ctx);
    /* Called with the context locked. Adds the transport's threads and jobs to the counters. NULL: it has none. */
    void (*count)(libxl_ctx *ctx, libxl_counters *out);
    /* Closes the child's copies of the descriptors. Called in the child of a fork. */
    void (*postfork)(libxl_ctx *ctx);
    /*
     * Called with the context locked. Reserves the memory for a batch that libxl__xs_reserve promises. xs.c calls
     * `release` just before it runs or frees the batch. Errors: NOMEM, FAIL.
     */
    int (*reserve)(libxl_ctx *ctx, libxl__xs_batch *batch, uint32_t requests, size_t octets);
    /* Called with the context locked. Releases what `reserve` has reserved for the batch; not called for the spare batch. */
    void (*release)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /*
     * Called with the context locked. Starts a batch. The transport calls libxl__xs_batch_ended when the batch ends,
     * possibly before this returns. After an error it does not call it. Errors: NOMEM, FAIL, NO_XENSTORE.
     */
    int (*run)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /* Called with the context locked. Returns whether a batch that was run is queued and has never started. */
    bool (*is_queued)(const libxl_ctx *ctx, const libxl__xs_batch *batch);
    /*
     * Called with the context locked. Withdraws a queued batch. Returns false if the batch is not queued; it will end by
     * itself then.
     */
    bool (*withdraw)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /*
     * Called with the context locked. Returns whether a batch that is under way is a transaction whose commit has not been
     * sent. If such a batch is freed now, it changes nothing in xenstore.
     */
    bool (*uncommitted)(const libxl__xs_batch *batch);
    /*
     * Called with the context locked. Registers a watch. The transport calls libxl__watch_added when xenstored has
     * answered. Errors: those of `run`.
     */
    int (*add_watch)(libxl_ctx *ctx, libxl__watch *watch);
    /*
     * Called with the context locked. Unregisters a watch. The transport calls libxl__watch_free when xenstored no
     * longer has the watch.
     */
    void (*remove_watch)(libxl_ctx *ctx, libxl__watch *watch);
} libxl__xs_transport;

extern const libxl__xs_transport libxl__xs_wire, libxl__xs_lib;

/* ---- functions of xs.c and watch.c that the transports call, with the context locked unless stated otherwise */

/*
 * Records that the batch has failed, unless it has failed before. `request` is the failed request, or NULL if the
 * transaction as a whole has failed. A worker that carries out the batch calls this without the lock.
 */
void libxl__xs_failed(libxl__xs_batch *batch, const libxl__xs_request *request, int errnoval);
/*
 * Returns whether the node's value meets a REQUIRE. value is NULL if the node is missing. Sets `vacant` in the
 * request. A worker that carries out the batch calls this without the lock.
 */
bool libxl__xs_met(libxl__xs_request *request, const char *value, size_t length);
/* Ends a batch: fires its source, or frees the batch if its operation has already freed it. ctx is NULL if the context is gone. */
void libxl__xs_batch_ended(libxl_ctx *ctx, libxl__xs_batch *batch);
/* Reports that xenstored has accepted the watch, or has refused it. */
void libxl__watch_added(libxl_ctx *ctx, libxl__watch *watch, bool accepted);
/* Reports an event of the watch that has this token. An event with an unknown token is ignored. */
void libxl__watch_event(libxl_ctx *ctx, const char *token);
/* Reports that the header of an event has arrived, but not its body. `length` is that of the body: path and token. */
void libxl__watch_early_fire(libxl_ctx *ctx, size_t length);
/* Frees a watch that xenstored does not know, or no longer knows. */
void libxl__watch_free(libxl_ctx *ctx, libxl__watch *watch);

/* The token that names a watch in messages to and from xenstored. */
typedef struct libxl__watch_token {
    char text[20];
} libxl__watch_token;
/* Returns the token of a watch. Any thread may call this, locked or not. */
libxl__watch_token libxl__watch_token_of(const libxl__watch *watch);

#endif
