/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to xenstored, many at a time. An operation collects requests in a batch and runs it; the batch is
 * a source that fires when all are done. Nothing here blocks. Batches reach xenstored in the order in which
 * they were run, but transactions may have to wait for others and come later.
 */
#ifndef LIBXL__XS_H
#define LIBXL__XS_H

#include "ao.h"
#include "worker.h"

/* What a node allows: who owns it may do all; the others nothing, or read. */
typedef enum libxl__xs_perms {
    LIBXL__XS_INHERITS,    /* a new node: as the one above it. A node that is there: as it was */
    LIBXL__XS_GUEST_READS, /* ours, the guest may read */
    LIBXL__XS_GUESTS,      /* the guest's */
} libxl__xs_perms;

typedef struct libxl__xs_batch libxl__xs_batch;
typedef struct libxl__xs_request libxl__xs_request;

/* Locked, all of them. A batch is freed with its operation; what its requests say is copied. */

/* `domid`: whom GUEST permissions are for. NULL: NOMEM. */
libxl__xs_batch *libxl__xs_batch_new(libxl__ao *ao, uint32_t domid);

/*
 * Requests; each takes the path as a format with arguments. Memory that runs out is reported by
 * libxl__xs_run.
 */

/* Its value, later by libxl__xs_value. A missing node is no error. */
libxl__xs_request *libxl__xs_read(libxl__xs_batch *batch, const char *path, ...)
    __attribute__((format(printf, 2, 3)));
/* Makes the node, and those above it, which inherit. */
void libxl__xs_write(libxl__xs_batch *batch, libxl__xs_perms perms, const char *value, const char *path, ...)
    __attribute__((format(printf, 4, 5)));
/* Of a node that is there. */
void libxl__xs_permit(libxl__xs_batch *batch, libxl__xs_perms perms, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/* With all below it. A missing node is no error. */
void libxl__xs_remove(libxl__xs_batch *batch, const char *path, ...) __attribute__((format(printf, 2, 3)));
/*
 * Fails with `rc` if there is no such node, or if it holds something else than `value` (NULL: anything will
 * do). In a transaction nothing is changed then: so that a dead domain's tree is not revived, nor another's
 * request withdrawn.
 */
void libxl__xs_require(libxl__xs_batch *batch, int rc, const char *value, const char *path, ...)
    __attribute__((format(printf, 4, 5)));
/*
 * Fails with DOMAIN_DESTROYED unless the batch's domain has its tree, and that is not another's: its `vm` names this uuid
 * (nil: not known, any will do), or is missing, as it is only in what no toolstack has made.
 */
void libxl__xs_require_domain(libxl__xs_batch *batch, const libxl_uuid *uuid);
/* Tells xenstored of a domain with this page for its ring and this event channel. */
void libxl__xs_introduce(libxl__xs_batch *batch, unsigned long gfn, uint32_t port);

/* One by one: after one has failed, later ones may or may not be made. In a transaction: all or none. */
typedef enum libxl__xs_mode { LIBXL__XS_ONE_BY_ONE, LIBXL__XS_TRANSACTION } libxl__xs_mode;

/*
 * Reserves what so many requests need, whose paths and values have so many octets together, the terminating ones included.
 * Adding these requests and running the batch, one by one, then fails only if the connection is lost. Call it before the
 * first request is added. Errors: NOMEM, FAIL, noted in ao.
 */
int libxl__xs_reserve(libxl__xs_batch *batch, uint32_t requests, size_t octets);

/* Sets the requests going. 0, or NOMEM, FAIL, NO_XENSTORE, noted in ao. */
int libxl__xs_run(libxl__xs_batch *batch, libxl__xs_mode mode);

/* The same where it goes on without: what fails is the batch's, which is done then. */
void libxl__xs_run_anyway(libxl__xs_batch *batch, libxl__xs_mode mode);

bool libxl__xs_done(const libxl__xs_batch *batch);
/*
 * Of a batch that is done: 0, or the first error, with its message noted in ao: XENSTORE, PERMISSION, INVAL (too long
 * for xenstored), NOMEM, or what a libxl__xs_require says.
 */
int libxl__xs_result(libxl__xs_batch *batch);
/* The same error, of which nothing is noted. */
int libxl__xs_rc(const libxl__xs_batch *batch);
/* The value read, without anything that follows a zero octet; NULL: there is no such node. The batch's. */
const char *libxl__xs_value(const libxl__xs_request *request);
/* Takes back a batch that was run, if nothing of it has been sent, or all of it was in vain; whether it was so. */
bool libxl__xs_take_back(libxl__xs_batch *batch);
/* Whether a batch that was run waits for its first turn, and others have ended since it was run or this was asked:
 * xenstored answers, but not yet this. */
bool libxl__xs_advances(libxl__xs_batch *batch);
/* Gives the batch up now, wherever it is. NULL is fine. */
void libxl__xs_batch_free(libxl__xs_batch *batch);

#endif
