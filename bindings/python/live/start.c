/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How operations begin. An operation is in the list of those that are live before C is called; if there was
 * nothing to wait for, it leaves the list and has ended.
 */
#include "live.h"

#include <math.h>

#define LONGEST 4000000 /* seconds: what the library counts in milliseconds, in 32 bits */

bool is_domid(PyObject *input, libxl_domid *domid)
{
    if (!PyLong_Check(input) || PyBool_Check(input))
        return false; /* a Domain, perhaps */
    const unsigned long long number = PyLong_AsUnsignedLongLong(input);
    if (number > UINT32_MAX) {
        PyErr_Clear();
        return false;
    }
    *domid = (libxl_domid)number;
    return true;
}

static bool not_seconds(PyObject *limit)
{
    PyErr_Format(PyExc_TypeError, "limit: a number of seconds is expected, not %R", limit);
    return false;
}

/* Seconds, or None, as the library's milliseconds, of which 0 means no limit. */
static bool milliseconds(PyObject *limit, unsigned *ms)
{
    *ms = 0;
    if (limit == Py_None)
        return true;
    if (PyBool_Check(limit))
        return not_seconds(limit);
    double seconds = PyFloat_AsDouble(limit);
    if (seconds == -1 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            return not_seconds(limit);
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return false;
        PyErr_Clear();
        seconds = INFINITY;
    }
    if (!(seconds >= 0 && seconds <= LONGEST)) {
        PyErr_Format(PyExc_ValueError, "limit: %R is not between 0 and %d seconds", limit, LONGEST);
        return false;
    }
    *ms = seconds > 0 ? (unsigned)ceil(seconds * 1000) : 1;
    return true;
}

/* What its function answers; 1: an exception. */
static int begin(Starter *xen, PyObject *operation, const libxl_asyncop_how *how)
{
    Pending *p = pending_of(operation);
    const Function *f = (Function *)p->function;
    if (!p->inputs)
        return f->direct(xen->ctx, p->domid, f->instant ? NULL : how);
    if (f->gives && !(p->out = function_out(p->function)))
        return 1;
    return function_begin(p->function, xen, p->inputs, p->out ? p->out : no_arguments,
                          f->instant ? NULL : how);
}

typedef struct {
    libxl_ev_user token;
    bool there;
} Completion;

/* A libxl_event_predicate that wants nothing. */
static int look(const libxl_event *event, void *user)
{
    Completion *sought = user;
    sought->there |= event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE && event->for_user == sought->token;
    return 0;
}

/* Whether C has it and has not told its end; if so, its end is asked for. */
static bool is_with_c(const Starter *xen, const libxl_asyncop_how *how)
{
    Completion sought = {how->u.for_event, false};
    libxl_event *none;
    if (libxl_ao_abort(xen->ctx, how) != ERROR_NOTFOUND)
        return true;
    libxl_event_check(xen->ctx, &none, LIBXL_EVENTMASK_ALL, look, &sought);
    return sought.there;
}

/*
 * An exception, before C was called or after: a signal's handler may raise any. Nobody will have the operation:
 * if C has it, it is cancelled and stays live; if not, nobody must wait for its end.
 */
static void abandon(Starter *xen, PyObject *operation, const libxl_asyncop_how *how)
{
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyObject *asked = PyObject_CallMethod(operation, "cancel", NULL);
    if (!asked)
        PyErr_Clear();
    Py_XDECREF(asked);
    if (((Function *)pending_of(operation)->function)->instant || !is_with_c(xen, how)) {
        no_longer_live(operation);
        Py_DECREF(operation);
    }
    PyErr_Restore(type, error, trace);
}

/* C's operation behind this one; if there is nothing to wait for it has ended on return. */
static bool launch(Starter *xen, PyObject *operation)
{
    const libxl_asyncop_how how = how_of(operation);
    /* Before: an interrupt behind the call must not free what C will write to. */
    becomes_live(xen, operation);
    const int rc = begin(xen, operation, &how);
    if (rc == ERROR_ASYNC_INPROGRESS)
        return true;
    if (rc == 1) {
        abandon(xen, operation, &how);
        return false;
    }
    no_longer_live(operation);
    const bool ended = end(operation, rc, rc ? libxl_error_message() : "");
    Py_DECREF(operation);
    return ended;
}

/* `inputs` NULL: a domain, which the caller fills in. */
static void fill(Starter *xen, PyObject *operation, PyObject *function, PyObject *inputs)
{
    Pending *p = pending_of(operation);
    p->xen = Py_NewRef((PyObject *)xen);
    p->function = Py_NewRef(function);
    if (inputs && !(((Function *)function)->direct && is_domid(PyTuple_GetItem(inputs, 0), &p->domid)))
        p->inputs = Py_NewRef(inputs);
}

/* The loop that runs is served from now on, unless the context is closed: _bind(). */
static bool bind(PyObject *self)
{
    PyObject *bound = PyObject_CallMethod(self, "_bind", NULL);
    Py_XDECREF(bound);
    return bound;
}

PyObject *starter_launch(PyObject *self, PyObject *args)
{
    PyObject *operation, *function, *inputs;
    if (!PyArg_ParseTuple(args, "O!O!O!", pending_type, &operation, function_type, &function, &PyTuple_Type,
                          &inputs))
        return NULL;
    if (!((Starter *)self)->ctx && !bind(self))
        return NULL;
    fill((Starter *)self, operation, function, inputs);
    return launch((Starter *)self, operation) ? Py_NewRef(Py_None) : NULL;
}

/* A future, not started. */
static PyObject *make(Starter *xen, PyObject *function, PyObject *inputs)
{
    PyObject *kind = ((Function *)function)->undone ? xen->undoable : xen->plain;
    PyObject *operation = PyObject_Call(kind, no_arguments, xen->ready);
    if (operation)
        fill(xen, operation, function, inputs);
    return operation;
}

PyObject *start_directly(Starter *xen, PyObject *function, libxl_domid domid)
{
    const Function *f = (Function *)function;
    int rc = 0;
    if (!xen->ready && !bind((PyObject *)xen))
        return NULL;
    if (f->instant && !(rc = f->direct(xen->ctx, domid, NULL)))
        return Py_NewRef(xen->done);
    PyObject *operation = make(xen, function, NULL);
    if (!operation)
        return NULL;
    pending_of(operation)->domid = domid;
    if (!(rc ? end(operation, rc, libxl_error_message()) : launch(xen, operation)))
        Py_CLEAR(operation);
    return operation;
}

/* The inputs; NULL: an exception. A domain may be whatever has a number; only to cffi True is 1. */
static PyObject *inputs_of(PyObject *function, PyObject *const *items, Py_ssize_t number)
{
    const Py_ssize_t domain = ((Function *)function)->about;
    if (domain >= 0 && domain < number && PyBool_Check(items[domain]))
        return function_refuse(function, items[domain]);
    PyObject *tuple = PyTuple_New(number);
    for (Py_ssize_t i = 0; tuple && i < number; i++)
        PyTuple_SetItem(tuple, i, Py_NewRef(items[i]));
    return tuple;
}

/* The same of any function. */
static PyObject *start(Starter *xen, PyObject *function, PyObject *const *items, Py_ssize_t number)
{
    PyObject *operation = NULL;
    PyObject *inputs = inputs_of(function, items, number);
    if (inputs && (operation = make(xen, function, inputs)) && !launch(xen, operation))
        Py_CLEAR(operation);
    Py_XDECREF(inputs);
    return operation;
}

/* _start(function, limit, *inputs); what calls it is generated. */
PyObject *starter_start(PyObject *self, PyObject *const *args, Py_ssize_t number)
{
    Starter *xen = (Starter *)self;
    const Function *f = number >= 2 ? (Function *)args[0] : NULL;
    unsigned limit = 0;
    if (!f)
        return PyErr_Format(PyExc_TypeError, "_start() needs an operation and its limit");
    if (!xen->ready && !bind(self))
        return NULL;
    if (!f->instant && !milliseconds(args[1], &limit))
        return NULL;
    PyObject *operation = start(xen, args[0], args + 2, number - 2);
    if (operation && pending_of(operation)->live && args[1] != f->limit) {
        const libxl_asyncop_how how = how_of(operation);
        libxl_ao_set_limit(xen->ctx, &how, limit);
    }
    return operation;
}
