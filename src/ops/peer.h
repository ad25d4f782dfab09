/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other side of a migration: two descriptors, and the messages of `xl migrate` and `xl migrate-receive`. Between
 * the messages the program aioxen-transfer uses the descriptors, so a message is read to its end and no further.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__PEER_H
#define LIBXL__PEER_H

#include "ao.h"

/*
 * The messages of xl, in the order in which they are sent. The receiver also sends GO, as a permission to let the
 * guest run.
 */
typedef enum libxl__peer_message {
    LIBXL__PEER_GREETING,
    LIBXL__PEER_RECEIVED,
    LIBXL__PEER_GO,
    LIBXL__PEER_ANSWER, /* the octet STATUS follows */
    LIBXL__PEER_STATUS, /* one octet: 0, or the number of an error */
} libxl__peer_message;

/*
 * A text is sent with its length before it, in four decimal digits. Every pipe takes the longest text with its length
 * at once.
 */
enum { LIBXL__PEER_LENGTH = 4, LIBXL__PEER_LONGEST_TEXT = 4096 - LIBXL__PEER_LENGTH };

/* The connection to the other side. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__peer {
    libxl__source source; /* fires when octets can be read */
    libxl__fd ready;      /* registered while a message is awaited, or while octets cannot be written */
    int in, out;          /* the application's descriptors */
    const char *who;      /* the name of the other side in messages; a static string */
    char got[80];         /* the octets of the awaited message that were read */
    size_t count; /* the number of octets in `got`, or of those that libxl__peer_send_parts has sent */
    unsigned char status; /* valid once LIBXL__PEER_STATUS was read */
    bool lost;            /* the other side has closed the connection */
} libxl__peer;

/* A text that is sent or received. */
typedef struct libxl__peer_text {
    char length[LIBXL__PEER_LENGTH];
    char text[LIBXL__PEER_LONGEST_TEXT + 1];
} libxl__peer_text;

/*
 * Checks the descriptors, which must be open for reading and for writing, and blocking; they may be the same one.
 * `who` names the other side. Errors, recorded in ao: INVAL.
 */
int libxl__peer_open(libxl__ao *ao, libxl__peer *peer, int in, int out, const char *who);
/*
 * Sends a whole message, or returns an error. After an error *sent_out is false if the other side cannot have
 * received any octet of the message. `sent_out` may be NULL. Errors: FAIL, recorded in ao.
 */
int libxl__peer_send(libxl__ao *ao, libxl__peer *peer, libxl__peer_message message, bool *sent_out);
int libxl__peer_send_status(libxl__ao *ao, libxl__peer *peer, unsigned char status);
/* Sends a text of at most LIBXL__PEER_LONGEST_TEXT octets. Errors: FAIL, recorded in ao. */
int libxl__peer_send_text(libxl__ao *ao, libxl__peer *peer, const char *text);
/*
 * Sends octets that may be more than the connection takes at once. Returns 0 once all were sent, or LIBXL__AO_WAIT: call
 * this again when a source has fired. Errors: FAIL, recorded in ao.
 */
int libxl__peer_send_parts(libxl__ao *ao, libxl__peer *peer, const void *octets, size_t size);
/*
 * Reads a message. Returns 0 once the message was read. After LIBXL__AO_WAIT call this again when a source has fired.
 * Errors, recorded in ao: FAIL (the other side has sent something else or has closed the connection, or the
 * descriptor cannot be read).
 */
int libxl__peer_expect(libxl__ao *ao, libxl__peer *peer, libxl__peer_message message);
/*
 * Reads a text. `buffer` is the same in each call. The text is then in buffer->text, with a terminating zero. Returns
 * the same values as libxl__peer_expect.
 */
int libxl__peer_expect_text(libxl__ao *ao, libxl__peer *peer, libxl__peer_text *buffer);
/*
 * Ends the wait for a message. Call this first in an undo, for two reasons. An undo does not read the message, so a
 * readable descriptor would wake the operation again and again. And the application may close the descriptor before
 * the undo has ended.
 */
void libxl__peer_stop_reading(libxl__ao *ao, libxl__peer *peer);

#endif
