/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The socket to xenstored. Sends messages of the wire protocol (xen/io/xs_wire.h) and matches the answers to
 * the messages. Only xs_wire.c uses it.
 *
 * Call all functions with the context locked, or while no other thread knows the context.
 */
#ifndef LIBXL__WIRE_H
#define LIBXL__WIRE_H

#include <string.h>

#include "xs_transport.h"

/*
 * Called once for each message, with the context locked, when the message is answered or the connection is
 * lost. `owner` and `request` are the members of the libxl__wire_expected. `errnoval` is 0 if the request has
 * succeeded, or the error in xenstored's answer. It is ENOTCONN if the connection is lost or is being closed.
 * `body` is valid only during the call.
 */
typedef void libxl__wire_answered(libxl_ctx *ctx, void *owner, libxl__xs_request *request, int errnoval,
                                  const char *body, size_t length);

/* The function to call for the answer to a message, and the arguments to pass to it. */
typedef struct libxl__wire_expected {
    libxl__wire_answered *answered;
    void *owner;
    libxl__xs_request *request;
} libxl__wire_expected;

/* A part of a message's body. */
typedef struct libxl__wire_part {
    const char *text;
    size_t length;
} libxl__wire_part;

#define LIBXL__WIRE_TEXT(string)                                                                             \
    ((libxl__wire_part){string, strlen(string) + 1}) /* a string together with its terminating zero */
#define LIBXL__WIRE_NOTHING ((libxl__wire_part){NULL, 0})

/* Allocates the buffers. Errors, with a message: NOMEM. */
int libxl__wire_open(libxl_ctx *ctx);
/* Frees the buffers. The connection must be closed. */
void libxl__wire_close(libxl_ctx *ctx);
/*
 * Begins to connect, and sends a first request. Returns 0 or an errno. EAGAIN: xenstored's queue of new
 * connections is full.
 */
int libxl__wire_connect(libxl_ctx *ctx);
/*
 * Reads from the socket, and handles the messages that have arrived. Does nothing if there is no connection.
 */
void libxl__wire_receive(libxl_ctx *ctx);
/* Closes the connection, if there is one. Each message without an answer is answered with ENOTCONN. */
void libxl__wire_disconnect(libxl_ctx *ctx);
/* Closes the child's copy of the socket. Called in the child of a fork. */
void libxl__wire_postfork(libxl_ctx *ctx);

/*
 * Appends a message to the output buffer. libxl__wire_send_soon sends the buffer. The message's body is the
 * concatenation of a, b and c, which are copied. If this fails, `expected.answered` is not called. Errors:
 * NOMEM, INVAL (the body is longer than the protocol allows).
 */
int libxl__wire_put(libxl_ctx *ctx, libxl__wire_expected expected, uint32_t type, uint32_t transaction,
                    libxl__wire_part a, libxl__wire_part b, libxl__wire_part c);

/*
 * Reserves memory for `messages` messages. `octets` is the total length of the messages' bodies. Call
 * libxl__wire_release with the same numbers just before you put the messages. Then libxl__wire_put does not
 * fail with NOMEM. Returns 0 or NOMEM.
 */
int libxl__wire_reserve(libxl_ctx *ctx, uint32_t messages, size_t octets);
/* Releases a reservation. */
void libxl__wire_release(libxl_ctx *ctx, uint32_t messages, size_t octets);
/*
 * Makes a reservation again after it was released to put messages. Allocates no memory. The messages occupy
 * the reserved memory until they are answered. Until then, put no more messages than were reserved.
 */
void libxl__wire_renew(libxl_ctx *ctx, uint32_t messages, size_t octets);

/*
 * Sends the output buffer at once if all messages sent before have been answered. Otherwise the buffer is
 * sent when the next answers arrive. So all messages that are put before these answers arrive are sent in one
 * system call (Nagle's algorithm).
 */
void libxl__wire_send_soon(libxl_ctx *ctx);

#endif
