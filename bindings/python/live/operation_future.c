/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the type OperationFuture, which is asyncio.Future with additional C fields. The additional fields
 * follow the fields of Future. The size of Future is known only at run time, so the code reaches the fields
 * by an offset. Programs make objects only of subclasses that are defined in Python. These subclasses run
 * Future's finalizer.
 *
 * Lifetime: the list of live operations holds a reference until the C operation has completed, because the C
 * library writes to the results until then.
 */
#include "live.h"

#include <stddef.h>
#include <string.h>

PyTypeObject *operation_future_type;

/* The number of awaits between two runs of the loop. So many awaits take about a millisecond. */
enum { AWAITS_PER_TURN = 256 };

static unaryfunc future_await;
static PyObject *await_in_next_turn; /* The function await_in_next_turn() of _coroutine.py. */
static destructor future_dealloc;
static traverseproc future_traverse;
static inquiry future_clear;
/* true: asyncio.Future is a heap type. The traverse and dealloc functions of such a type also handle the
 * reference to the type. */
static bool future_on_heap;
static Py_ssize_t future_part_offset; /* The offset of the struct OperationFuture in an object. */
static PyObject *set_result, *set_exception, *name_finish;

OperationFuture *future_of(PyObject *operation)
{
    return (OperationFuture *)((char *)operation + future_part_offset);
}

PyObject *object_of(const OperationFuture *p)
{
    return (PyObject *)((char *)p - future_part_offset);
}

libxl_asyncop_how future_how(PyObject *operation)
{
    return (libxl_asyncop_how){.u.for_event = (uintptr_t)operation};
}

void live_insert(ContextCore *xen, PyObject *operation)
{
    OperationFuture *p = future_of(operation);
    LIST_INSERT_HEAD(&xen->live, p, link);
    p->live = true;
    Py_INCREF(operation);
}

void live_remove(PyObject *operation)
{
    OperationFuture *p = future_of(operation);
    LIST_REMOVE(p, link);
    p->live = false;
}

/* Completes the future with the current exception. The caller handles interrupts such as
 * KeyboardInterrupt. */
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

bool future_set_result(PyObject *operation)
{
    const OperationFuture *p = future_of(operation);
    PyObject *value = p->results ? spec_read_results(p->spec, p->xen, p->results) : Py_NewRef(Py_None);
    PyObject *set =
        value ? PyObject_CallFunctionObjArgs(set_result, operation, value, NULL) : fail(operation);
    Py_XDECREF(value);
    Py_XDECREF(set);
    /* The memory is freed last, because the caller repeats the whole function after an interrupt above. */
    return set && (!p->results || spec_free_results(p->spec, p->results));
}

bool future_complete(PyObject *operation, int rc, const char *message)
{
    const PyObject *stop_reason = future_of(operation)->stop_reason;
    if (!rc && (!stop_reason || stop_reason == Py_None))
        return future_set_result(operation);
    PyObject *number = PyLong_FromLong(rc);
    PyObject *words = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "surrogateescape");
    PyObject *ended = NULL;
    if (number && words)
        ended = PyObject_CallMethodObjArgs(operation, name_finish, number, words, NULL);
    if (!ended)
        ended = fail(operation); /* The future must complete in any case. */
    Py_XDECREF(number);
    Py_XDECREF(words);
    Py_XDECREF(ended);
    return ended;
}

/* ------------------------------------------------------------------ the type */

static PyObject *operation_future_abort(PyObject *self, PyObject *unused)
{
    const OperationFuture *p = future_of(self);
    const ContextCore *xen = (ContextCore *)p->xen;
    const libxl_asyncop_how how = future_how(self);
    (void)unused;
    if (p->live && xen && xen->ctx)
        libxl_ao_abort(xen->ctx, &how);
    Py_RETURN_NONE;
}

/* The method _set_progress(token). Requests progress reports by events. The for_user of these events is
 * the token. */
static PyObject *operation_future_set_progress(PyObject *self, PyObject *token)
{
    const OperationFuture *p = future_of(self);
    const ContextCore *xen = (ContextCore *)p->xen;
    const libxl_asyncop_how how = future_how(self);
    const libxl_asyncprogress_how progress = {.for_event = PyLong_AsUnsignedLongLong(token)};
    if (PyErr_Occurred())
        return NULL;
    if (p->live && xen && xen->ctx)
        libxl_ao_set_progress(xen->ctx, &how, &progress);
    Py_RETURN_NONE;
}

static int operation_future_traverse(PyObject *self, visitproc visit, void *arg)
{
    const OperationFuture *p = future_of(self);
    Py_VISIT(p->xen);
    Py_VISIT(p->spec);
    Py_VISIT(p->inputs);
    Py_VISIT(p->results);
    Py_VISIT(p->stop_reason);
    Py_VISIT(p->stop_message);
    Py_VISIT(p->observed);
    if (!future_on_heap)
        Py_VISIT(Py_TYPE(self));
    return future_traverse(self, visit, arg);
}

static void clear_references(OperationFuture *p)
{
    Py_CLEAR(p->xen);
    Py_CLEAR(p->spec);
    Py_CLEAR(p->inputs);
    Py_CLEAR(p->results);
    Py_CLEAR(p->stop_reason);
    Py_CLEAR(p->stop_message);
    Py_CLEAR(p->observed);
}

static int operation_future_clear(PyObject *self)
{
    clear_references(future_of(self));
    return future_clear(self);
}

static void operation_future_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    clear_references(future_of(self));
    future_dealloc(self);
    if (!future_on_heap)
        Py_DECREF(type);
}

static PyObject *operation_future_inputs(PyObject *self, void *unused)
{
    const OperationFuture *p = future_of(self);
    (void)unused;
    return p->inputs ? Py_NewRef(p->inputs) : Py_BuildValue("(I)", p->domid);
}

static PyMethodDef methods[] = {
    {"_abort", operation_future_abort, METH_NOARGS,
     "Ask the C library to abort the operation. Does nothing if it has completed."},
    {"_set_progress", operation_future_set_progress, METH_O,
     "Report the operation's progress by events with this token. Does nothing if it has completed."},
    {NULL, NULL, 0, NULL},
};

/* The members of the Python type. The offsets count from the start of OperationFuture.
 * make_operation_future_type() adds future_part_offset, the position of the OperationFuture in the Python
 * object. */
static PyMemberDef members[] = {
    {"_xen", T_OBJECT, offsetof(OperationFuture, xen), READONLY, NULL},
    {"_spec", T_OBJECT, offsetof(OperationFuture, spec), READONLY, NULL},
    {"_results", T_OBJECT, offsetof(OperationFuture, results), READONLY, NULL},
    {"_observed", T_OBJECT, offsetof(OperationFuture, observed), READONLY, NULL},
    {"_stop_reason", T_OBJECT, offsetof(OperationFuture, stop_reason), 0, NULL},
    {"_stop_message", T_OBJECT, offsetof(OperationFuture, stop_message), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef made[] = {
    {"_inputs", operation_future_inputs, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/*
 * Awaiting an operation that is done does not suspend the task. So a task that awaits only instant operations
 * would block the loop. Therefore each AWAITS_PER_TURN-th await of a done operation lets the loop run once.
 */
static PyObject *operation_future_await(PyObject *self)
{
    static unsigned awaits; /* The interpreter's lock guards this variable. */
    const OperationFuture *p = future_of(self);
    if (p->live || ++awaits % AWAITS_PER_TURN)
        return p->done ? Py_NewRef(done_iterator) : future_await(self);
    return PyObject_CallFunctionObjArgs(await_in_next_turn, self, NULL);
}

static PyType_Slot slots[] = {
    {Py_am_await, operation_future_await},
    {Py_tp_doc, "A future with the memory that the C library uses while the operation is live."},
    {Py_tp_traverse, operation_future_traverse},
    {Py_tp_clear, operation_future_clear},
    {Py_tp_dealloc, operation_future_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, made},
    {0, NULL},
};

static PyType_Spec type_spec = {"aioxen._live.OperationFuture", 0, 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

PyTypeObject *make_operation_future_type(PyObject *module)
{
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    PyObject *future = asyncio ? PyObject_GetAttrString(asyncio, "Future") : NULL;
    PyObject *coroutine = PyImport_ImportModule("aioxen._coroutine");
    PyObject *size = future ? PyObject_GetAttrString(future, "__basicsize__") : NULL;
    const Py_ssize_t align = _Alignof(OperationFuture),
                     /* The offset is not 0 if an earlier import has failed after this point. */
        before = future_part_offset;
    Py_XDECREF(asyncio);
    await_in_next_turn = coroutine ? PyObject_GetAttrString(coroutine, "await_in_next_turn") : NULL;
    Py_XDECREF(coroutine);
    if (!size || !await_in_next_turn || !(set_result = PyObject_GetAttrString(future, "set_result")) ||
        !(set_exception = PyObject_GetAttrString(future, "set_exception")) ||
        !(name_finish = PyUnicode_InternFromString("_finish")))
        return NULL;
    future_part_offset = (PyLong_AsSsize_t(size) + align - 1) / align * align;
    Py_DECREF(size);
    type_spec.basicsize = (int)(future_part_offset + (Py_ssize_t)sizeof(OperationFuture));
    for (PyMemberDef *member = members; member->name; member++)
        member->offset += future_part_offset - before;
    PyTypeObject *type = (PyTypeObject *)future;
    future_await = (unaryfunc)PyType_GetSlot(type, Py_am_await);
    future_dealloc = (destructor)PyType_GetSlot(type, Py_tp_dealloc);
    future_traverse = (traverseproc)PyType_GetSlot(type, Py_tp_traverse);
    future_clear = (inquiry)PyType_GetSlot(type, Py_tp_clear);
    future_on_heap = PyType_GetFlags(type) & Py_TPFLAGS_HEAPTYPE;
    return operation_future_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &type_spec, future);
}
