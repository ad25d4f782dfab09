/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to xenstored, in batches. An operation adds requests to a batch and runs the batch. The batch is a
 * source of the operation: it fires when all its requests have been answered. No function blocks.
 *
 * Batches are sent to xenstored in the order in which they are run. There is one exception: a transaction may
 * be queued until other transactions have ended.
 *
 * Call all functions with the context locked. A batch is freed at the latest when its operation ends. Paths
 * and values are copied into the batch.
 */
#ifndef LIBXL__XS_H
#define LIBXL__XS_H

#include <stdarg.h>

#include "ao.h"
#include "worker.h"

/*
 * The permissions of a node. The owner of a node may read and write it. "The guest" is the domain of the
 * batch.
 */
typedef enum libxl__xs_perms {
    LIBXL__XS_INHERITS,    /* a new node gets its parent's permissions; an existing node keeps its own */
    LIBXL__XS_GUEST_READS, /* domain 0 owns the node; only the guest may also read it */
    LIBXL__XS_GUESTS,      /* the guest owns the node */
    LIBXL__XS_FRONTEND,    /* the guest owns the node; the backend's domain may read it */
    LIBXL__XS_BACKEND,     /* the backend's domain owns the node; the guest may read it */
} libxl__xs_perms;

/* The error message of a request that was sent but not answered when the connection was lost. */
#define LIBXL__XS_LOST "the connection to xenstored was lost"

typedef struct libxl__xs_batch libxl__xs_batch;
typedef struct libxl__xs_request libxl__xs_request;

/*
 * Makes an empty batch. `domid` is the domid of the guest. libxl__xs_perms and libxl__xs_introduce use this
 * domain. Returns NULL if there is no memory.
 */
libxl__xs_batch *libxl__xs_batch_new(libxl__ao *ao, uint32_t domid);
/*
 * Sets the backend's domain for LIBXL__XS_FRONTEND and LIBXL__XS_BACKEND. Without this call the backend's
 * domain is domain 0.
 */
void libxl__xs_set_backend(libxl__xs_batch *batch, uint32_t backend_domid);

/*
 * Each of the following functions adds one request to the batch. `path` is a printf format; the format's
 * arguments follow it. If there is no memory for a request, libxl__xs_run fails with NOMEM.
 */

/* Reads a node. libxl__xs_value returns the value once the batch is done. A missing node is not an error. */
libxl__xs_request *libxl__xs_read(libxl__xs_batch *batch, const char *path, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * Reads the permissions of a node. libxl__xs_octets returns them once the batch is done, as xenstored writes
 * them: for each domain a letter (n, r, w, b), the domid, and a zero octet. The first domain is the owner. A
 * missing node is not an error.
 */
libxl__xs_request *libxl__xs_read_permissions(libxl__xs_batch *batch, const char *path);
/*
 * Lists the names of a node's children. The result is a part of the list: it begins at octet `offset` of the
 * list and has as many names as fit into one message of xenstored. libxl__xs_names returns the names once the
 * batch is done. A missing node is not an error.
 */
libxl__xs_request *libxl__xs_list(libxl__xs_batch *batch, uint32_t offset, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Writes a node. If the node or its parents are missing, xenstored makes them. A new parent gets the
 * permissions of its own parent.
 */
void libxl__xs_write(libxl__xs_batch *batch, libxl__xs_perms perms, const char *value, const char *path, ...)
    __attribute__((format(printf, 4, 5)));
/* Like libxl__xs_write, with LIBXL__XS_INHERITS and a value of `size` octets. */
void libxl__xs_write_octets(libxl__xs_batch *batch, const void *value, size_t size, const char *path);
/*
 * Formats a value in the batch's memory, and returns the value. Never returns NULL. If there is no memory,
 * the value is "", and libxl__xs_run fails with NOMEM.
 */
const char *libxl__xs_text(libxl__xs_batch *batch, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Sets the permissions of a node, which must exist. */
void libxl__xs_permit(libxl__xs_batch *batch, libxl__xs_perms perms, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Sets the permissions of a node, which must exist. `permissions` has the form that
 * libxl__xs_read_permissions describes, in `size` octets.
 */
void libxl__xs_write_permissions(libxl__xs_batch *batch, const char *permissions, size_t size,
                                 const char *path);
/* Removes a node and all nodes below it. A missing node is not an error. */
void libxl__xs_remove(libxl__xs_batch *batch, const char *path, ...) __attribute__((format(printf, 2, 3)));
/*
 * Removes this node if it is empty. If the parent is empty afterwards, removes the parent, and so on upwards.
 * Removes at most `levels` nodes. A missing node counts as removed. A batch that is not run as a transaction
 * skips this request, because another client could add a child to a node that was found empty.
 */
void libxl__xs_prune(libxl__xs_batch *batch, uint32_t levels, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Requires that a node exists and contains `value`; NULL: any value. If the node does not meet this
 * requirement, the batch fails with `rc`, and a transaction changes nothing. So a transaction cannot create
 * nodes of a domain that is gone, and cannot overwrite a value that another program has changed.
 */
libxl__xs_request *libxl__xs_require(libxl__xs_batch *batch, int rc, const char *value, const char *path, ...)
    __attribute__((format(printf, 4, 5)));
/*
 * Requires that a node does not exist. If the node exists, the batch fails with `rc`, and a transaction
 * changes nothing.
 */
libxl__xs_request *libxl__xs_require_absent(libxl__xs_batch *batch, int rc, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/* Requires that a node exists and has exactly this value of `size` octets. Otherwise as libxl__xs_require. */
void libxl__xs_require_octets(libxl__xs_batch *batch, int rc, const void *value, size_t size,
                              const char *path);
/*
 * Requires that a node exists and has exactly the children `names`, in this order. Each name has a
 * terminating zero; `size` is their total size in octets. Otherwise as libxl__xs_require.
 */
void libxl__xs_require_names(libxl__xs_batch *batch, int rc, const char *names, size_t size,
                             const char *path);
/*
 * Returns whether the node that a libxl__xs_require has checked was missing or empty. Call this once the
 * batch is done.
 */
bool libxl__xs_vacant(const libxl__xs_request *request);
/*
 * Requires that the batch's domain still has its nodes in xenstore. If the domain has no nodes, the batch
 * fails with DOMAIN_DESTROYED. The batch also fails with this error if the domain's `vm` node names another
 * UUID, because another domain then has the domid. A missing `vm` node is accepted, because a domain that no
 * toolstack has made has no such node. If `uuid` is nil, the UUID is not known and is not compared.
 */
void libxl__xs_require_domain(libxl__xs_batch *batch, const libxl_uuid *uuid);
/* Like libxl__xs_require_domain. `vm` is the value that the `vm` node must have if it exists; NULL: any value. */
void libxl__xs_require_vm(libxl__xs_batch *batch, const char *vm);
/*
 * Introduces the batch's domain to xenstored. `gfn` is the frame of the domain's xenstore ring. `port` is the event
 * channel of the ring.
 */
void libxl__xs_introduce(libxl__xs_batch *batch, unsigned long gfn, uint32_t port);
/*
 * Tells xenstored to close the connection of the batch's domain, and to forget the domain. The domain's nodes stay. The
 * domain can be introduced again.
 */
void libxl__xs_release(libxl__xs_batch *batch);
/* Tells xenstored that the batch's domain was suspended and runs again. xenstored then reports its next stop. */
void libxl__xs_resume(libxl__xs_batch *batch);

/*
 * How a batch is run. ONE_BY_ONE: each request is carried out separately. If a request fails, the requests
 * after it may or may not be carried out. TRANSACTION: either all requests are carried out, or no request is
 * carried out. If another client changes a node that the transaction uses, the transaction is repeated, up to
 * LIBXL__XS_MOST_REPEATS times.
 */
enum { LIBXL__XS_MOST_REPEATS = 64 };
typedef enum libxl__xs_mode { LIBXL__XS_ONE_BY_ONE, LIBXL__XS_TRANSACTION } libxl__xs_mode;

/*
 * Reserves memory for `requests` requests. `octets` is the total length of the requests' paths and values,
 * each with its terminating zero. Afterwards memory cannot run out while these requests are added and the
 * batch is run ONE_BY_ONE. Running the batch then fails only if the connection to xenstored is down. The loss
 * of the connection does not end the reservation. Call this before the first request is added. Errors: NOMEM,
 * FAIL, recorded in ao.
 */
int libxl__xs_reserve(libxl__xs_batch *batch, uint32_t requests, size_t octets);

/* Runs the batch. Do not add requests afterwards. Errors: NOMEM, FAIL, NO_XENSTORE, recorded in ao. */
int libxl__xs_run(libxl__xs_batch *batch, libxl__xs_mode mode);

/*
 * Runs the batch like libxl__xs_run, but also works after a loss of the connection to xenstored. If the
 * connection was lost less than a second ago, the batch waits for a new connection, for about a second at
 * most. If the batch cannot be run, the batch is done at once, and libxl__xs_rc returns the error.
 */
void libxl__xs_run_anyway(libxl__xs_batch *batch, libxl__xs_mode mode);

/*
 * Declares that the application has named the nodes of the batch. Then a missing node gives NOTFOUND, a
 * path that xenstored refuses gives INVAL, and a transaction that was given up gives CONFLICT. Without this
 * call all three give XENSTORE.
 */
void libxl__xs_for_application(libxl__xs_batch *batch);

/* Returns whether the batch was run and has ended. */
bool libxl__xs_done(const libxl__xs_batch *batch);
/*
 * Returns the result of a batch that is done: 0, or the first error. Records the error in ao. Errors:
 * XENSTORE, PERMISSION, INVAL (a request is too long for xenstored), NOMEM, NO_XENSTORE (the connection was
 * lost before the answer), the `rc` of a libxl__xs_require, or the errors of libxl__xs_for_application.
 */
int libxl__xs_result(libxl__xs_batch *batch);
/* Returns the same as libxl__xs_result, but records nothing in ao. */
int libxl__xs_rc(const libxl__xs_batch *batch);
/*
 * Returns whether a transaction that is done was given up, with XENSTORE, because other clients have changed
 * the nodes that it uses each time it was repeated. A guest can do this with the nodes that it may write.
 */
bool libxl__xs_is_contended(const libxl__xs_batch *batch);
/*
 * Returns the value that a request has read, up to its first zero octet. NULL: the node is missing. The value
 * belongs to the batch.
 */
const char *libxl__xs_value(const libxl__xs_request *request);
/*
 * Returns the octets that a request has read. *size_out is their number. A zero octet, which is not counted,
 * follows them. NULL: the node is missing. The octets belong to the batch.
 */
const char *libxl__xs_octets(const libxl__xs_request *request, size_t *size_out);
/*
 * Returns the names that libxl__xs_list has found. Each name has a terminating zero. *size_out is the total
 * size of the names in octets. An empty name marks the end of the list. *version_out is the version of the
 * list, xenstored's generation count. If two parts of a list have different versions, the list has changed
 * between the two requests.
 * Returns NULL if the node is missing. The names and the version belong to the batch.
 */
const char *libxl__xs_names(const libxl__xs_request *request, size_t *size_out, const char **version_out);
/*
 * Returns true if the batch has not changed xenstore and cannot change it any more. There are three such
 * cases: the batch has not been run, it is still queued, or it is a transaction whose commit has not been
 * sent. The caller must then free the batch. Returns false if the batch has changed xenstore or may change
 * it.
 */
bool libxl__xs_take_back(libxl__xs_batch *batch);
/*
 * Returns true if the batch is still queued, and another batch has ended since this batch was run or since
 * the last call. This shows that xenstored answers, so the caller may wait longer. Otherwise returns false.
 */
bool libxl__xs_advances(libxl__xs_batch *batch);
/*
 * Frees the batch in any state. If the transport is running the batch, the transport frees it later. NULL:
 * does nothing.
 */
void libxl__xs_batch_free(libxl__xs_batch *batch);

/*
 * The spare batch. Each context has at most one. Undos that could not reserve memory use it. An undo first
 * tries to make a batch. If there is no memory, it takes the spare batch. If another undo has the spare
 * batch, the undo waits in a queue. The spare batch runs as a transaction and allocates no memory. (With
 * LIBXL_CTX_LIBXENSTORE, libxenstore itself allocates memory.)
 */
enum { LIBXL__XS_SPARE_REQUESTS = 6, LIBXL__XS_SPARE_OCTETS = 512 };

/*
 * An operation's entry in the queue for the spare batch. Embed this in the operation's state; zero-initialise
 * it.
 */
typedef struct libxl__xs_turn {
    libxl__source source; /* fires when the spare batch is free for this operation */
    TAILQ_ENTRY(libxl__xs_turn) link;
    bool waits;
    /* The value of libxl__xs_spare.uses at the last call of libxl__xs_spare_advances. */
    uint32_t uses_seen;
} libxl__xs_turn;

/*
 * Makes sure that the context has its spare batch. The spare batch has room for LIBXL__XS_SPARE_REQUESTS
 * requests, whose paths and values take at most LIBXL__XS_SPARE_OCTETS octets together. Call this before the
 * change that the spare batch may have to undo. Errors: NOMEM, recorded in ao.
 */
int libxl__xs_spare_reserve(libxl__ao *ao);
/*
 * Empties the spare batch and returns it, like a new batch of libxl__xs_batch_new. If another operation uses
 * the spare batch, returns NULL and puts `turn` into the queue. `turn` then fires when the spare batch is
 * free for this operation. Call this only after libxl__xs_spare_reserve.
 */
libxl__xs_batch *libxl__xs_spare_get(libxl__ao *ao, libxl__xs_turn *turn, uint32_t domid);
/* Returns whether an operation has returned the spare batch since the last call with this `turn`. */
bool libxl__xs_spare_advances(libxl_ctx *ctx, libxl__xs_turn *turn);

#endif
