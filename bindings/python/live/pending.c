/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the type Pending: asyncio's Future, and behind it what C needs of an operation. How large a Future
 * is, only asyncio knows. Only subclasses made in Python are instantiated, which call Future's finalizer.
 */
#include "live.h"

#include <stddef.h>
#include <string.h>

PyTypeObject *pending_type;

static destructor future_dealloc;
static traverseproc future_traverse;
static inquiry future_clear;
static bool future_on_heap; /* then it sees to its subclasses' references to their types, too */
static Py_ssize_t behind;   /* where in an operation its Pending is */
static PyObject *set_result, *set_exception, *name_end;

Pending *pending_of(PyObject *operation)
{
    return (Pending *)((char *)operation + behind);
}

PyObject *operation_of(const Pending *p)
{
    return (PyObject *)((char *)p - behind);
}

libxl_asyncop_how how_of(PyObject *operation)
{
    return (libxl_asyncop_how){.u.for_event = (uintptr_t)operation};
}

void becomes_live(Starter *xen, PyObject *operation)
{
    Pending *p = pending_of(operation);
    LIST_INSERT_HEAD(&xen->live, p, link);
    p->live = true;
    Py_INCREF(operation);
}

void no_longer_live(PyObject *operation)
{
    Pending *p = pending_of(operation);
    LIST_REMOVE(p, link);
    p->live = false;
}

/* With the exception that has just been raised, unless it is an interrupt. */
static PyObject *fail(PyObject *operation)
{
    PyObject *type, *error, *trace, *set = NULL;
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return NULL;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (!trace || !PyException_SetTraceback(error, trace))
        set = PyObject_CallFunctionObjArgs(set_exception, operation, error, NULL);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(trace);
    return set;
}

bool succeed(PyObject *operation)
{
    const Pending *p = pending_of(operation);
    PyObject *value = p->out ? function_value(p->function, p->xen, p->out) : Py_NewRef(Py_None);
    PyObject *set =
        value ? PyObject_CallFunctionObjArgs(set_result, operation, value, NULL) : fail(operation);
    Py_XDECREF(value);
    Py_XDECREF(set);
    /* Last: an interrupt above has all of it done again. */
    return set && (!p->out || function_drop(p->function, p->out));
}

bool end(PyObject *operation, int rc, const char *message)
{
    const PyObject *stop = pending_of(operation)->stop;
    if (!rc && (!stop || stop == Py_None))
        return succeed(operation);
    PyObject *number = PyLong_FromLong(rc);
    PyObject *words = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "surrogateescape");
    PyObject *ended = NULL;
    if (number && words)
        ended = PyObject_CallMethodObjArgs(operation, name_end, number, words, NULL);
    if (!ended)
        ended = fail(operation); /* who awaits it would wait for ever */
    Py_XDECREF(number);
    Py_XDECREF(words);
    Py_XDECREF(ended);
    return ended;
}

/* ------------------------------------------------------------------ the type */

static PyObject *pending_abort(PyObject *self, PyObject *unused)
{
    const Pending *p = pending_of(self);
    const Starter *xen = (Starter *)p->xen;
    const libxl_asyncop_how how = how_of(self);
    (void)unused;
    if (p->live && xen && xen->ctx)
        libxl_ao_abort(xen->ctx, &how);
    Py_RETURN_NONE;
}

static int pending_traverse(PyObject *self, visitproc visit, void *arg)
{
    const Pending *p = pending_of(self);
    Py_VISIT(p->xen);
    Py_VISIT(p->function);
    Py_VISIT(p->inputs);
    Py_VISIT(p->out);
    Py_VISIT(p->stop);
    Py_VISIT(p->why);
    if (!future_on_heap)
        Py_VISIT(Py_TYPE(self));
    return future_traverse(self, visit, arg);
}

static void forget(Pending *p)
{
    Py_CLEAR(p->xen);
    Py_CLEAR(p->function);
    Py_CLEAR(p->inputs);
    Py_CLEAR(p->out);
    Py_CLEAR(p->stop);
    Py_CLEAR(p->why);
}

static int pending_clear(PyObject *self)
{
    forget(pending_of(self));
    return future_clear(self);
}

static void pending_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    forget(pending_of(self));
    future_dealloc(self);
    if (!future_on_heap)
        Py_DECREF(type);
}

static PyObject *pending_inputs(PyObject *self, void *unused)
{
    const Pending *p = pending_of(self);
    (void)unused;
    return p->inputs ? Py_NewRef(p->inputs) : Py_BuildValue("(I)", p->domid);
}

static PyMethodDef methods[] = {
    {"_abort", pending_abort, METH_NOARGS,
     "Ask C for its end. One that has completed meanwhile is none to ask."},
    {NULL, NULL, 0, NULL},
};

/* Their offsets are those in a Pending, until it is known where that is. */
static PyMemberDef members[] = {
    {"_xen", T_OBJECT, offsetof(Pending, xen), READONLY, NULL},
    {"_call", T_OBJECT, offsetof(Pending, function), READONLY, NULL},
    {"_out", T_OBJECT, offsetof(Pending, out), READONLY, NULL},
    {"_stop", T_OBJECT, offsetof(Pending, stop), 0, NULL},
    {"_why", T_OBJECT, offsetof(Pending, why), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef made[] = {
    {"_inputs", pending_inputs, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A future of an operation, with what C may use as long as it is live."},
    {Py_tp_traverse, pending_traverse},
    {Py_tp_clear, pending_clear},
    {Py_tp_dealloc, pending_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, made},
    {0, NULL},
};

static PyType_Spec spec = {"aioxen._live.Pending", 0, 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

PyTypeObject *make_pending_type(PyObject *module)
{
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    PyObject *future = asyncio ? PyObject_GetAttrString(asyncio, "Future") : NULL;
    PyObject *size = future ? PyObject_GetAttrString(future, "__basicsize__") : NULL;
    const Py_ssize_t align = _Alignof(Pending), before = behind; /* 0, unless this failed before */
    Py_XDECREF(asyncio);
    if (!size || !(set_result = PyObject_GetAttrString(future, "set_result")) ||
        !(set_exception = PyObject_GetAttrString(future, "set_exception")) ||
        !(name_end = PyUnicode_InternFromString("_end")))
        return NULL;
    behind = (PyLong_AsSsize_t(size) + align - 1) / align * align;
    Py_DECREF(size);
    spec.basicsize = (int)(behind + (Py_ssize_t)sizeof(Pending));
    for (PyMemberDef *member = members; member->name; member++)
        member->offset += behind - before;
    PyTypeObject *type = (PyTypeObject *)future;
    future_dealloc = (destructor)PyType_GetSlot(type, Py_tp_dealloc);
    future_traverse = (traverseproc)PyType_GetSlot(type, Py_tp_traverse);
    future_clear = (inquiry)PyType_GetSlot(type, Py_tp_clear);
    future_on_heap = PyType_GetFlags(type) & Py_TPFLAGS_HEAPTYPE;
    return pending_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, future);
}
