/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interface between xs.c and watch.c on one side and the two transports to xenstored on the other.
 * Operations use xs.h and watch.h instead.
 *
 *    xs_wire.c  speaks the public wire protocol (xen/io/xs_wire.h) over the socket of wire.c. Requests are
 *               pipelined. Nothing blocks, and there is no thread. This is the usual transport.
 *    xs_lib.c   calls libxenstore on a thread of its own, one batch after the other. It is used if xenstored
 *               can only be reached through the kernel's device, or if the application asks for it
 *               (LIBXL_CTX_LIBXENSTORE).
 */
#ifndef LIBXL__XS_TRANSPORT_H
#define LIBXL__XS_TRANSPORT_H

#include "watch.h"
#include "xs_batch.h"

/*
 * A watch. watch.c owns the watch, and the context's lock guards it. There may be memory for the transport in
 * front of the structure.
 */
struct libxl__watch {
    uint32_t slot, generation;       /* the two numbers that form the watch's token */
    libxl__watch_callback *callback; /* the function to call; NULL: the watch was removed */
    void *user;
    /*
     * The watch belongs to the context, not to an operation. Such a watch is not counted. It is registered
     * again after the connection was lost.
     */
    bool own;
    /*
     * `names_domain`: the watch was added by libxl__watch_add_domains. `depth`: the watch was sent with the
     * depth 1, so that its events name the domain. Only a xenstored of Xen 4.22 or later accepts that.
     */
    bool names_domain, depth;
    /* The watch was passed to the transport since the last loss of the connection. */
    bool sent;
    int errnoval; /* the errno with which xenstored has refused the watch; 0: it has not */
    char path[];
};

typedef struct libxl__xs_transport {
    /* True if watch events and answers arrive in the order in which xenstored has sent them. */
    bool in_order;
    /* The number of octets to allocate in front of each libxl__watch, for the transport's own data. */
    size_t watch_room;
    /*
     * Prepares the transport without connecting. Called while the context is made. Errors, with a message:
     * NOMEM, FAIL. After an error nothing is left open.
     */
    int (*open)(libxl_ctx *ctx);
    /* Frees everything that `open` has prepared. Called while the context is freed, after `disconnect`. */
    void (*close)(libxl_ctx *ctx);
    /*
     * Begins to connect, sets link.address, and sends a request. Called with the context locked, while there
     * is no connection. The transport calls libxl__xs_link_proved when xenstored has answered. Returns 0 or
     * an errno. EAGAIN: xenstored's queue of new connections is full. After an error there is no connection.
     */
    int (*connect)(libxl_ctx *ctx);
    /*
     * Sends xenstored a request. Called with the context locked, once a second while the connection is up. A
     * transport that notices a lost connection only at a request needs this function. NULL: the transport
     * notices a loss without a request.
     */
    void (*ping)(libxl_ctx *ctx);
    /* Called with the context locked. Handles the answers that have arrived. */
    void (*receive)(libxl_ctx *ctx);
    /*
     * Closes the connection, if there is one. Called with the context locked, or while the context is freed.
     * Batches that are running end with ENOTCONN. If the operation of such a batch has freed the batch, the
     * transport now frees it.
     */
    void (*disconnect)(libxl_ctx *ctx);
    /*
     * Called with the context locked. Adds the transport's threads and jobs to the counters. NULL: the
     * transport has no threads.
     */
    void (*count)(libxl_ctx *ctx, libxl_counters *out);
    /* Closes the child's copies of the descriptors. Called in the child of a fork. */
    void (*postfork)(libxl_ctx *ctx);
    /*
     * Reserves memory for a batch. libxl__xs_reserve calls this. Called with the context locked. xs.c calls `release`
     * just before it runs or frees the batch. Errors: NOMEM, FAIL.
     */
    int (*reserve)(libxl_ctx *ctx, libxl__xs_batch *batch, uint32_t requests, size_t octets);
    /* Called with the context locked. Releases the reservation of a batch. Not called for the spare batch. */
    void (*release)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /*
     * Starts a batch. Called with the context locked. The transport calls libxl__xs_batch_ended when the
     * batch ends. That may happen before `run` returns. If `run` returns an error, libxl__xs_batch_ended is
     * not called. Errors: NOMEM, FAIL, NO_XENSTORE.
     */
    int (*run)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /* Called with the context locked. Returns whether a batch that was run is queued and has never started. */
    bool (*is_queued)(const libxl_ctx *ctx, const libxl__xs_batch *batch);
    /*
     * Withdraws a queued batch. Called with the context locked. Returns true if the batch was queued. Returns
     * false if the batch is not queued; the transport will then call libxl__xs_batch_ended for it.
     */
    bool (*withdraw)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /*
     * Called with the context locked. Returns whether a running batch is a transaction whose commit has not
     * been sent. If such a batch is freed now, it changes nothing in xenstore.
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

/*
 * ---- functions of xs.c and watch.c for the transports. Call them with the context locked, unless the
 * comment says otherwise.
 */

/*
 * Records that the batch has failed, unless it has failed before. `request` is the request that has failed;
 * NULL: the whole transaction has failed. The thread of xs_caller.c calls this without the lock.
 */
void libxl__xs_failed(libxl__xs_batch *batch, const libxl__xs_request *request, int errnoval);
/*
 * Returns whether the node's value meets a REQUIRE request. `value` NULL: the node is missing. Sets `vacant`
 * in the request. The thread of xs_caller.c calls this without the lock.
 */
bool libxl__xs_met(libxl__xs_request *request, const char *value, size_t length);
/*
 * Returns whether a part of a list of names meets a REQUIRE_NAMES request. The part is the `size` octets at
 * `names`, and begins at the request's offset. `last`: it reaches the end of the list. The thread of
 * xs_caller.c calls this without the lock.
 */
bool libxl__xs_has_names(const libxl__xs_request *request, const char *names, size_t size, bool last);
/*
 * Ends a batch. Fires the batch's source, or frees the batch if its operation has freed it. `ctx` NULL: the
 * context was freed.
 */
void libxl__xs_batch_ended(libxl_ctx *ctx, libxl__xs_batch *batch);
/* Reports that xenstored has accepted the watch (0), or has refused it with an errno. */
void libxl__watch_added(libxl_ctx *ctx, libxl__watch *watch, int errnoval);
/* Reports an event of the watch that has this token. An event with an unknown token is ignored. */
void libxl__watch_event(libxl_ctx *ctx, const char *path, const char *token);
/*
 * Reports that the header of an event has arrived, but not its body. `length` is the length of the body,
 * which is a path and a token.
 */
void libxl__watch_early_fire(libxl_ctx *ctx, size_t length);
/* Frees a watch that is not registered with xenstored. */
void libxl__watch_free(libxl_ctx *ctx, libxl__watch *watch);

/* The token that names a watch in messages to and from xenstored. */
typedef struct libxl__watch_token {
    char text[20];
} libxl__watch_token;
/* Returns the token of a watch. Any thread may call this, locked or not. */
libxl__watch_token libxl__watch_token_of(const libxl__watch *watch);

#endif
