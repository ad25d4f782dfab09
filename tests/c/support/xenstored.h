/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A xenstored inside the test's process, for unit tests of the wire protocol. It stores no nodes. The path decides its
 * answer: a request for /errors/NAME/... fails with NAME; a transaction that reads /contended/... ends with EAGAIN;
 * any other request succeeds, and a read returns the path. Any thread may call these, unless they say otherwise.
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
    pthread_mutex_t lock;  /* guards writing to the connection, and the members below */
    int begun, open, most; /* transactions: begun so far, open now, most open at once */
    int conflicts;         /* this many of the next transactions end with EAGAIN */
    /* The head of an event was sent. Nothing else is sent until event_completed is signalled. */
    bool event_incomplete;
    pthread_cond_t event_completed;
    bool hung_up, contended[XENSTORED_TRANSACTIONS];
    int watches; /* the number set so far; tokens[] holds their tokens */
    char tokens[XENSTORED_WATCHES][32];
} xenstored;

/* Starts the xenstored, and opens a context that has only the core and this xenstored. */
libxl_ctx *xenstored_open(xenstored *x);
/* Closes the context and the xenstored. Fails the test if a watch, a descriptor or a transaction is left. */
void xenstored_close(xenstored *x, libxl_ctx *ctx);
/* Sends an event of the watch that has this token. */
void xenstored_event(xenstored *x, const char *path, const char *token);
/* Send such an event in two parts, as Xen's xenstored does: the message's head, and then its body with nothing in between. */
void xenstored_event_head(xenstored *x, const char *path, const char *token);
void xenstored_event_body(xenstored *x, const char *path, const char *token);
/* Closes the connection. The xenstored must have answered a request on the connection before. */
void xenstored_hang_up(xenstored *x);
/* Waits at most 10 s until `count` watches have been set. */
void xenstored_wait_watches(xenstored *x, int count);

/*
 * Runs an operation with the batch that `fill` fills; returns its result. Stores the error message in *message, which
 * may be NULL; the caller frees it.
 */
int xenstored_run(libxl_ctx *ctx, void (*fill)(libxl__xs_batch *batch), libxl__xs_mode mode, char **message);

#endif
