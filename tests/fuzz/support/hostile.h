/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A xenstored on the socket that XENSTORED_PATH names. A fuzzer's input chooses the answers. This
 * xenstored never blocks. Only one thread may call these functions. */
#ifndef FUZZ_HOSTILE_H
#define FUZZ_HOSTILE_H

#include "bytes.h"

/* Starts a run. Listens on the socket, and closes the connections that the previous run has not closed. */
void peer_begin(void);
/* If there is a new connection, accepts it in place of the present one. Reads what the library has sent. */
void peer_receive(void);
/* Closes the connection. */
void peer_hang_up(void);

/* Answers the oldest request, if there is one. In way 0 the answer is the one that xenstored would give. In
 * ways 1 to 7 the answer differs from xenstored's. */
void peer_answer(bytes *input, unsigned way);
/* Sends an event of the watch that has this token. Way 0 sends a correct event at once. Ways 1 to 3 send
 * an incorrect event, or an event in two parts. */
void peer_send_event(bytes *input, unsigned way, const char *token);
/* Sends `length` octets, at most 16. */
void peer_send_raw(bytes *input, unsigned length);
/* Sends the rest of the message of which peer_answer() or peer_send_event() has sent only the beginning. */
void peer_send_held(void);

#endif
