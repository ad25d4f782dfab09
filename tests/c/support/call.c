/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the threads that make the synchronous calls of a test. The test continues during such a call. A call
 * belongs to its operation from op_call() to call_end().
 */
#include "scene.h"

#include <semaphore.h>
#include <stdlib.h>

struct call {
    op *o;
    initiator *function;
    words arguments;
    sem_t waits; /* Posted when the call waits in the library or has returned. */
    bool posted;
    pthread_t thread;
};

static _Thread_local struct call *calling;

static void post_waits(struct call *call)
{
    if (!call->posted)
        sem_post(&call->waits);
    call->posted = true;
}

/* Writes a message of the context's logger. The library logs "in progress" on the initiator's thread
 * before the call blocks. */
static void log_message(xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
                        const char *format, va_list args)
{
    (void)logger, (void)errnoval, (void)context, (void)args;
    if (calling && level == XTL_DEBUG && strcmp(format, "%s: in progress") == 0)
        post_waits(calling);
}

xentoollog_logger call_logger = {.vmessage = log_message};

static void *make_call(void *argument)
{
    struct call *call = calling = argument;
    const uintptr_t *a = call->arguments.at;
    op_started(call->o, call->function(a[0], a[1], a[2], a[3], a[4], a[5]));
    post_waits(call);
    return NULL;
}

void op_call(op *o, initiator *function, words arguments)
{
    struct call *call = o->call = calloc(1, sizeof(*call));
    call->o = o;
    call->function = function;
    call->arguments = arguments;
    sem_init(&call->waits, 0, 0);
    pthread_create(&call->thread, NULL, make_call, call);
    sem_wait(&call->waits);
}

void call_end(op *o)
{
    if (!o->call)
        return;
    pthread_join(o->call->thread, NULL);
    sem_destroy(&o->call->waits);
    free(o->call);
    o->call = NULL;
}
