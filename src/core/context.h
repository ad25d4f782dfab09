/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The context: all state of the library, guarded by one lock.
 *
 * "Locked" and "unlocked" in the core's comments mean that the calling thread holds, or does not hold, this
 * lock. The lock is not recursive. While a thread holds it, no application code runs and nothing blocks.
 */
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

struct libxl__host;
struct libxl__xen;
struct libxl__generators;

/*
 * The conventions for what the application passes to the library, and for the numbers that the library returns.
 * The drop-in library has libxl's conventions.
 */
typedef struct libxl__conventions {
    /* The value that an initiator returns when it has started an operation that completes later. */
    int started;
    /* Returns the number that the application gets for an error of this operation. Any thread calls it. */
    int (*outward)(const char *operation, int rc);
    /*
     * True: an operation that reads or writes a descriptor makes it blocking. False: the operation fails if the
     * descriptor is non-blocking.
     */
    bool makes_blocking;
} libxl__conventions;

struct libxl__ctx {
    pthread_mutex_t lock;
    /* libxl's or this library's conventions; constant after the context was opened. */
    const libxl__conventions *conventions;
    xentoollog_logger *logger;
    /* True while the context is being freed. No operation may start then. May be read unlocked. */
    atomic_bool closing;
    libxl__timers timers;
    libxl__workers workers;
    libxl__aos aos;
    libxl__events events;
    libxl__hooks hooks;
    libxl__deliveries deliveries;
    /* The state of src/host, src/xen and src/events, which own it. The core only stores the pointers. */
    struct libxl__host *host;
    struct libxl__xen *xen;
    struct libxl__generators *generators;
    libxl__loop loop; /* the last member of the context, because the loop has the largest array */
};

/*
 * Creates a context and stores it in *ctx_out. The context's pointers to the state of src/host, src/xen and
 * src/events are NULL. The caller owns the logger, which must outlive the context. Returns 0, NOMEM or FAIL.
 * After an error *ctx_out is NULL.
 */
int libxl__ctx_create(libxl_ctx **ctx_out, xentoollog_logger *logger);

/*
 * Call unlocked. Refuses new operations, aborts the operations in progress, makes deliveries until all
 * operations have completed, and joins the workers. Returns 0 or an error. INVAL: the calling thread or
 * another thread is inside a callback; nothing was changed. FAIL: polling failed while operations were in
 * progress; the call may be repeated.
 */
int libxl__ctx_drain(libxl_ctx *ctx);

/* Call unlocked, in the child of a fork. Closes the child's copies of the core's descriptors. No operation may start
 * on the context afterwards. */
void libxl__ctx_postfork(libxl_ctx *ctx);

/* Call unlocked, after libxl__ctx_drain. Frees the context; no other thread may use it. */
void libxl__ctx_destroy(libxl_ctx *ctx);

/* Call it with the context locked. Sets the core's counters in *out, and sets all other counters to 0. */
void libxl__ctx_count(libxl_ctx *ctx, libxl_counters *out);

/*
 * Any thread may take the lock. Only libxl__ctx_unlock and libxl__ctx_sleep release it. If events are queued, both
 * functions make the descriptor of libxl_ctx_fd readable before they release the lock, so that the application's
 * poll returns.
 */
void libxl__ctx_lock(libxl_ctx *ctx);
void libxl__ctx_unlock(libxl_ctx *ctx);
/*
 * Call it with the context locked. Releases the lock until `cond` is signalled or `deadline` has passed (ns, monotonic;
 * 0: no deadline). Takes the lock again before it returns. Returns ETIMEDOUT after the deadline, otherwise 0. Spurious
 * wakeups are possible.
 */
int libxl__ctx_sleep(libxl_ctx *ctx, pthread_cond_t *cond, uint64_t deadline);

/*
 * Called with the context locked by public functions. Workers must not call it. Runs the runnable operations
 * and makes the pending deliveries, for one turn at most (loop.h). The lock is released while application
 * code runs. Inside a delivery of this context, this function only runs the runnable operations. The outer
 * dispatch loop then makes the deliveries.
 */
void libxl__ctx_dispatch(libxl_ctx *ctx);

/*
 * Like libxl__ctx_dispatch, for a thread that waits for the operation `ao`. Inside a delivery it also makes
 * the deliveries of `ao`, so that `ao` can complete. `ao` NULL: the thread waits for something else.
 */
void libxl__ctx_dispatch_for(libxl_ctx *ctx, libxl__ao *ao);

/* Call it with the context locked, at the end of a public function. Calls libxl__ctx_dispatch and unlocks the
 * context. */
void libxl__ctx_leave(libxl_ctx *ctx);

#endif
