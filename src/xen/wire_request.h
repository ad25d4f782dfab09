/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The requests of a batch as messages of xenstored's wire protocol. Only xs_wire.c uses it.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__WIRE_REQUEST_H
#define LIBXL__WIRE_REQUEST_H

#include "wire.h"

/* Puts the request's message, which is the next one of a PRUNE. Errors: those of libxl__wire_put. */
int libxl__wire_put_request(libxl_ctx *ctx, libxl__wire_expected expected, const libxl__xs_batch *batch,
                            libxl__xs_request *request);
/* Stores what the answer has found in the request, or the failure in the batch. */
void libxl__wire_request_answered(libxl__xs_batch *batch, libxl__xs_request *request, int errnoval,
                                  const char *body, size_t length);
/*
 * Call this after the answer to a PRUNE. Returns whether the request has another message: if a node is empty, it is
 * removed; if it was removed, its parent is listed.
 */
bool libxl__wire_prune_goes_on(const libxl__xs_batch *batch, libxl__xs_request *request, int errnoval,
                               size_t length);

#endif
