/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The requests of a batch as messages of xenstored's wire protocol, and the answers to them.
 *
 * Owns: nothing. The context's lock guards the batches.
 */
#include "wire_request.h"
#include "xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

static int put_perms(libxl_ctx *ctx, libxl__wire_expected expected, const libxl__xs_batch *batch,
                     const libxl__xs_request *request)
{
    char owner[16], reader[16];
    uint32_t owners[2];
    const unsigned count = libxl__xs_owners(batch, request->perms, owners);
    snprintf(owner, sizeof(owner), "n%u", owners[0]);
    snprintf(reader, sizeof(reader), "r%u", owners[1]);
    return libxl__wire_put(ctx, expected, XS_SET_PERMS, batch->transaction, LIBXL__WIRE_TEXT(request->path),
                           LIBXL__WIRE_TEXT(owner),
                           count == 2 ? LIBXL__WIRE_TEXT(reader) : LIBXL__WIRE_NOTHING);
}

int libxl__wire_put_request(libxl_ctx *ctx, libxl__wire_expected expected, const libxl__xs_batch *batch,
                            libxl__xs_request *request)
{
    const uint32_t tx = batch->transaction;
    /* The numbers as texts; in a LIST request, `port` contains the offset. */
    char domid[16], gfn[24], port[16];
    switch (request->kind) {
    case LIBXL__XS_READ:
    case LIBXL__XS_REQUIRE:
        free(request->found);
        request->found = NULL;
        return libxl__wire_put(ctx, expected, XS_READ, tx, LIBXL__WIRE_TEXT(request->path),
                               LIBXL__WIRE_NOTHING, LIBXL__WIRE_NOTHING);
    case LIBXL__XS_READ_PERMISSIONS:
        free(request->found);
        request->found = NULL;
        return libxl__wire_put(ctx, expected, XS_GET_PERMS, tx, LIBXL__WIRE_TEXT(request->path),
                               LIBXL__WIRE_NOTHING, LIBXL__WIRE_NOTHING);
    case LIBXL__XS_PRUNE:
        return libxl__wire_put(ctx, expected, request->removing ? XS_RM : XS_DIRECTORY, tx,
                               LIBXL__WIRE_TEXT(request->current), LIBXL__WIRE_NOTHING, LIBXL__WIRE_NOTHING);
    case LIBXL__XS_LIST:
    case LIBXL__XS_REQUIRE_NAMES:
        free(request->found);
        request->found = NULL;
        snprintf(port, sizeof(port), "%u", request->offset);
        return libxl__wire_put(ctx, expected, XS_DIRECTORY_PART, tx, LIBXL__WIRE_TEXT(request->path),
                               LIBXL__WIRE_TEXT(port), LIBXL__WIRE_NOTHING);
    case LIBXL__XS_REMOVE:
        return libxl__wire_put(ctx, expected, XS_RM, tx, LIBXL__WIRE_TEXT(request->path), LIBXL__WIRE_NOTHING,
                               LIBXL__WIRE_NOTHING);
    case LIBXL__XS_WRITE:
        return libxl__wire_put(ctx, expected, XS_WRITE, tx, LIBXL__WIRE_TEXT(request->path),
                               (libxl__wire_part){request->value, request->size}, LIBXL__WIRE_NOTHING);
    case LIBXL__XS_WRITE_PERMISSIONS:
        return libxl__wire_put(ctx, expected, XS_SET_PERMS, tx, LIBXL__WIRE_TEXT(request->path),
                               (libxl__wire_part){request->value, request->size}, LIBXL__WIRE_NOTHING);
    case LIBXL__XS_PERMIT: return put_perms(ctx, expected, batch, request);
    case LIBXL__XS_INTRODUCE:
        snprintf(domid, sizeof(domid), "%u", batch->domid);
        snprintf(gfn, sizeof(gfn), "%lu", request->gfn);
        snprintf(port, sizeof(port), "%u", request->port);
        return libxl__wire_put(ctx, expected, XS_INTRODUCE, tx, LIBXL__WIRE_TEXT(domid),
                               LIBXL__WIRE_TEXT(gfn), LIBXL__WIRE_TEXT(port));
    case LIBXL__XS_RELEASE:
    case LIBXL__XS_RESUME:
        snprintf(domid, sizeof(domid), "%u", batch->domid);
        return libxl__wire_put(ctx, expected, request->kind == LIBXL__XS_RESUME ? XS_RESUME : XS_RELEASE, tx,
                               LIBXL__WIRE_TEXT(domid), LIBXL__WIRE_NOTHING, LIBXL__WIRE_NOTHING);
    }
    return ERROR_INVAL;
}

/* Stores the body of an answer in the request. Returns 0 or ENOMEM. */
static int keep(libxl__xs_request *request, const char *body, size_t length)
{
    request->found = calloc(1, length + 1);
    if (!request->found)
        return ENOMEM;
    memcpy(request->found, body, length);
    request->found_size = length;
    return 0;
}

/*
 * Compares a part of a list of names with the names that the node must have. The part consists of the version of
 * the list (xs.h), names, and, at the end of the list, an empty name.
 */
static bool has_names(const libxl__xs_request *request, const char *body, size_t length)
{
    const size_t version = strnlen(body, length);
    const char *names = version < length ? body + version + 1 : "";
    size_t size = version < length ? length - version - 1 : 0;
    const bool last = !size || (size == 1 ? !names[0] : !names[size - 2] && !names[size - 1]);
    if (size && last)
        size--;
    return libxl__xs_has_names(request, names, size, last);
}

void libxl__wire_request_answered(libxl__xs_batch *batch, libxl__xs_request *request, int errnoval,
                                  const char *body, size_t length)
{
    const bool reads = request->kind == LIBXL__XS_READ || request->kind == LIBXL__XS_READ_PERMISSIONS ||
                       request->kind == LIBXL__XS_LIST;
    if (reads && !errnoval)
        errnoval = keep(request, body, length);
    if (request->kind == LIBXL__XS_REQUIRE && (!errnoval || errnoval == ENOENT))
        errnoval = libxl__xs_met(request, errnoval ? NULL : body, length) ? 0 : ENOENT;
    if (request->kind == LIBXL__XS_REQUIRE_NAMES && !errnoval && !has_names(request, body, length))
        errnoval = ENOENT;
    if (request->kind == LIBXL__XS_PRUNE && (errnoval == ENOENT || errnoval == E2BIG))
        errnoval = 0; /* E2BIG: the node has more children than fit into one message, so it is not empty */
    if (errnoval == ENOENT && (reads || request->kind == LIBXL__XS_REMOVE))
        errnoval = 0;
    if (errnoval)
        libxl__xs_failed(batch, request, errnoval);
}

bool libxl__wire_prune_goes_on(const libxl__xs_batch *batch, libxl__xs_request *request, int errnoval,
                               size_t length)
{
    const bool gone = errnoval == ENOENT || (request->removing && !errnoval);
    if (batch->rc || (errnoval && errnoval != ENOENT) || (!gone && length))
        return false;
    request->removing = !gone;
    return !gone || libxl__xs_climb(request);
}
