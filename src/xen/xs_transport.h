/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How requests get to xenstored. Two ways, behind the same verbs (xs.h, watch.h):
 *
 *   xs_wire.c    the public wire protocol (xen/io/xs_wire.h), over the connection of wire.c: requests are
 *                pipelined, nothing blocks, no thread. The usual one.
 *   xs_lib.c     libxenstore on a worker, one batch after the other: where xenstored is reached by the
 *                kernel's device, or the application asks for it (LIBXL_CTX_LIBXENSTORE).
 */
#ifndef LIBXL__XS_TRANSPORT_H
#define LIBXL__XS_TRANSPORT_H

#include "watch.h"
#include "xs.h"

typedef enum libxl__xs_kind {
    LIBXL__XS_READ,
    LIBXL__XS_WRITE,
    LIBXL__XS_PERMIT,
    LIBXL__XS_REMOVE,
    LIBXL__XS_REQUIRE,
    LIBXL__XS_INTRODUCE
} libxl__xs_kind;

struct libxl__xs_request {
    libxl__xs_kind kind;
    libxl__xs_perms perms; /* PERMIT: not INHERITS */
    bool optional;         /* REQUIRE: no node is as good */
    int rc;                /* REQUIRE: the error */
    const char *path;
    const char *value; /* WRITE; REQUIRE: what the node is to hold, NULL: anything */
    unsigned long gfn; /* INTRODUCE */
    uint32_t port;
    char *found; /* READ, REQUIRE: malloc'ed, ends with a zero octet; NULL: no node */
    STAILQ_ENTRY(libxl__xs_request) link;
};

struct libxl__xs_batch {
    libxl__source source; /* first; not attached: given up */
    libxl__ao *ao;
    libxl__gc gc;
    uint32_t domid;
    libxl__xs_mode mode;
    enum { LIBXL__XS_IDLE, LIBXL__XS_UNDER_WAY, LIBXL__XS_DONE } state;
    bool out_of_memory;
    bool has_reserve; /* what follows is reserved at the transport */
    uint32_t reserved;
    size_t reserved_octets;
    uint32_t ended; /* of others: libxl__xs_advances */
    int rc;
    const char *message; /* in gc */
    STAILQ_HEAD(, libxl__xs_request) requests;
    libxl__job job; /* xs_lib */
    /* xs_wire: */
    bool waits; /* for its turn, in line */
    TAILQ_ENTRY(libxl__xs_batch) line;
    bool begun; /* the transaction's id has been asked for and given */
    uint32_t unanswered, transaction;
    _Alignas(16) char memory[256]; /* the first of gc */
};

/* xs_wire: those under way, and those that wait until one of them has ended, or met another. */
typedef struct libxl__transactions {
    uint32_t open;
    uint32_t ended; /* so far, modulo 2^32; of xs_lib: batches */
    TAILQ_HEAD(, libxl__xs_batch) waiting;
} libxl__transactions;

struct libxl__watch {
    uint32_t slot, generation;
    libxl__watch_callback *callback; /* NULL: removed */
    void *user;
    bool own, registered, failed;
    char path[];
};

typedef struct libxl__xs_transport {
    bool in_order;     /* what a watch has to tell comes in front of the answers to later requests */
    size_t watch_room; /* memory that it needs in front of each watch */
    /* Locked or not yet shared. Errors: NO_XENSTORE, PERMISSION, FAIL, NOMEM; nothing is left open then. */
    int (*open)(libxl_ctx *ctx);
    /* The workers are gone. What is still under way has been given up, and is freed. */
    void (*close)(libxl_ctx *ctx);
    /* In the child of a fork: gives up the descriptors. */
    void (*postfork)(libxl_ctx *ctx);
    /* Locked. Reserves what libxl__xs_reserve promises; released before the batch is run or freed. 0, or NOMEM, FAIL. */
    int (*reserve)(libxl_ctx *ctx, libxl__xs_batch *batch, uint32_t requests, size_t octets);
    void (*release)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /* Locked. Sets a batch going, which ends with libxl__xs_batch_ended. 0, or NOMEM, FAIL, NO_XENSTORE. */
    int (*run)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /* Locked. Takes back a batch that has been given up; false: it is too late, it will end by itself. */
    bool (*withdraw)(libxl_ctx *ctx, libxl__xs_batch *batch);
    /* Locked. Ends with libxl__watch_added. 0, or an error as of run. */
    int (*add_watch)(libxl_ctx *ctx, libxl__watch *watch);
    /* Locked. Ends with libxl__watch_free, sooner or later. */
    void (*remove_watch)(libxl_ctx *ctx, libxl__watch *watch);
} libxl__xs_transport;

extern const libxl__xs_transport libxl__xs_wire, libxl__xs_lib;

/* For the transports; locked. */

/* Keeps a batch's first failure: what `request` (NULL: the batch as such) met with. Also unlocked, by whoever
 * has it. */
void libxl__xs_failed(libxl__xs_batch *batch, const libxl__xs_request *request, int errnoval);
/* Whether what a REQUIRE has found is not what it needs. */
bool libxl__xs_unmet(const libxl__xs_request *request);
/* A batch has ended: its operation is woken, or it is freed. */
void libxl__xs_batch_ended(libxl__xs_batch *batch);
/* xenstored has taken the watch, or refused it. */
void libxl__watch_added(libxl_ctx *ctx, libxl__watch *watch, bool taken);
/* Something has happened to what the watch with this token watches. */
void libxl__watch_event(libxl_ctx *ctx, const char *token);
/* The header of an event has arrived, whose path and token will have so many octets. */
void libxl__watch_early_fire(libxl_ctx *ctx, size_t length);
void libxl__watch_free(libxl_ctx *ctx, libxl__watch *watch);

/* By which xenstored names a watch to us. Needs no lock. */
typedef struct libxl__watch_token {
    char text[20];
} libxl__watch_token;
libxl__watch_token libxl__watch_token_of(const libxl__watch *watch);

#endif
