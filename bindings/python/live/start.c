/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the start of operations. An operation enters the live list before its C function is called. If the
 * function returns a final result, the operation leaves the list and its future is complete on return.
 */
#include "live.h"

#include <math.h>

#define MAX_LIMIT_S 4000000 /* The greatest limit in seconds. The library counts milliseconds in 32 bits. */

static PyObject *name_domid, *name_uuid; /* The names of two attributes of a Domain. */

bool start_prepare(void)
{
    name_domid = PyUnicode_InternFromString("domid");
    name_uuid = PyUnicode_InternFromString("_uuid_bytes");
    return name_domid && name_uuid;
}

static bool parse_domid(PyObject *input, libxl_domid *domid)
{
    /* The first comparison is the quick test of the usual type. */
    if (!Py_IS_TYPE(input, &PyLong_Type) && (!PyLong_Check(input) || PyBool_Check(input)))
        return false;
    const unsigned long long number = PyLong_AsUnsignedLongLong(input);
    if (number > UINT32_MAX) {
        PyErr_Clear();
        return false;
    }
    *domid = (libxl_domid)number;
    return true;
}

/* Reads an attribute. Returns 1; 0 if the object has no such attribute; -1 if an exception is set. */
static int read_attribute(PyObject *object, PyObject *name, PyObject **value)
{
    *value = PyObject_GetAttr(object, name);
    if (*value)
        return 1;
    if (!PyErr_ExceptionMatches(PyExc_AttributeError))
        return -1;
    PyErr_Clear();
    return 0;
}

int parse_target(PyObject *input, Target *target)
{
    PyObject *uuid = NULL, *domid = NULL;
    target->has_uuid = false;
    if (Py_IS_TYPE(input, &PyLong_Type) || PyLong_Check(input))
        return parse_domid(input, &target->domid);
    int found = read_attribute(input, name_uuid, &uuid);
    if (found == 1)
        found = read_attribute(input, name_domid, &domid);
    if (found == 1 && parse_domid(domid, &target->domid) && PyBytes_Check(uuid) &&
        PyBytes_Size(uuid) == sizeof(target->uuid)) {
        memcpy(&target->uuid, PyBytes_AsString(uuid), sizeof(target->uuid));
        target->has_uuid = true;
    }
    Py_XDECREF(uuid);
    Py_XDECREF(domid);
    return found < 0 ? found : target->has_uuid;
}

static bool raise_not_seconds(PyObject *limit)
{
    PyErr_Format(PyExc_TypeError, "timeout: a number of seconds is expected, not %R", limit);
    return false;
}

/* Converts a limit in seconds to milliseconds, rounded up. For None and infinity the result is 0, which
 * means no limit. */
static bool milliseconds(PyObject *limit, unsigned *ms)
{
    *ms = 0;
    if (limit == Py_None)
        return true;
    if (PyBool_Check(limit))
        return raise_not_seconds(limit);
    double seconds = PyFloat_AsDouble(limit);
    if (seconds == -1 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            return raise_not_seconds(limit);
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return false;
        PyErr_Clear();
        seconds = MAX_LIMIT_S + 1.0;
    }
    if (isinf(seconds) && seconds > 0)
        return true;
    if (!(seconds >= 0 && seconds <= MAX_LIMIT_S)) {
        PyErr_Format(PyExc_ValueError, "timeout: %R is not between 0 and %d seconds", limit, MAX_LIMIT_S);
        return false;
    }
    *ms = seconds > 0 ? (unsigned)ceil(seconds * 1000) : 1;
    return true;
}

/* Checks that the domain of a handle still has the handle's domid. Returns 0 or an error code. */
static int check_target(ContextCore *xen, const Target *target)
{
    return target->has_uuid ? libxl_domain_check_uuid(xen->ctx, target->domid, &target->uuid, NULL) : 0;
}

/* Returns whether the operation succeeds because check_target has returned this error. */
static bool ends_because_gone(const OperationSpec *f, int rc)
{
    return rc == ERROR_DOMAIN_GONE && f->ends_if_gone;
}

/* Calls the operation's C function. Returns its result, or 1 if an exception is set. */
static int call_initiator(ContextCore *xen, PyObject *operation, const libxl_asyncop_how *how)
{
    OperationFuture *p = future_of(operation);
    const OperationSpec *f = (OperationSpec *)p->spec;
    if (!p->inputs)
        return f->initiator(xen->ctx, p->domid, f->instant ? NULL : how);
    if (f->has_results && !(p->results = spec_new_results(p->spec)))
        return 1;
    return spec_call(p->spec, xen, p->inputs, p->results ? p->results : empty_tuple, f->instant ? NULL : how);
}

typedef struct {
    libxl_ev_user token;
    bool found;
} CompletionSearch;

/* A libxl_event_predicate that looks for the completion of an operation. It takes no event. */
static int match_completion(const libxl_event *event, void *user)
{
    CompletionSearch *sought = user;
    sought->found |= event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE && event->for_user == sought->token;
    return 0;
}

/* Asks the C library to abort the operation. Returns whether its completion is still to be delivered. */
static bool c_owns(const ContextCore *xen, const libxl_asyncop_how *how)
{
    CompletionSearch sought = {how->u.for_event, false};
    libxl_event *none;
    if (libxl_ao_abort(xen->ctx, how) != ERROR_NOTFOUND)
        return true;
    libxl_event_check(xen->ctx, &none, LIBXL_EVENTMASK_ALL, match_completion, &sought);
    return sought.found;
}

/*
 * Handles an exception that was raised before or after the C function was called, for instance by a signal
 * handler. The caller does not get the operation. If the C library has started the operation, the operation
 * is cancelled and stays live until it completes. Otherwise the operation leaves the live list.
 */
static void abandon(ContextCore *xen, PyObject *operation, const libxl_asyncop_how *how)
{
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyObject *asked = PyObject_CallMethod(operation, "cancel", NULL);
    if (!asked)
        PyErr_Clear();
    Py_XDECREF(asked);
    PyErr_Restore(type, error, trace); /* observe_end() keeps the exception. */
    if (((OperationSpec *)future_of(operation)->spec)->instant || !c_owns(xen, how)) {
        live_remove(operation);
        observe_end(operation);
        Py_DECREF(operation);
    }
}

/* Starts the C operation. If it completes without waiting, its future is complete on return. */
static bool launch(ContextCore *xen, PyObject *operation, const Target *target)
{
    const OperationSpec *f = (OperationSpec *)future_of(operation)->spec;
    const libxl_asyncop_how how = future_how(operation);
    if (!observe_start(operation, target))
        return false;
    /* The live list keeps the memory to which the library writes, also if an interrupt comes after the call. */
    live_insert(xen, operation);
    int rc = check_target(xen, target);
    if (!rc)
        rc = call_initiator(xen, operation, &how);
    else if (ends_because_gone(f, rc))
        rc = 0;
    if (rc == ERROR_ASYNC_INPROGRESS && observe_progress(operation))
        return true;
    if (rc == 1 || rc == ERROR_ASYNC_INPROGRESS) {
        abandon(xen, operation, &how);
        return false;
    }
    live_remove(operation);
    future_complete(operation, rc, rc ? libxl_error_message() : "");
    observe_end(operation);
    Py_DECREF(operation);
    return !PyErr_Occurred();
}

/* Stores the context, the spec and the inputs in a new operation. If `inputs` is NULL, `target` is the
 * only input. */
static void set_inputs(ContextCore *xen, PyObject *operation, PyObject *spec, PyObject *inputs,
                       const Target *target)
{
    OperationFuture *p = future_of(operation);
    p->xen = Py_NewRef((PyObject *)xen);
    p->spec = Py_NewRef(spec);
    p->domid = target->domid;
    p->inputs = Py_XNewRef(inputs);
}

/*
 * Looks for the domain among the inputs. Returns 1 if the domain is the only input, 0 if it is not, and -1 if
 * an exception is set.
 */
static int find_target(PyObject *spec, PyObject *inputs, Target *target)
{
    const OperationSpec *f = (OperationSpec *)spec;
    *target = (Target){0};
    if (f->domid_index < 0 || f->domid_index >= PyTuple_Size(inputs))
        return 0;
    const int found = parse_target(PyTuple_GetItem(inputs, f->domid_index), target);
    return found == 1 ? f->initiator != NULL : found;
}

/* Calls the Python method _bind(), which attaches the context to the running loop, or raises an exception
 * if the context is closed. */
static bool bind_loop(PyObject *self)
{
    PyObject *bound = PyObject_CallMethod(self, "_bind", NULL);
    Py_XDECREF(bound);
    return bound;
}

PyObject *context_core_launch(PyObject *self, PyObject *args)
{
    PyObject *operation, *spec, *inputs;
    if (!PyArg_ParseTuple(args, "O!O!O!", operation_future_type, &operation, operation_spec_type, &spec,
                          &PyTuple_Type, &inputs))
        return NULL;
    if (!((ContextCore *)self)->ctx && !bind_loop(self))
        return NULL;
    Target target;
    const int alone = find_target(spec, inputs, &target);
    if (alone < 0)
        return NULL;
    set_inputs((ContextCore *)self, operation, spec, alone ? NULL : inputs, &target);
    return launch((ContextCore *)self, operation, &target) ? Py_NewRef(Py_None) : NULL;
}

/* Creates the future of an operation that has not been started. */
static PyObject *new_operation(ContextCore *xen, PyObject *spec, PyObject *inputs, const Target *target)
{
    PyObject *kind = ((OperationSpec *)spec)->undoable ? xen->undoable_class : xen->operation_class;
    PyObject *operation = PyObject_Call(kind, empty_tuple, xen->future_kwargs);
    if (operation)
        set_inputs(xen, operation, spec, inputs, target);
    return operation;
}

PyObject *start_on_domain(ContextCore *xen, PyObject *spec, const Target *target)
{
    const OperationSpec *f = (OperationSpec *)spec;
    int rc = 0;
    if (!xen->future_kwargs && !bind_loop((PyObject *)xen))
        return NULL;
    if (f->instant && !observer) {
        rc = check_target(xen, target);
        if (!rc)
            rc = f->initiator(xen->ctx, target->domid, NULL);
        if (!rc || ends_because_gone(f, rc))
            return Py_NewRef(xen->done_future);
    }
    PyObject *operation = new_operation(xen, spec, NULL, target);
    if (!operation)
        return NULL;
    if (!(rc ? future_complete(operation, rc, libxl_error_message()) : launch(xen, operation, target)))
        Py_CLEAR(operation);
    return operation;
}

/* Packs the inputs into a tuple. Refuses a bool as a domain, because cffi would convert it to 0 or 1. */
static PyObject *pack_inputs(PyObject *spec, PyObject *const *items, Py_ssize_t number)
{
    const Py_ssize_t domain = ((OperationSpec *)spec)->domid_index;
    if (domain >= 0 && domain < number && PyBool_Check(items[domain]))
        return spec_raise_bad_domid(spec, items[domain]);
    PyObject *tuple = PyTuple_New(number);
    for (Py_ssize_t i = 0; tuple && i < number; i++)
        PyTuple_SetItem(tuple, i, Py_NewRef(items[i]));
    return tuple;
}

/* Starts any operation. Returns its future, a new reference. */
static PyObject *start(ContextCore *xen, PyObject *spec, PyObject *const *items, Py_ssize_t number)
{
    PyObject *operation = NULL;
    PyObject *inputs = pack_inputs(spec, items, number);
    Target target;
    const int alone = inputs ? find_target(spec, inputs, &target) : -1;
    if (alone >= 0 && (operation = new_operation(xen, spec, alone ? NULL : inputs, &target)) &&
        !launch(xen, operation, &target))
        Py_CLEAR(operation);
    Py_XDECREF(inputs);
    return operation;
}

/* The method _start(spec, limit, *inputs), which generated methods call. */
PyObject *context_core_start(PyObject *self, PyObject *const *args, Py_ssize_t number)
{
    ContextCore *xen = (ContextCore *)self;
    const OperationSpec *f = number >= 2 ? (OperationSpec *)args[0] : NULL;
    unsigned limit = 0;
    if (!f)
        return PyErr_Format(PyExc_TypeError, "_start() needs a spec and a limit");
    if (!xen->future_kwargs && !bind_loop(self))
        return NULL;
    if (!f->instant && !milliseconds(args[1], &limit))
        return NULL;
    PyObject *operation = start(xen, args[0], args + 2, number - 2);
    if (operation && future_of(operation)->live && args[1] != f->limit) {
        const libxl_asyncop_how how = future_how(operation);
        libxl_ao_set_limit(xen->ctx, &how, limit);
    }
    return operation;
}
