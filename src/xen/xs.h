/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to xenstored, many at a time. An operation collects requests in a batch and runs it; the batch is
 * a source that fires when all are done, or the first has failed. A batch does not block the operation: it
 * goes to the xenstore lane, where requests are made in the order in which the batches were run.
 */
#ifndef LIBXL__XS_H
#define LIBXL__XS_H

#include "ao.h"
#include "worker.h"

/* What a node allows. N: the domain that owns it may do all; the others nothing, or read. */
typedef enum libxl__xs_perms {
    LIBXL__XS_OURS,        /* ours */
    LIBXL__XS_GUEST_READS, /* ours, the guest may read */
    LIBXL__XS_GUESTS,      /* the guest's */
    LIBXL__XS_GUESTS_WE_READ
} libxl__xs_perms;

typedef struct libxl__xs_batch libxl__xs_batch;
typedef struct libxl__xs_request libxl__xs_request;

/* Locked, all of them. A batch is freed with its operation; what its requests say is copied. */

/* `domid`: whom GUEST permissions are for. NULL: NOMEM. */
libxl__xs_batch *libxl__xs_batch_new(libxl__ao *ao, uint32_t domid);

/*
 * Requests; each takes the path as a format with arguments. Memory that runs out is reported by
 * libxl__xs_run. read     the value, later by libxl__xs_value; a missing node is no error write    makes the
 * node, and those above it remove   with all below it; a missing node is no error require  fails with `rc` if
 * the node is missing: for transactions that must not revive a domain's tree
 */
libxl__xs_request *libxl__xs_read(libxl__xs_batch *batch, const char *path, ...)
    __attribute__((format(printf, 2, 3)));
void libxl__xs_write(libxl__xs_batch *batch, libxl__xs_perms perms, const char *value, const char *path, ...)
    __attribute__((format(printf, 4, 5)));
void libxl__xs_remove(libxl__xs_batch *batch, const char *path, ...) __attribute__((format(printf, 2, 3)));
void libxl__xs_require(libxl__xs_batch *batch, int rc, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/* Tells xenstored of a domain with this page for its ring and this event channel. */
void libxl__xs_introduce(libxl__xs_batch *batch, unsigned long gfn, uint32_t port);

typedef enum libxl__xs_mode { LIBXL__XS_ONE_BY_ONE, LIBXL__XS_TRANSACTION } libxl__xs_mode;

/* Sets the requests going, in a transaction or one by one. 0, or NOMEM, FAIL. */
int libxl__xs_run(libxl__xs_batch *batch, libxl__xs_mode mode);

bool libxl__xs_done(const libxl__xs_batch *batch);
/* Of a batch that is done: 0, or the operation's error with its message noted in ao. */
int libxl__xs_result(libxl__xs_batch *batch);
/* The value read, without anything that follows a zero octet; NULL: there is no such node. The batch's. */
const char *libxl__xs_value(const libxl__xs_request *request);
/* Gives the batch up now, wherever it is. NULL is fine. */
void libxl__xs_batch_free(libxl__xs_batch *batch);

#endif
