/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the threads on which synchronous calls are made that a test starts, to do something meanwhile. A call belongs
 * to its operation, from op_call to call_end.
 */
#include "scene.h"

#include <semaphore.h>
#include <stdlib.h>

struct call {
    op *o;
    initiator *function;
    words arguments;
    sem_t waits; /* in the library, or has returned */
    bool told;
    pthread_t thread;
};

static _Thread_local struct call *calling;

static void tell_that_it_waits(struct call *call)
{
    if (!call->told)
        sem_post(&call->waits);
    call->told = true;
}

/* The context's logger: an operation says that it is in progress, on its initiator's thread. */
static void say(xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
                const char *format, va_list args)
{
    (void)logger, (void)errnoval, (void)context, (void)args;
    if (calling && level == XTL_DEBUG && strcmp(format, "%s: in progress") == 0)
        tell_that_it_waits(calling);
}

xentoollog_logger call_logger = {.vmessage = say};

static void *make_call(void *argument)
{
    struct call *call = calling = argument;
    const uintptr_t *a = call->arguments.at;
    op_started(call->o, call->function(a[0], a[1], a[2], a[3], a[4], a[5]));
    tell_that_it_waits(call);
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
