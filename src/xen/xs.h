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

#include "ao.h"
#include "worker.h"

/* The permissions of a node. The owner of a node may do everything with it. */
typedef enum libxl__xs_perms {
    LIBXL__XS_INHERITS,    /* a new node gets its parent's permissions; an existing node keeps its own */
    LIBXL__XS_GUEST_READS, /* domain 0 owns the node; the guest may read it; nobody else may */
    LIBXL__XS_GUESTS,      /* the guest owns the node */
} libxl__xs_perms;

/* What the messages of requests say that fail with NO_XENSTORE after they were sent. */
#define LIBXL__XS_LOST "the connection to xenstored was lost"

typedef struct libxl__xs_batch libxl__xs_batch;
typedef struct libxl__xs_request libxl__xs_request;

/* Makes an empty batch. `domid` is the guest that libxl__xs_perms speaks of. Returns NULL if there is no memory. */
libxl__xs_batch *libxl__xs_batch_new(libxl__ao *ao, uint32_t domid);

/*
 * Each of the following functions adds one request. The path is a printf format with its arguments. If there is no memory,
 * libxl__xs_run fails with NOMEM.
 */

/* Reads a node. libxl__xs_value returns the value once the batch is done. A missing node is not an error. */
libxl__xs_request *libxl__xs_read(libxl__xs_batch *batch, const char *path, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * Lists the names of a node's children, from octet `offset` of the list on: as much as fits into a message of xenstored.
 * libxl__xs_names returns them once the batch is done. A missing node is not an error.
 */
libxl__xs_request *libxl__xs_list(libxl__xs_batch *batch, uint32_t offset, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/* Writes a node. xenstored makes the node and its parents if they are missing; new parents inherit their permissions. */
void libxl__xs_write(libxl__xs_batch *batch, libxl__xs_perms perms, const char *value, const char *path, ...)
    __attribute__((format(printf, 4, 5)));
/* Sets the permissions of an existing node. A missing node is an error. */
void libxl__xs_permit(libxl__xs_batch *batch, libxl__xs_perms perms, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/* Removes a node and all nodes below it. A missing node is not an error. */
void libxl__xs_remove(libxl__xs_batch *batch, const char *path, ...) __attribute__((format(printf, 2, 3)));
/*
 * Checks that a node exists and, unless `value` is NULL, that it holds `value`. Otherwise the batch fails with `rc`. In a
 * transaction nothing is changed then. So a transaction cannot re-create the nodes of a domain that is gone, and cannot
 * overwrite what another program has written in the meantime.
 */
libxl__xs_request *libxl__xs_require(libxl__xs_batch *batch, int rc, const char *value, const char *path, ...)
    __attribute__((format(printf, 4, 5)));
/* Of a request that libxl__xs_require has added, once the batch is done: whether the node was missing or empty. */
bool libxl__xs_vacant(const libxl__xs_request *request);
/*
 * Checks that the batch's domain still has its nodes in xenstore. Otherwise the batch fails with DOMAIN_DESTROYED. It also
 * fails if the domain's `vm` node names another UUID, because another domain has the domid then. A missing `vm` node passes:
 * domains that no toolstack has made have none. A nil `uuid` means that the UUID is not known; it is not compared then.
 */
void libxl__xs_require_domain(libxl__xs_batch *batch, const libxl_uuid *uuid);
/* Introduces the batch's domain to xenstored. `gfn` is the frame of its xenstore ring, `port` its event channel. */
void libxl__xs_introduce(libxl__xs_batch *batch, unsigned long gfn, uint32_t port);

/*
 * ONE_BY_ONE: the requests are independent. After one has failed, later ones may or may not be carried out.
 * TRANSACTION: either all requests are carried out or none.
 */
typedef enum libxl__xs_mode { LIBXL__XS_ONE_BY_ONE, LIBXL__XS_TRANSACTION } libxl__xs_mode;

/*
 * Reserves memory for this number of requests. `octets` is the total length of their paths and values, each with its
 * terminating zero. Afterwards, adding these requests and running the batch ONE_BY_ONE can fail only if the connection to
 * xenstored is down. The reservation survives the loss of the connection. Call this before the first request is added. Errors: NOMEM, FAIL, recorded in ao.
 */
int libxl__xs_reserve(libxl__xs_batch *batch, uint32_t requests, size_t octets);

/* Runs the batch. Add no more requests afterwards. Returns 0, or NOMEM, FAIL, NO_XENSTORE, recorded in ao. */
int libxl__xs_run(libxl__xs_batch *batch, libxl__xs_mode mode);

/*
 * Runs the batch like libxl__xs_run. If the connection to xenstored has been down for less than a second, the batch waits about
 * that long until there is a connection. If it cannot be run, it is done and libxl__xs_rc returns the error.
 */
void libxl__xs_run_anyway(libxl__xs_batch *batch, libxl__xs_mode mode);

/* Whether the batch was run and has ended. */
bool libxl__xs_done(const libxl__xs_batch *batch);
/*
 * Returns 0 or the first error of a batch that is done, and records the error in ao. Errors: XENSTORE, PERMISSION, INVAL (a
 * request is too long for xenstored), NOMEM, NO_XENSTORE (the connection was lost before the answer), or the error that libxl__xs_require was given.
 */
int libxl__xs_result(libxl__xs_batch *batch);
/* Returns what libxl__xs_result returns, but records nothing in ao. */
int libxl__xs_rc(const libxl__xs_batch *batch);
/*
 * Returns the value that a request has read, up to its first zero octet; NULL: the node is missing. The value belongs to the
 * batch.
 */
const char *libxl__xs_value(const libxl__xs_request *request);
/*
 * Returns the names that a LIST has found, each with a terminating zero, and their size in octets; an empty name is the end of
 * the list. The text `*version_out` differs from that of another part if the list has changed in between. NULL: there is no such
 * node. All belong to the batch.
 */
const char *libxl__xs_names(const libxl__xs_request *request, size_t *size_out, const char **version_out);
/*
 * Returns true if the batch changes nothing in xenstore: it has not been run, is only queued, or is a transaction whose commit has not been
 * sent. Free it then. Returns false if it has changed something or may do so.
 */
bool libxl__xs_take_back(libxl__xs_batch *batch);
/*
 * Whether a queued batch moves forward in its queue. Returns true if the batch has not started yet, and another batch has
 * ended since this one was run or since this was last called. So xenstored answers, and waiting longer makes sense.
 */
bool libxl__xs_advances(libxl__xs_batch *batch);
/* Frees the batch, whatever its state. If it is running, the transport frees it when it ends. NULL: nothing happens. */
void libxl__xs_batch_free(libxl__xs_batch *batch);

/*
 * The spare batch: each context has at most one. It is for an undo whose memory cannot be reserved for each operation. Whoever
 * finds no memory for a batch of its own takes the spare one, or waits in turn for it. It runs as a transaction, and then needs no memory. With
 * LIBXL_CTX_LIBXENSTORE libxenstore allocates memory all the same.
 */
enum { LIBXL__XS_SPARE_REQUESTS = 6, LIBXL__XS_SPARE_OCTETS = 512 };

/* A place in the queue for the spare batch. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__xs_turn {
    libxl__source source; /* fires when it is this operation's turn */
    TAILQ_ENTRY(libxl__xs_turn) link;
    bool waits;
} libxl__xs_turn;

/*
 * Makes sure that the context has its spare batch, for LIBXL__XS_SPARE_REQUESTS requests whose paths and values take
 * LIBXL__XS_SPARE_OCTETS octets together. Call this before the change that the batch may have to undo. Errors: NOMEM, recorded in ao.
 */
int libxl__xs_spare_reserve(libxl__ao *ao);
/*
 * Returns the spare batch, empty, like libxl__xs_batch_new; NULL: another operation uses it, and `turn` fires when it is this
 * operation's turn. Call this only after libxl__xs_spare_reserve.
 */
libxl__xs_batch *libxl__xs_spare_get(libxl__ao *ao, libxl__xs_turn *turn, uint32_t domid);

#endif
