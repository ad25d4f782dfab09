/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection to xenstored, in its wire protocol (xen/io/xs_wire.h): what xs_wire.c stands on. */
#ifndef LIBXL__WIRE_H
#define LIBXL__WIRE_H

#include <string.h>

#include "xs_transport.h"

/* Locked. errnoval: 0, or xenstored's refusal; `body` is valid during the call. */
typedef void libxl__wire_answered(libxl_ctx *ctx, void *owner, libxl__xs_request *request, int errnoval,
                                  const char *body, size_t length);

/* An answer that is expected; its number in order is the id of its request. */
typedef struct libxl__wire_expected {
    libxl__wire_answered *answered;
    void *owner;
    libxl__xs_request *request;
} libxl__wire_expected;

/* A part of a message. */
typedef struct libxl__wire_part {
    const char *text;
    size_t length;
} libxl__wire_part;

#define LIBXL__WIRE_TEXT(string)  ((libxl__wire_part){string, strlen(string) + 1}) /* with its zero */
#define LIBXL__WIRE_VALUE(string) ((libxl__wire_part){string, strlen(string)})
#define LIBXL__WIRE_NOTHING       ((libxl__wire_part){NULL, 0})

/* Locked, all of them, or not yet shared. */

/* Errors: NO_XENSTORE, PERMISSION, FAIL, NOMEM; nothing is left open then. */
int libxl__wire_open(libxl_ctx *ctx);
/* What is expected is answered with ESHUTDOWN. */
void libxl__wire_close(libxl_ctx *ctx);
/* In the child of a fork: gives up the socket. */
void libxl__wire_postfork(libxl_ctx *ctx);
bool libxl__wire_lost(const libxl_ctx *ctx);

/* Appends a message, whose answer is expected. Errors: NOMEM; INVAL: longer than a message may be. */
int libxl__wire_put(libxl_ctx *ctx, libxl__wire_expected expected, uint32_t type, uint32_t transaction,
                    libxl__wire_part a, libxl__wire_part b, libxl__wire_part c);

/*
 * Reserves room for so many messages with so many octets besides their headers: after libxl__wire_release, libxl__wire_put
 * takes these messages even if no memory is left. Errors: NOMEM.
 */
int libxl__wire_reserve(libxl_ctx *ctx, uint32_t messages, size_t octets);
void libxl__wire_release(libxl_ctx *ctx, uint32_t messages, size_t octets);

/*
 * What has been put goes out now if xenstored has nothing else to answer, else with the next answer: one system
 * call for all that is put meanwhile (Nagle's way).
 */
void libxl__wire_send_soon(libxl_ctx *ctx);

#endif
