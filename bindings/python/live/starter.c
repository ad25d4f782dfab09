/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the type Starter, and the module. A Starter uses the C context from _serve() to _leave(), which
 * BaseContext, in Python, owns.
 */
#include "live.h"

PyTypeObject *starter_type;
PyObject *no_arguments;

static void refuse(Starter *xen)
{
    Py_CLEAR(xen->ready);
    Py_CLEAR(xen->done);
}

/* _serve(context's address, loop, class of operations, class of those that can be undone) */
static PyObject *starter_serve(PyObject *self, PyObject *args)
{
    Starter *xen = (Starter *)self;
    unsigned long long ctx;
    PyObject *loop, *plain, *undoable;
    if (!PyArg_ParseTuple(args, "KOOO", &ctx, &loop, &plain, &undoable))
        return NULL;
    PyObject *ready = Py_BuildValue("{sO}", "loop", loop);
    PyObject *done = ready ? PyObject_Call(plain, no_arguments, ready) : NULL;
    if (!done || !succeed(done)) {
        Py_XDECREF(ready);
        Py_XDECREF(done);
        return NULL;
    }
    refuse(xen);
    Py_CLEAR(xen->plain);
    Py_CLEAR(xen->undoable);
    xen->ctx = (libxl_ctx *)(uintptr_t)ctx;
    xen->ready = ready;
    xen->done = done;
    xen->plain = Py_NewRef(plain);
    xen->undoable = Py_NewRef(undoable);
    Py_RETURN_NONE;
}

static PyObject *starter_refuse(PyObject *self, PyObject *unused)
{
    (void)unused;
    refuse((Starter *)self);
    Py_RETURN_NONE;
}

static PyObject *starter_leave(PyObject *self, PyObject *unused)
{
    ((Starter *)self)->ctx = NULL;
    return starter_refuse(self, unused);
}

static PyObject *starter_live(PyObject *self, PyObject *unused)
{
    PyObject *all = PyList_New(0);
    const Pending *p;
    (void)unused;
    LIST_FOREACH (p, &((Starter *)self)->live, link)
        if (all && PyList_Append(all, operation_of(p)))
            Py_CLEAR(all);
    return all;
}

static int starter_traverse(PyObject *self, visitproc visit, void *arg)
{
    const Starter *xen = (Starter *)self;
    const Pending *p;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(xen->ready);
    Py_VISIT(xen->plain);
    Py_VISIT(xen->undoable);
    Py_VISIT(xen->done);
    LIST_FOREACH (p, &xen->live, link)
        Py_VISIT(operation_of(p));
    return 0;
}

/* Garbage: __del__ has freed the C context, and nothing is live to C. */
static int starter_clear(PyObject *self)
{
    Starter *xen = (Starter *)self;
    xen->ctx = NULL;
    refuse(xen);
    Py_CLEAR(xen->plain);
    Py_CLEAR(xen->undoable);
    while (!LIST_EMPTY(&xen->live)) {
        PyObject *operation = operation_of(LIST_FIRST(&xen->live));
        no_longer_live(operation);
        Py_DECREF(operation);
    }
    return 0;
}

static void starter_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    starter_clear(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"_start", (PyCFunction)(void (*)(void))starter_start, METH_FASTCALL,
     "Start an operation, given its limit and inputs; an instant one is over when this returns."},
    {"_launch", starter_launch, METH_VARARGS, "The same of one that is made already, without a limit."},
    {"_drain", starter_drain, METH_NOARGS,
     "Deliver what has happened: the context's descriptor is readable."},
    {"_live", starter_live, METH_NOARGS, "The operations that C has not ended yet."},
    {"_serve", starter_serve, METH_VARARGS, "Serve a loop from now on."},
    {"_refuse", starter_refuse, METH_NOARGS, "No operation is welcome any more; those that are live go on."},
    {"_leave", starter_leave, METH_NOARGS, "The C context must not be used any more."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "What starts a context's operations, and ends them."},
    {Py_tp_traverse, starter_traverse},
    {Py_tp_clear, starter_clear},
    {Py_tp_dealloc, starter_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"aioxen._live.Starter", sizeof(Starter), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

PyTypeObject *make_starter_type(PyObject *module)
{
    return starter_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
}

/* ------------------------------------------------------------------ the module */

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "aioxen._live",
                                        .m_doc = "Operations under way.", .m_size = -1};

PyMODINIT_FUNC PyInit__live(void)
{
    PyTypeObject *(*const make[])(PyObject *) = {make_function_type, make_method_type, make_pending_type,
                                                 make_starter_type};
    PyObject *module = PyModule_Create(&definition);
    no_arguments = PyTuple_New(0);
    for (size_t i = 0; module && i < sizeof(make) / sizeof(*make); i++) {
        PyTypeObject *type = make[i](module);
        if (!type || PyModule_AddType(module, type))
            Py_CLEAR(module);
    }
    return module;
}
