/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context: everything the library knows, under one lock. */
#ifndef LIBXL__CONTEXT_H
#define LIBXL__CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include "ao.h"
#include "deliver.h"
#include "event.h"
#include "hooks.h"
#include "loop.h"
#include "timer.h"
#include "worker.h"

struct libxl__xen;
struct libxl__generators;

struct libxl__ctx {
    pthread_mutex_t lock;
    xentoollog_logger *logger;
    atomic_bool closing; /* no operation starts any more; the one thing that is read unlocked */
    libxl__timers timers;
    libxl__workers workers;
    libxl__aos aos;
    libxl__events events;
    libxl__hooks hooks;
    libxl__deliveries deliveries;
    /* The state of the layers above: src/xen, src/events. The core only keeps the pointers. */
    struct libxl__xen *xen;
    struct libxl__generators *generators;
    libxl__loop loop; /* last: it has the largest array */
};

/* The core alone: the pointers to the layers above are NULL. Errors: NOMEM, FAIL; *ctx_out is NULL then. */
int libxl__ctx_create(libxl_ctx **ctx_out, xentoollog_logger *logger);

/* Stops new operations, aborts all, delivers every completion, joins the workers. Not locked. INVAL in a
 * callback. */
int libxl__ctx_drain(libxl_ctx *ctx);

/* In the child of a fork: gives up the core's descriptors. */
void libxl__ctx_postfork(libxl_ctx *ctx);

/* Frees a drained context. Not locked. */
void libxl__ctx_destroy(libxl_ctx *ctx);

/* Locked: the core's part of the counters; the rest is 0. */
void libxl__ctx_count(libxl_ctx *ctx, libxl_counters *out);

/* The lock is given up in these two ways only: then the descriptor tells of what is queued. */
void libxl__ctx_lock(libxl_ctx *ctx);
void libxl__ctx_unlock(libxl_ctx *ctx);
/* Gives it up until the condition is signalled, or until `deadline` (ns, monotonic; 0: none): then ETIMEDOUT, else 0. */
int libxl__ctx_sleep(libxl_ctx *ctx, pthread_cond_t *cond, uint64_t deadline);

/*
 * Locked: runs the operations that are due and delivers what is to be delivered to the application, for which
 * the lock is given up meanwhile. Returns when there is no more.
 */
void libxl__ctx_dispatch_all(libxl_ctx *ctx);

/*
 * Locked: the same at the end of a public function. Inside a delivery of this context only the operations are
 * run, and the rest is left to the loop around it.
 */
void libxl__ctx_dispatch(libxl_ctx *ctx);

/* How every public function ends: settle, then unlock. */
void libxl__ctx_leave(libxl_ctx *ctx);

#endif
