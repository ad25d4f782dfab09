/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How operations end, and events are told. Whatever Python raises meanwhile, each operation that C has ended
 * ends, and each event is told: nobody would tell it again. What is interrupted is done again.
 */
#include "live.h"

enum {
    BATCH = 256,     /* records taken at a time */
    MOST_CALLS = 16, /* to tell of one event: not for ever, if each raises */
};

/* The first exception of several; the others are forgotten. */
typedef struct {
    PyObject *type, *value, *trace;
} Raised;

static void keep(Raised *first)
{
    if (first->type)
        PyErr_Clear();
    else
        PyErr_Fetch(&first->type, &first->value, &first->trace);
}

static bool is_done(PyObject *operation)
{
    PyObject *done = PyObject_CallMethod(operation, "done", NULL);
    Py_XDECREF(done);
    return done == Py_True;
}

/* end(), and again if that is interrupted, perhaps by Ctrl-C: who awaits it would wait for ever. */
static bool surely_end(PyObject *operation, int rc, const char *message)
{
    Raised first = {NULL, NULL, NULL};
    bool interrupted = true;
    while (interrupted && !end(operation, rc, message)) {
        interrupted = !PyErr_ExceptionMatches(PyExc_Exception);
        keep(&first);
        interrupted = interrupted && !is_done(operation);
    }
    if (!first.type)
        return true;
    PyErr_Restore(first.type, first.value, first.trace);
    return false;
}

static bool complete(const libxl_event_record *record)
{
    PyObject *operation = (PyObject *)(uintptr_t)record->for_user;
    const char *message = record->event ? record->event->u.operation_complete.message : NULL;
    no_longer_live(operation);
    const bool ended = surely_end(operation, record->value, message ? message : "");
    Py_DECREF(operation);
    return ended;
}

/* The call that has just given `answer` raised, as a signal's handler may, and is to be made again; or not. */
static bool again(const PyObject *answer, int *calls, Raised *first)
{
    if (answer)
        return false;
    keep(first);
    return ++*calls < MOST_CALLS;
}

/* Making an event has no effect; what it is told to knows one that it has had. */
static void tell(Starter *xen, const libxl_event_record *record, Raised *first)
{
    PyObject *event, *told = NULL;
    int calls = 0;
    do
        event = PyObject_CallMethod((PyObject *)xen, "_event", "IIiy#K", record->type, record->domid,
                                    record->value, (const char *)&record->domuuid,
                                    (Py_ssize_t)sizeof(record->domuuid),
                                    (unsigned long long)(uintptr_t)record->event);
    while (again(event, &calls, first));
    if (!event)
        return;
    do
        told =
            PyObject_CallMethod((PyObject *)xen, "_tell", "KO", (unsigned long long)record->for_user, event);
    while (again(told, &calls, first));
    Py_DECREF(event);
    Py_XDECREF(told);
}

PyObject *starter_drain(PyObject *self, PyObject *unused)
{
    Starter *xen = (Starter *)self;
    libxl_event_record records[BATCH]; /* here: what is told may run the loop, and come here, too */
    Raised first = {NULL, NULL, NULL};
    int number = BATCH;
    (void)unused;
    while (number == BATCH && xen->ctx) {
        Py_BEGIN_ALLOW_THREADS;
        number = libxl_event_take(xen->ctx, records, BATCH);
        Py_END_ALLOW_THREADS;
        for (int i = 0; i < number; i++) {
            const libxl_event_record *record = &records[i];
            const bool ends = record->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE;
            if (!ends)
                tell(xen, record, &first);
            else if (!complete(record))
                keep(&first);
            if (record->event && xen->ctx)
                libxl_event_free(xen->ctx, record->event);
        }
    }
    if (!first.type)
        return number < 0 ? PyObject_CallMethod(self, "_failed", "is", number, libxl_error_message())
                          : Py_NewRef(Py_None);
    PyErr_Restore(first.type, first.value, first.trace);
    return NULL;
}
