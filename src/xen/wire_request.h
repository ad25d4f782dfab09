/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Converts the requests of a batch to messages of xenstored's wire protocol. Only xs_wire.c uses this file.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__WIRE_REQUEST_H
#define LIBXL__WIRE_REQUEST_H

#include "wire.h"

/*
 * Puts the request's message. A PRUNE has several messages, and each call puts the next of them. Errors: those of
 * libxl__wire_put.
 */
int libxl__wire_put_request(libxl_ctx *ctx, libxl__wire_expected expected, const libxl__xs_batch *batch,
                            libxl__xs_request *request);
/* Stores the answer's value in the request. If the answer is an error, records the error in the batch. */
void libxl__wire_request_answered(libxl__xs_batch *batch, libxl__xs_request *request, int errnoval,
                                  const char *body, size_t length);
/*
 * Call this after each answer to a PRUNE. Returns whether the request has another message. The messages
 * alternate: one lists a node's children. If the node is empty, the next message removes the node, and the
 * message after that lists the node's parent.
 */
bool libxl__wire_prune_goes_on(const libxl__xs_batch *batch, libxl__xs_request *request, int errnoval,
                               size_t length);

#endif
