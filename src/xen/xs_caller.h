/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread that calls libxenstore. Calls of libxenstore block and cannot be interrupted. Only xs_lib.c uses
 * this file.
 *
 * The thread never uses the context. It takes calls from a queue, makes them one after the other, and puts
 * them into a list of calls that are done. An eventfd wakes the context's loop. So a context can be freed
 * while a call blocks. The thread then continues with its handles and this call, and frees both when the call
 * returns.
 *
 * Any thread may call these functions, with the context locked or while the context is made or freed.
 */
#ifndef LIBXL__XS_CALLER_H
#define LIBXL__XS_CALLER_H

#include "xs_calls.h"

STAILQ_HEAD(libxl__xs_calls, libxl__xs_call);

typedef struct libxl__xs_caller libxl__xs_caller;

/* Starts the thread. Errors, with a message: NOMEM, FAIL. */
int libxl__xs_caller_start(libxl__xs_caller **caller_out);
/*
 * Ends the thread when its present call has returned, and frees the caller. No call may be queued. Moves the
 * calls that are done to `out`. Waits for a second at most. If a call is still running after this second, the
 * thread continues, and `left_behind` is called once with this call. When the call returns, the thread frees
 * the batch or watch of the call, and the libxl__xs_caller. So `left_behind` must make sure that no other
 * code uses or frees the batch or watch.
 */
void libxl__xs_caller_stop(libxl_ctx *ctx, libxl__xs_caller *caller,
                           void (*left_behind)(libxl_ctx *ctx, libxl__xs_call *call),
                           struct libxl__xs_calls *out);

/* Returns the eventfd. It is readable while there are calls that are done and have not been taken. */
int libxl__xs_caller_fd(const libxl__xs_caller *caller);
/*
 * Returns the handle for watches. The handle is valid after a successful connect, until the next connect is
 * queued.
 */
struct xs_handle *libxl__xs_caller_watches(const libxl__xs_caller *caller);

/* Queues a call and sets its kind. The call must be idle or done. */
void libxl__xs_caller_queue(libxl__xs_caller *caller, libxl__xs_call *call, libxl__xs_call_kind kind);
/*
 * Removes a queued call from the queue. The call is idle then. Returns true if the call was queued, otherwise
 * false.
 */
bool libxl__xs_caller_withdraw(libxl__xs_caller *caller, libxl__xs_call *call);
/* Moves all queued calls to `out`. The calls are idle then. */
void libxl__xs_caller_withdraw_all(libxl__xs_caller *caller, struct libxl__xs_calls *out);
/*
 * Takes and returns the oldest call that is done. Returns NULL if no call is done. After NULL the eventfd is
 * not readable.
 */
libxl__xs_call *libxl__xs_caller_take(libxl__xs_caller *caller);
/* Queues a connect, unless one is queued or running. */
void libxl__xs_caller_connect(libxl__xs_caller *caller);
/*
 * Queues a ping, unless one is queued or running. A ping makes a request on each of the two handles. If a
 * request fails, the connection is lost.
 */
void libxl__xs_caller_ping(libxl__xs_caller *caller);
/*
 * Returns the state of a call. The state is RUNNING from the time when the thread takes the call until the
 * context has taken it back.
 */
libxl__xs_call_state libxl__xs_caller_state(libxl__xs_caller *caller, const libxl__xs_call *call);
/* Returns the number of calls that are queued or running. */
uint32_t libxl__xs_caller_unfinished(libxl__xs_caller *caller);
/* Closes the child's copies of the descriptors. Called in the child of a fork. */
void libxl__xs_caller_postfork(libxl__xs_caller *caller);

#endif
