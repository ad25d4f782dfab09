/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs the program aioxen-transfer (src/transfer), which saves or restores one domain, as a child of an
 * operation. Call all functions with the context locked.
 */
#ifndef LIBXL__TRANSFER_H
#define LIBXL__TRANSFER_H

#include "child.h"
#include "transfer_messages.h"

/* A run of the program. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__transfer {
    libxl__source source; /* fires when a message has arrived */
    libxl__child child;   /* fires when the program has ended */
    libxl__fd control;    /* the library's end of the socket, which this structure owns */
    /* The head (a memfd, transfer_messages.h), which this structure owns until the operation ends. */
    libxl__fd head;
    libxl__transfer_message result; /* the message RESULT; valid once its `kind` is RESULT */
} libxl__transfer;

/*
 * Checks a descriptor that the application has given for a stream, in the input `field`. It must be open for
 * writing if `writes` is set, else for reading. It must be blocking, because libxenguest cannot use a non-blocking
 * descriptor. Errors: INVAL, recorded in ao.
 */
int libxl__transfer_check(libxl__ao *ao, const char *field, int fd, bool writes);

/*
 * Starts the program. `arguments` are its arguments after its name, ended by NULL. `stream` is the descriptor
 * of the stream, which the caller still owns. `head` is the text that is written before the stream; NULL: none.
 * Errors, recorded in ao: NOMEM, FAIL.
 */
int libxl__transfer_start(libxl__ao *ao, libxl__transfer *transfer, const char *const arguments[], int stream,
                          const void *head, size_t head_size);
/*
 * Returns 0 and the next message, or LIBXL__AO_WAIT if none has arrived. Returns only HEAD, MODEL, and messages
 * that the operation must answer. The function handles all other messages itself.
 */
int libxl__transfer_next(libxl__ao *ao, libxl__transfer *transfer, libxl__transfer_message *message);
/* Returns whether the program has ended and was reaped. */
bool libxl__transfer_done(const libxl__transfer *transfer);
/*
 * Returns the result of a program that has ended. Records an error in ao. `field` names the stream in
 * messages. Errors: INVAL (the stream is not a saved domain), DEVICE_MODEL, PERMISSION, NOMEM,
 * DOMAIN_NOTFOUND, FAIL, and the reason of a stop request (ao->stop, or ABORTED).
 */
int libxl__transfer_result(libxl__ao *ao, const libxl__transfer *transfer, const char *field);
/* Sends a message to the program. A program that has ended is not an error. */
void libxl__transfer_send(const libxl__transfer *transfer, const libxl__transfer_message *message);
/*
 * Asks the program to end. A save ends in order: the domain leaves log-dirty mode. A restore ends at once.
 */
void libxl__transfer_stop(const libxl__transfer *transfer);
/* Kills the program and closes the socket. The program is reaped soon afterwards. */
void libxl__transfer_kill(libxl_ctx *ctx, libxl__transfer *transfer);
/*
 * Returns `length` octets of the head that the program has written, from `offset` on. They are in the operation's
 * memory, with a terminating zero. Returns NULL if there is no memory or the head is shorter.
 */
char *libxl__transfer_head(libxl__ao *ao, const libxl__transfer *transfer, uint64_t offset, uint64_t length);

#endif
