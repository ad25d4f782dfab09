/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the iterator that an await of a completed operation without results uses. The iterator has no state, so one
 * object serves all awaits. asyncio's iterator would be allocated and freed for each await, which takes a tenth of
 * the time of an instant operation.
 */
#include "live.h"

PyObject *done_iterator;

static PySendResult done_am_send(PyObject *self, PyObject *value, PyObject **result)
{
    (void)self, (void)value;
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

static PyObject *done_next(PyObject *self)
{
    (void)self;
    return NULL; /* Without an exception this means StopIteration, whose value is None. */
}

static PyObject *done_send(PyObject *self, PyObject *value)
{
    (void)self, (void)value;
    PyErr_SetNone(PyExc_StopIteration);
    return NULL;
}

/* The method throw(exception), and its older form throw(type, exception, traceback). */
static PyObject *done_throw(PyObject *self, PyObject *args)
{
    PyObject *type, *value = Py_None, *trace = Py_None;
    (void)self;
    if (!PyArg_ParseTuple(args, "O|OO", &type, &value, &trace))
        return NULL;
    if (PyExceptionInstance_Check(type))
        PyErr_SetObject(PyExceptionInstance_Class(type), type);
    else if (PyExceptionClass_Check(type))
        PyErr_SetObject(type, value == Py_None ? NULL : value);
    else
        PyErr_Format(PyExc_TypeError, "throw(): an exception is expected, not %R", type);
    return NULL;
}

static PyObject *done_close(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_NONE;
}

static void done_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"send", done_send, METH_O, "Raise StopIteration."},
    {"throw", done_throw, METH_VARARGS, "Raise the exception."},
    {"close", done_close, METH_NOARGS, "Do nothing."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The iterator of an operation that has completed without a result."},
    {Py_am_send, done_am_send},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, done_next},
    {Py_tp_methods, methods},
    {Py_tp_dealloc, done_dealloc},
    {0, NULL},
};

static PyType_Spec type_spec = {"aioxen._live.DoneIterator", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, slots};

bool done_iterator_prepare(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &type_spec, NULL);
    done_iterator = type ? PyObject_CallNoArgs(type) : NULL;
    Py_XDECREF(type);
    return done_iterator;
}
