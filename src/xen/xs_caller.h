/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread that calls libxenstore, whose calls block and cannot be interrupted. Only xs_lib.c uses it.
 *
 * The thread never touches the context. It takes calls from a queue, makes them one after the other, and puts them into a list
 * of calls that are done; an eventfd tells the context's loop. So a context can be freed while a call is stuck: the thread, its
 * handles and that call are left behind then, and the thread frees them when the call returns.
 *
 * Any thread may call these functions, with the context locked or while the context is made or freed.
 */
#ifndef LIBXL__XS_CALLER_H
#define LIBXL__XS_CALLER_H

#include "xs_transport.h"

struct xs_handle;

STAILQ_HEAD(libxl__xs_calls, libxl__xs_call);

typedef struct libxl__xs_caller libxl__xs_caller;

/* Starts the thread. Errors, with a message: NOMEM, FAIL. */
int libxl__xs_caller_start(libxl__xs_caller **caller_out);
/*
 * Ends the thread when its present call has returned, and frees the caller. No call may be queued. Moves the calls that are done
 * to `out`. Waits a second at most. If the call is still running then, the thread is left behind: it frees the caller later, and
 * the batch or watch of that call. `left_behind` is called once with that call, and must make sure that nobody else uses or
 * frees the batch or watch.
 */
void libxl__xs_caller_stop(libxl_ctx *ctx, libxl__xs_caller *caller,
                           void (*left_behind)(libxl_ctx *ctx, libxl__xs_call *call),
                           struct libxl__xs_calls *out);

/* The eventfd. It is readable while calls are done that have not been taken. */
int libxl__xs_caller_fd(const libxl__xs_caller *caller);
/* The handle for watches. Valid after a connect has succeeded and until the next one is queued. */
struct xs_handle *libxl__xs_caller_watches(const libxl__xs_caller *caller);

/* Queues a call of this kind, which must be idle or done. */
void libxl__xs_caller_queue(libxl__xs_caller *caller, libxl__xs_call *call, libxl__xs_call_kind kind);
/* Takes a queued call back; it is idle then. Returns false if it is not queued. */
bool libxl__xs_caller_withdraw(libxl__xs_caller *caller, libxl__xs_call *call);
/* Takes all queued calls back, into `out`. They are idle then. */
void libxl__xs_caller_withdraw_all(libxl__xs_caller *caller, struct libxl__xs_calls *out);
/* Takes the first call that is done. Returns NULL if there is none; the eventfd is not readable then. */
libxl__xs_call *libxl__xs_caller_take(libxl__xs_caller *caller);
/* Queues a connect, unless one is queued or running. */
void libxl__xs_caller_connect(libxl__xs_caller *caller);
/* Queues a request on each handle, to find out whether the connection is lost, unless one is queued or running. */
void libxl__xs_caller_ping(libxl__xs_caller *caller);
/* The state of a call. It is running until it is taken. */
libxl__xs_call_state libxl__xs_caller_state(libxl__xs_caller *caller, const libxl__xs_call *call);
/* The number of calls that are queued or running. */
uint32_t libxl__xs_caller_unfinished(libxl__xs_caller *caller);
/* Closes the child's copies of the descriptors. Called in the child of a fork. */
void libxl__xs_caller_postfork(libxl__xs_caller *caller);

/* The call of a watch lies in front of it, in the memory that .watch_room asks for. */
static inline libxl__xs_call *libxl__xs_call_of(libxl__watch *watch)
{
    return (libxl__xs_call *)(void *)watch - 1;
}

static inline libxl__watch *libxl__watch_of_call(libxl__xs_call *call)
{
    return (libxl__watch *)(void *)(call + 1);
}

#endif
