/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the thread that calls libxenstore, its handles, and the queues of calls. A call is part of its batch
 * or watch. While the call is running, the batch or watch belongs to the thread. At all other times it
 * belongs to the context.
 *
 * Locks: `lock` guards the queues. A thread may take `lock` while it holds the context's lock. A thread that
 * holds `lock` must not take the context's lock. The thread of this file holds `lock` only to take calls from
 * the queue and to return them.
 *
 * While libxenstore writes, it ignores SIGPIPE in the whole process.
 */
#include "xs_caller.h"
#include "xen.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xenstore.h>

#define STOP_LIMIT LIBXL__SECONDS(1)

struct libxl__xs_caller {
    pthread_mutex_t lock;         /* guards the members up to `abandoned` */
    pthread_cond_t changed;       /* signalled when a call is queued, and when `quit` or `ended` is set */
    struct libxl__xs_calls queue; /* the calls that must still be made */
    struct libxl__xs_calls done;  /* the calls that were made and that the context has not taken yet */
    libxl__xs_call *running;      /* the call that the thread is making; NULL: none */
    uint32_t queued;
    libxl__xs_call connecting, pinging;
    bool quit; /* asks the thread to end */
    /* The thread has closed the handles, and will not use this structure again. */
    bool ended;
    /* The context was freed, so the thread frees this structure and the batch or watch of its call. */
    bool abandoned;
    int fd;
    pthread_t thread;
    /* Only the thread uses the handles. There is one exception: see libxl__xs_caller_watches. */
    struct libxl__xs_handles handles;
};

/* ---- functions of the thread */

static void free_caller(struct libxl__xs_caller *caller)
{
    close(caller->fd);
    pthread_cond_destroy(&caller->changed);
    pthread_mutex_destroy(&caller->lock);
    free(caller);
}

/* Frees the batch or watch of a call after the context was freed. */
static void free_orphan(libxl__xs_call *call)
{
    if (call->kind == LIBXL__XS_BATCH)
        libxl__xs_batch_ended(NULL, LIBXL__CONTAINER(call, libxl__xs_batch, call));
    else if (call->kind == LIBXL__XS_ADD || call->kind == LIBXL__XS_DROP)
        free(call);
}

/* Waits until a call is queued. Takes and returns the call. Returns NULL if the thread must end. */
static libxl__xs_call *next_call(struct libxl__xs_caller *caller)
{
    while (STAILQ_EMPTY(&caller->queue) && !caller->quit)
        pthread_cond_wait(&caller->changed, &caller->lock);
    if (caller->quit)
        return NULL;
    libxl__xs_call *call = caller->running = STAILQ_FIRST(&caller->queue);
    STAILQ_REMOVE_HEAD(&caller->queue, link);
    caller->queued--;
    call->state = LIBXL__XS_CALL_RUNNING;
    return call;
}

static void return_call(struct libxl__xs_caller *caller, libxl__xs_call *call, int error)
{
    caller->running = NULL;
    if (caller->abandoned) {
        free_orphan(call);
        return;
    }
    call->errnoval = error;
    STAILQ_INSERT_TAIL(&caller->done, call, link);
    eventfd_write(caller->fd, 1);
}

static void *make_calls(void *argument)
{
    struct libxl__xs_caller *caller = argument;
    libxl__xs_call *call;
    pthread_setname_np(pthread_self(), "xl-xenstore");
    pthread_mutex_lock(&caller->lock);
    while ((call = next_call(caller))) {
        pthread_mutex_unlock(&caller->lock);
        const int error = libxl__xs_make_call(&caller->handles, call);
        pthread_mutex_lock(&caller->lock);
        return_call(caller, call, error);
    }
    pthread_mutex_unlock(&caller->lock);
    libxl__xs_close_handles(&caller->handles);
    pthread_mutex_lock(&caller->lock);
    const bool abandoned = caller->abandoned;
    caller->ended = true;
    pthread_cond_signal(&caller->changed);
    pthread_mutex_unlock(&caller->lock);
    if (abandoned)
        free_caller(caller);
    return NULL;
}

/* ---- starting and stopping the thread */

/*
 * Loads libgcc_s. xs_close cancels a thread, and glibc loads libgcc_s for the first cancellation. If no
 * descriptor is free at that time, glibc ends the process. If libgcc_s is loaded already, glibc needs no
 * descriptor.
 */
static int load_what_cancelling_needs(void)
{
    /* cppcheck-suppress leakNoVarFunctionCall; the library stays loaded on purpose */
    if (dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_NODELETE))
        return 0;
    return libxl__refuse(ERROR_FAIL, "loading what libxenstore needs: %s", dlerror());
}

/*
 * Starts the thread. The thread blocks all signals, so that the application's signal handlers run only on the
 * application's threads. Returns 0 or an errno.
 */
static int start_thread(struct libxl__xs_caller *caller)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&caller->thread, NULL, make_calls, caller);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return errno ? libxl__refuse(ERROR_FAIL, "starting a worker thread: %m") : 0;
}

int libxl__xs_caller_start(struct libxl__xs_caller **caller_out)
{
    int rc = load_what_cancelling_needs();
    struct libxl__xs_caller *caller = rc ? NULL : calloc(1, sizeof(*caller));
    if (!caller)
        return rc ? rc : libxl__refuse_in(ERROR_NOMEM, "connecting to xenstored");
    pthread_mutex_init(&caller->lock, NULL);
    pthread_cond_init(&caller->changed, NULL);
    STAILQ_INIT(&caller->queue);
    STAILQ_INIT(&caller->done);
    caller->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = caller->fd < 0 ? libxl__refuse(ERROR_FAIL, "eventfd: %m") : start_thread(caller);
    if (rc)
        free_caller(caller);
    else
        *caller_out = caller;
    return rc;
}

/*
 * Waits until the thread has ended, for STOP_LIMIT at most. If the thread is connecting, does not wait.
 * Called with `lock` held.
 */
static void wait_for_end(struct libxl__xs_caller *caller)
{
    const uint64_t end = libxl__now() + STOP_LIMIT;
    const struct timespec until = {.tv_sec = (time_t)(end / LIBXL__SECONDS(1)),
                                   .tv_nsec = (long)(end % LIBXL__SECONDS(1))};
    caller->quit = true;
    pthread_cond_signal(&caller->changed);
    while (!caller->ended && caller->running != &caller->connecting &&
           !pthread_cond_clockwait(&caller->changed, &caller->lock, CLOCK_MONOTONIC, &until))
        ;
}

void libxl__xs_caller_stop(libxl_ctx *ctx, struct libxl__xs_caller *caller,
                           void (*left_behind)(libxl_ctx *ctx, libxl__xs_call *call),
                           struct libxl__xs_calls *out)
{
    const pthread_t thread = caller->thread;
    pthread_mutex_lock(&caller->lock);
    wait_for_end(caller);
    const bool ended = caller->ended;
    caller->abandoned = !ended;
    if (caller->running)
        left_behind(ctx, caller->running);
    STAILQ_CONCAT(out, &caller->done);
    /* If the context was freed before the thread has ended, the thread may free the caller from now on. */
    pthread_mutex_unlock(&caller->lock);
    if (ended) {
        pthread_join(thread, NULL);
        free_caller(caller);
    } else {
        pthread_detach(thread);
    }
}

/* ---- functions for the context's threads */

int libxl__xs_caller_fd(const struct libxl__xs_caller *caller)
{
    return caller->fd;
}

struct xs_handle *libxl__xs_caller_watches(const struct libxl__xs_caller *caller)
{
    return caller->handles.watches;
}

void libxl__xs_caller_queue(struct libxl__xs_caller *caller, libxl__xs_call *call, libxl__xs_call_kind kind)
{
    pthread_mutex_lock(&caller->lock);
    assert(call->state == LIBXL__XS_CALL_IDLE || call->state == LIBXL__XS_CALL_DONE);
    call->kind = kind;
    call->state = LIBXL__XS_CALL_QUEUED;
    STAILQ_INSERT_TAIL(&caller->queue, call, link);
    caller->queued++;
    pthread_cond_signal(&caller->changed);
    pthread_mutex_unlock(&caller->lock);
}

bool libxl__xs_caller_withdraw(struct libxl__xs_caller *caller, libxl__xs_call *call)
{
    pthread_mutex_lock(&caller->lock);
    const bool queued = call->state == LIBXL__XS_CALL_QUEUED;
    if (queued) {
        STAILQ_REMOVE(&caller->queue, call, libxl__xs_call, link);
        caller->queued--;
        call->state = LIBXL__XS_CALL_IDLE;
    }
    pthread_mutex_unlock(&caller->lock);
    return queued;
}

void libxl__xs_caller_withdraw_all(struct libxl__xs_caller *caller, struct libxl__xs_calls *out)
{
    libxl__xs_call *call;
    pthread_mutex_lock(&caller->lock);
    STAILQ_FOREACH (call, &caller->queue, link)
        call->state = LIBXL__XS_CALL_IDLE;
    STAILQ_CONCAT(out, &caller->queue);
    caller->queued = 0;
    pthread_mutex_unlock(&caller->lock);
}

libxl__xs_call *libxl__xs_caller_take(struct libxl__xs_caller *caller)
{
    eventfd_t count;
    pthread_mutex_lock(&caller->lock);
    libxl__xs_call *call = STAILQ_FIRST(&caller->done);
    if (call) {
        STAILQ_REMOVE_HEAD(&caller->done, link);
        call->state = LIBXL__XS_CALL_DONE;
    } else {
        (void)eventfd_read(caller->fd, &count);
    }
    pthread_mutex_unlock(&caller->lock);
    return call;
}

static void queue_own(struct libxl__xs_caller *caller, libxl__xs_call *call, libxl__xs_call_kind kind)
{
    const libxl__xs_call_state state = libxl__xs_caller_state(caller, call);
    if (state == LIBXL__XS_CALL_IDLE || state == LIBXL__XS_CALL_DONE)
        libxl__xs_caller_queue(caller, call, kind);
}

void libxl__xs_caller_connect(struct libxl__xs_caller *caller)
{
    queue_own(caller, &caller->connecting, LIBXL__XS_CONNECT);
}

void libxl__xs_caller_ping(struct libxl__xs_caller *caller)
{
    queue_own(caller, &caller->pinging, LIBXL__XS_PING);
}

libxl__xs_call_state libxl__xs_caller_state(struct libxl__xs_caller *caller, const libxl__xs_call *call)
{
    pthread_mutex_lock(&caller->lock);
    const libxl__xs_call_state state = call->state;
    pthread_mutex_unlock(&caller->lock);
    return state;
}

uint32_t libxl__xs_caller_unfinished(struct libxl__xs_caller *caller)
{
    pthread_mutex_lock(&caller->lock);
    const uint32_t unfinished = caller->queued + (caller->running != NULL);
    pthread_mutex_unlock(&caller->lock);
    return unfinished;
}

void libxl__xs_caller_postfork(struct libxl__xs_caller *caller)
{
    if (caller->handles.watches)
        xs_daemon_destroy_postfork(caller->handles.watches);
    if (caller->handles.requests)
        xs_daemon_destroy_postfork(caller->handles.requests);
    close(caller->fd);
}
