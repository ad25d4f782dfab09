/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A xenstored inside the test's process, for unit tests of the wire protocol. This xenstored stores no nodes.
 * The path of a request decides the answer. A request for /errors/NAME/... fails with the error NAME. A
 * transaction that reads /contended/... ends with EAGAIN. Any other request succeeds, and a read returns the
 * path. Any thread may call these functions, unless a function's comment says otherwise.
 */
#ifndef XENSTORED_H
#define XENSTORED_H

#include <pthread.h>
#include <stdbool.h>

#include "core.h"

#include "xen.h"

enum { XENSTORED_WATCHES = 16, XENSTORED_TRANSACTIONS = 64 };

typedef struct xenstored {
    int listener, connection;
    pthread_t thread;
    pthread_mutex_t lock; /* Guards writing to the connection, and the members below. */
    /* Three numbers of transactions: the transactions begun so far, the transactions open now, and the
     * most transactions that were open at once. */
    int begun, open, most;
    int conflicts; /* The number of transactions that will still end with EAGAIN. */
    /* true: an event's head was sent and its body was not. Nothing else is sent until event_completed is
     * signalled. */
    bool event_incomplete;
    pthread_cond_t event_completed;
    /* true: a watch may have the depth 1, as in Xen 4.22. false: such a watch is refused, as in Xen 4.17. */
    bool knows_depth;
    int depths; /* The number of watches with a depth that were set or refused. */
    bool hung_up, contended[XENSTORED_TRANSACTIONS];
    int watches; /* The number of watches set so far. tokens[] holds the tokens of the watches. */
    char tokens[XENSTORED_WATCHES][32];
} xenstored;

/* Starts the xenstored. Opens and returns a context that has only the core and a connection to
 * this xenstored. */
libxl_ctx *xenstored_open(xenstored *x);
/* Closes the context and the xenstored. Fails the test if a watch, a descriptor or a transaction is left. */
void xenstored_close(xenstored *x, libxl_ctx *ctx);
/* Sends an event for the watch with this token. */
void xenstored_event(xenstored *x, const char *path, const char *token);
/* These functions send an event in two parts, as Xen's xenstored does. The first sends the head of the
 * message. The second sends the body. Nothing may be sent in between. */
void xenstored_event_head(xenstored *x, const char *path, const char *token);
void xenstored_event_body(xenstored *x, const char *path, const char *token);
/* Closes the connection. Before, the xenstored must have answered a request on this connection. */
void xenstored_hang_up(xenstored *x);
/* Waits at most 10 s until `count` watches have been set. */
void xenstored_wait_watches(xenstored *x, int count);

/*
 * Runs an operation with the batch that `fill` fills, and returns the operation's result. Stores the error
 * message in *message, unless `message` is NULL. The caller frees the error message.
 */
int xenstored_run(libxl_ctx *ctx, void (*fill)(libxl__xs_batch *batch), libxl__xs_mode mode, char **message);

#endif
