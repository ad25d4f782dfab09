/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A xenstored of the test's own, for unit tests of what speaks to it: it keeps no nodes. What it says follows from
 * the path: /errors/NAME... is refused with that name, a transaction with /contended/... is told to try again, everything
 * else is done, and holds its own path.
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
    pthread_mutex_t lock;  /* guards what is written, and what follows */
    int begun, open, most; /* transactions: so far, now, and at a time */
    int conflicts;         /* so many of the next ends of transactions are told to try again */
    bool halved;           /* a head has been said: nothing else is, until `whole` is signalled */
    pthread_cond_t whole;
    bool hung_up, in_vain[XENSTORED_TRANSACTIONS];
    int watches; /* set so far: their tokens */
    char tokens[XENSTORED_WATCHES][32];
} xenstored;

/* A core whose xenstore is this one. */
libxl_ctx *xenstored_open(xenstored *x);
/* Closes both; fails the test unless all has ended, and no transaction is left open. */
void xenstored_close(xenstored *x, libxl_ctx *ctx);
/* Says that something has happened to what the watch of this token watches. */
void xenstored_event(xenstored *x, const char *path, const char *token);
/* The same in halves, as Xen's does: the head of the message, then, with nothing in between, what it says. */
void xenstored_event_head(xenstored *x, const char *path, const char *token);
void xenstored_event_body(xenstored *x, const char *path, const char *token);
/* Gives up the connection, on which it has answered something. */
void xenstored_hang_up(xenstored *x);
/* Waits, at most 10 s, until so many watches have been set. */
void xenstored_wait_watches(xenstored *x, int count);

/*
 * Runs a batch that `fill` fills as an operation; its result. *message (may be NULL): what it said, freed by the caller.
 */
int xenstored_run(libxl_ctx *ctx, void (*fill)(libxl__xs_batch *batch), libxl__xs_mode mode, char **message);

#endif
