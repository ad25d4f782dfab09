/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to xenstored, in batches. An operation adds requests to a batch and runs it. The batch is a source of the
 * operation: it fires when all its requests have been answered. Nothing here blocks.
 *
 * Batches are sent to xenstored in the order in which they are run. A transaction is the exception: it may be queued until
 * other transactions have ended.
 *
 * Call all functions with the context locked. A batch is freed with its operation at the latest. Paths and values are copied
 * into the batch.
 */
#ifndef LIBXL__XS_H
#define LIBXL__XS_H

#include <stdarg.h>

#include "ao.h"
#include "worker.h"

/* The permissions of a node. The owner of a node may do everything with it. */
typedef enum libxl__xs_perms {
    LIBXL__XS_INHERITS,    /* a new node gets its parent's permissions; an existing node keeps its own */
    LIBXL__XS_GUEST_READS, /* domain 0 owns the node; the guest may read it; nobody else may */
    LIBXL__XS_GUESTS,      /* the guest owns the node */
    LIBXL__XS_FRONTEND,    /* the guest owns the node; its backend's domain may read it */
    LIBXL__XS_BACKEND,     /* the backend's domain owns the node; the guest may read it */
    LIBXL__XS_OURS,        /* domain 0 owns the node; nobody else may read it */
} libxl__xs_perms;

/* The message of a request that fails with NO_XENSTORE after it was sent. */
#define LIBXL__XS_LOST "the connection to xenstored was lost"

typedef struct libxl__xs_batch libxl__xs_batch;
typedef struct libxl__xs_request libxl__xs_request;

/*
 * Makes an empty batch. `domid` is the guest that libxl__xs_perms and libxl__xs_introduce refer to. Returns NULL if
 * there is no memory.
 */
libxl__xs_batch *libxl__xs_batch_new(libxl__ao *ao, uint32_t domid);
/* Sets the domain that LIBXL__XS_FRONTEND and LIBXL__XS_BACKEND mean; without this call it is domain 0. */
void libxl__xs_set_backend(libxl__xs_batch *batch, uint32_t backend_domid);

/*
 * Each of the following functions adds one request. The path is a printf format with its arguments. If there is no memory,
 * libxl__xs_run fails with NOMEM.
 */

/* Reads a node. libxl__xs_value returns the value once the batch is done. A missing node is not an error. */
libxl__xs_request *libxl__xs_read(libxl__xs_batch *batch, const char *path, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * Lists the names of a node's children. The list begins at octet `offset` and has as many names as fit into a message
 * of xenstored. libxl__xs_names returns them once the batch is done. A missing node is not an error.
 */
libxl__xs_request *libxl__xs_list(libxl__xs_batch *batch, uint32_t offset, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/* Writes a node. xenstored makes the node and its parents if they are missing; new parents inherit their permissions. */
void libxl__xs_write(libxl__xs_batch *batch, libxl__xs_perms perms, const char *value, const char *path, ...)
    __attribute__((format(printf, 4, 5)));
/* Formats a value in the batch's memory. Never NULL: without memory it is "", and libxl__xs_run fails with NOMEM. */
const char *libxl__xs_text(libxl__xs_batch *batch, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Sets the permissions of an existing node. A missing node is an error. */
void libxl__xs_permit(libxl__xs_batch *batch, libxl__xs_perms perms, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/* Removes a node and all nodes below it. A missing node is not an error. */
void libxl__xs_remove(libxl__xs_batch *batch, const char *path, ...) __attribute__((format(printf, 2, 3)));
/*
 * Removes an empty node, then its parent if that is empty by then, and so on, at most `levels` nodes. A missing node
 * counts as removed. Only for a transaction.
 */
void libxl__xs_prune(libxl__xs_batch *batch, uint32_t levels, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Checks that a node exists and, unless `value` is NULL, that it holds `value`. Otherwise the batch fails with `rc`,
 * and a transaction changes nothing. So a transaction cannot re-create the nodes of a domain that is gone, and cannot
 * overwrite what another program has written in the meantime.
 */
libxl__xs_request *libxl__xs_require(libxl__xs_batch *batch, int rc, const char *value, const char *path, ...)
    __attribute__((format(printf, 4, 5)));
/* Checks that a node does not exist. Otherwise the batch fails with `rc`, like libxl__xs_require. */
libxl__xs_request *libxl__xs_require_absent(libxl__xs_batch *batch, int rc, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/* Returns whether the node of a libxl__xs_require was missing or empty. Call this once the batch is done. */
bool libxl__xs_vacant(const libxl__xs_request *request);
/*
 * Checks that the batch's domain still has its nodes in xenstore. Otherwise the batch fails with DOMAIN_DESTROYED. It
 * also fails if the domain's `vm` node names another UUID, because then another domain has the domid. A missing `vm`
 * node is accepted, because a domain that no toolstack has made has none. A nil `uuid` is not compared; it means that
 * the UUID is not known.
 */
void libxl__xs_require_domain(libxl__xs_batch *batch, const libxl_uuid *uuid);
/*
 * Introduces the batch's domain to xenstored. `gfn` is the frame of the domain's xenstore ring. `port` is the event
 * channel of the ring.
 */
void libxl__xs_introduce(libxl__xs_batch *batch, unsigned long gfn, uint32_t port);

/*
 * ONE_BY_ONE: the requests are independent. After one has failed, later ones may or may not be carried out.
 * TRANSACTION: either all requests are carried out or none.
 */
typedef enum libxl__xs_mode { LIBXL__XS_ONE_BY_ONE, LIBXL__XS_TRANSACTION } libxl__xs_mode;

/*
 * Reserves memory for this number of requests. `octets` is the total length of their paths and values, each with its
 * terminating zero. Afterwards, adding these requests and running the batch ONE_BY_ONE can fail only if the
 * connection to xenstored is down. The reservation stays valid if the connection is lost. Call this before the first
 * request is added. Errors: NOMEM, FAIL, recorded in ao.
 */
int libxl__xs_reserve(libxl__xs_batch *batch, uint32_t requests, size_t octets);

/* Runs the batch. Add no more requests afterwards. Returns 0, or NOMEM, FAIL, NO_XENSTORE, recorded in ao. */
int libxl__xs_run(libxl__xs_batch *batch, libxl__xs_mode mode);

/*
 * Runs the batch like libxl__xs_run. If the connection to xenstored was lost less than a second ago, the batch waits
 * for a new connection, for about a second at most. If the batch cannot be run, it is done and libxl__xs_rc returns
 * the error.
 */
void libxl__xs_run_anyway(libxl__xs_batch *batch, libxl__xs_mode mode);

/* Returns whether the batch was run and has ended. */
bool libxl__xs_done(const libxl__xs_batch *batch);
/*
 * Returns 0 or the first error of a batch that is done, and records the error in ao. Errors: XENSTORE, PERMISSION,
 * INVAL (a request is too long for xenstored), NOMEM, NO_XENSTORE (the connection was lost before the answer), or the
 * `rc` of a libxl__xs_require.
 */
int libxl__xs_result(libxl__xs_batch *batch);
/* Returns what libxl__xs_result returns, but records nothing in ao. */
int libxl__xs_rc(const libxl__xs_batch *batch);
/*
 * Returns the value that a request has read, up to its first zero octet, or NULL if the node is missing. The value
 * belongs to the batch.
 */
const char *libxl__xs_value(const libxl__xs_request *request);
/*
 * Returns the names that a LIST has found, each with a terminating zero, and their total size in octets. An empty
 * name marks the end of the list. If two parts of a list have different versions (*version_out), the list has changed
 * in between. Returns NULL if the node is missing. The names and the version belong to the batch.
 */
const char *libxl__xs_names(const libxl__xs_request *request, size_t *size_out, const char **version_out);
/*
 * Returns true if the batch has not changed xenstore and will not: it has not been run, is only queued, or is a
 * transaction whose commit has not been sent. Free the batch then. Returns false if the batch has changed xenstore or
 * may do so.
 */
bool libxl__xs_take_back(libxl__xs_batch *batch);
/*
 * Returns true if the batch is still queued, and another batch has ended since this one was run or since the last
 * call. That shows that xenstored answers, so the caller may wait longer.
 */
bool libxl__xs_advances(libxl__xs_batch *batch);
/* Frees the batch, whatever its state. If it is running, the transport frees it when it ends. NULL: nothing happens. */
void libxl__xs_batch_free(libxl__xs_batch *batch);

/*
 * The spare batch. Each context has at most one. It is for undos whose memory cannot be reserved in each operation.
 * An undo that finds no memory for its own batch takes the spare batch, or waits in a queue for it. The spare batch
 * runs as a transaction without allocating memory. With LIBXL_CTX_LIBXENSTORE, libxenstore itself still allocates
 * memory.
 */
enum { LIBXL__XS_SPARE_REQUESTS = 6, LIBXL__XS_SPARE_OCTETS = 512 };

/* A place in the queue for the spare batch. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__xs_turn {
    libxl__source source; /* fires when it is this operation's turn */
    TAILQ_ENTRY(libxl__xs_turn) link;
    bool waits;
    uint32_t uses_seen; /* of the batch; for libxl__xs_spare_advances */
} libxl__xs_turn;

/*
 * Makes sure that the context has its spare batch. It has room for LIBXL__XS_SPARE_REQUESTS requests, whose paths and
 * values take at most LIBXL__XS_SPARE_OCTETS octets together. Call this before the change that the batch may have to
 * undo. Errors: NOMEM, recorded in ao.
 */
int libxl__xs_spare_reserve(libxl__ao *ao);
/*
 * Returns the spare batch, empty, as libxl__xs_batch_new does. Returns NULL if another operation uses it; `turn`
 * fires when it is this operation's turn. Call this only after libxl__xs_spare_reserve.
 */
libxl__xs_batch *libxl__xs_spare_get(libxl__ao *ao, libxl__xs_turn *turn, uint32_t domid);
/* Returns whether another operation has given the spare batch back since the last call with this `turn`. */
bool libxl__xs_spare_advances(libxl_ctx *ctx, libxl__xs_turn *turn);

#endif
