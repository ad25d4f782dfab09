/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Delivers the records in the library's queue: completes futures, and passes events to receivers.
 * Owns nothing.
 *
 * Each record is taken from the queue once, so it must be delivered even if Python code raises an exception.
 * A signal handler may raise an exception at any time. An interrupted call is repeated. The first exception
 * is raised when all records have been delivered.
 */
#include "live.h"

#include <time.h>

enum {
    BATCH = 64, /* The number of records that one libxl_event_take() takes. */
    /* A delivery takes no more records after this time, in nanoseconds. The descriptor stays readable while
     * records are queued, so the next run of the loop delivers them. */
    TURN_NS = 1000000,
    /* The greatest number of calls for one event. Without this limit, a signal handler that always raises
     * an exception would cause an endless loop. */
    MAX_ATTEMPTS = 16,
};

/* The first of several exceptions. The later exceptions are dropped. */
typedef struct {
    PyObject *type, *value, *trace;
} FirstError;

static void keep_first(FirstError *first)
{
    if (first->type)
        PyErr_Clear();
    else
        PyErr_Fetch(&first->type, &first->value, &first->trace);
}

static bool is_done(PyObject *operation)
{
    PyObject *done_future = PyObject_CallMethod(operation, "done", NULL);
    Py_XDECREF(done_future);
    return done_future == Py_True;
}

/* Completes the future. Tries again after an interrupt such as Ctrl-C, because the library delivers each
 * record only once. After an interrupt, an exception is set. */
static void complete_retrying(PyObject *operation, int rc, const char *message)
{
    FirstError first = {NULL, NULL, NULL};
    bool interrupted = true;
    while (interrupted && !future_complete(operation, rc, message)) {
        interrupted = !PyErr_ExceptionMatches(PyExc_Exception);
        keep_first(&first);
        interrupted = interrupted && !is_done(operation);
    }
    if (first.type)
        PyErr_Restore(first.type, first.value, first.trace);
}

static bool handle_completion(const libxl_event_record *record)
{
    PyObject *operation = (PyObject *)(uintptr_t)record->for_user;
    const char *message = record->event ? record->event->u.operation_complete.message : NULL;
    live_remove(operation);
    complete_retrying(operation, record->value, message ? message : "");
    observe_end(operation);
    Py_DECREF(operation);
    return !PyErr_Occurred();
}

/* Returns whether the call that returned `answer` raised an exception and must be repeated. */
static bool should_retry(const PyObject *answer, int *calls, FirstError *first)
{
    if (answer)
        return false;
    keep_first(first);
    return ++*calls < MAX_ATTEMPTS;
}

/* Makes a Python event from the record, and passes the event to its receiver. Both calls may be repeated.
 * _make_event() has no side effect, and _deliver() ignores a repeated event. */
static void deliver_event(ContextCore *xen, const libxl_event_record *record, FirstError *first)
{
    PyObject *event, *delivered = NULL;
    int calls = 0;
    do
        event = PyObject_CallMethod((PyObject *)xen, "_make_event", "IIiy#K", record->type, record->domid,
                                    record->value, (const char *)&record->domuuid,
                                    (Py_ssize_t)sizeof(record->domuuid),
                                    (unsigned long long)(uintptr_t)record->event);
    while (should_retry(event, &calls, first));
    if (!event)
        return;
    do
        delivered = PyObject_CallMethod((PyObject *)xen, "_deliver", "KO",
                                        (unsigned long long)record->for_user, event);
    while (should_retry(delivered, &calls, first));
    Py_DECREF(event);
    Py_XDECREF(delivered);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

PyObject *context_core_deliver_events(PyObject *self, PyObject *unused)
{
    ContextCore *xen = (ContextCore *)self;
    /* The records are on the stack, because a receiver may run the loop, and the loop calls this
     * function again. */
    libxl_event_record records[BATCH];
    FirstError first = {NULL, NULL, NULL};
    int number = BATCH;
    const int64_t end = now_ns() + TURN_NS;
    (void)unused;
    while (number == BATCH && xen->ctx && now_ns() < end) {
        Py_BEGIN_ALLOW_THREADS;
        number = libxl_event_take(xen->ctx, records, BATCH);
        Py_END_ALLOW_THREADS;
        for (int i = 0; i < number; i++) {
            const libxl_event_record *record = &records[i];
            const bool ends = record->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE;
            if (!ends)
                deliver_event(xen, record, &first);
            else if (!handle_completion(record))
                keep_first(&first);
            if (record->event && xen->ctx)
                libxl_event_free(xen->ctx, record->event);
        }
    }
    if (!first.type)
        return number < 0 ? PyObject_CallMethod(self, "_raise_error", "is", number, libxl_error_message())
                          : Py_NewRef(Py_None);
    PyErr_Restore(first.type, first.value, first.trace);
    return NULL;
}
