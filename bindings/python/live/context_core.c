/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the type ContextCore, and the module. The Python class BaseContext owns the C context; a ContextCore
 * uses it from _attach_loop() until _detach().
 */
#include "live.h"

PyTypeObject *context_core_type;
PyObject *empty_tuple;

static void refuse_operations(ContextCore *xen)
{
    Py_CLEAR(xen->future_kwargs);
    Py_CLEAR(xen->done_future);
}

/* The method _attach_loop(address of the C context, loop, Operation, UndoableOperation). Attaches the
 * context to the loop. */
static PyObject *context_core_attach_loop(PyObject *self, PyObject *args)
{
    ContextCore *xen = (ContextCore *)self;
    unsigned long long ctx;
    PyObject *loop, *operation_class, *undoable_class;
    if (!PyArg_ParseTuple(args, "KOOO", &ctx, &loop, &operation_class, &undoable_class))
        return NULL;
    PyObject *future_kwargs = Py_BuildValue("{sO}", "loop", loop);
    PyObject *done_future = future_kwargs ? PyObject_Call(operation_class, empty_tuple, future_kwargs) : NULL;
    if (!done_future || !future_set_result(done_future)) {
        Py_XDECREF(future_kwargs);
        Py_XDECREF(done_future);
        return NULL;
    }
    future_of(done_future)->done = true;
    refuse_operations(xen);
    Py_CLEAR(xen->operation_class);
    Py_CLEAR(xen->undoable_class);
    xen->ctx = (libxl_ctx *)(uintptr_t)ctx;
    xen->future_kwargs = future_kwargs;
    xen->done_future = done_future;
    xen->operation_class = Py_NewRef(operation_class);
    xen->undoable_class = Py_NewRef(undoable_class);
    Py_RETURN_NONE;
}

static PyObject *context_core_refuse_operations(PyObject *self, PyObject *unused)
{
    (void)unused;
    refuse_operations((ContextCore *)self);
    Py_RETURN_NONE;
}

static PyObject *context_core_detach(PyObject *self, PyObject *unused)
{
    ((ContextCore *)self)->ctx = NULL;
    return context_core_refuse_operations(self, unused);
}

static PyObject *context_core_live_operations(PyObject *self, PyObject *unused)
{
    PyObject *all = PyList_New(0);
    const OperationFuture *p;
    (void)unused;
    LIST_FOREACH (p, &((ContextCore *)self)->live, link)
        if (all && PyList_Append(all, object_of(p)))
            Py_CLEAR(all);
    return all;
}

static int context_core_traverse(PyObject *self, visitproc visit, void *arg)
{
    const ContextCore *xen = (ContextCore *)self;
    const OperationFuture *p;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(xen->future_kwargs);
    Py_VISIT(xen->operation_class);
    Py_VISIT(xen->undoable_class);
    Py_VISIT(xen->done_future);
    LIST_FOREACH (p, &xen->live, link)
        Py_VISIT(object_of(p));
    return 0;
}

/* Releases the references of a garbage object. __del__ has freed the C context, so the C library uses no
 * operation any more. */
static int context_core_clear(PyObject *self)
{
    ContextCore *xen = (ContextCore *)self;
    xen->ctx = NULL;
    refuse_operations(xen);
    Py_CLEAR(xen->operation_class);
    Py_CLEAR(xen->undoable_class);
    while (!LIST_EMPTY(&xen->live)) {
        PyObject *operation = object_of(LIST_FIRST(&xen->live));
        live_remove(operation);
        Py_DECREF(operation);
    }
    return 0;
}

static void context_core_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    context_core_clear(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"_start", (PyCFunction)(void (*)(void))context_core_start, METH_FASTCALL,
     "Start an operation and return its future. An instant operation is complete on return."},
    {"_launch", context_core_launch, METH_VARARGS,
     "Start an operation whose future exists already, without a limit."},
    {"_deliver_events", context_core_deliver_events, METH_NOARGS,
     "Deliver all queued completions and events. Called when the descriptor is readable."},
    {"_live_operations", context_core_live_operations, METH_NOARGS,
     "The operations that the C library has not completed."},
    {"_attach_loop", context_core_attach_loop, METH_VARARGS,
     "Accept operations, whose futures belong to the given loop."},
    {"_refuse_operations", context_core_refuse_operations, METH_NOARGS,
     "Refuse new operations. Live operations continue."},
    {"_detach", context_core_detach, METH_NOARGS, "Stop using the C context, which may be freed then."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Starts a context's operations and completes their futures."},
    {Py_tp_traverse, context_core_traverse},
    {Py_tp_clear, context_core_clear},
    {Py_tp_dealloc, context_core_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec type_spec = {"aioxen._live.ContextCore", sizeof(ContextCore), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

PyTypeObject *make_context_core_type(PyObject *module)
{
    return context_core_type = start_prepare() && observe_prepare() && done_iterator_prepare(module)
                                   ? (PyTypeObject *)PyType_FromModuleAndSpec(module, &type_spec, NULL)
                                   : NULL;
}

/* ------------------------------------------------------------------ the module */

static PyMethodDef functions[] = {
    {"set_observer", live_set_observer, METH_O,
     "Set the function that is called before each operation starts, or None."},
    {NULL, NULL, 0, NULL},
};

/* The types are static variables, so they belong to one interpreter. In a sub-interpreter the import fails, and
 * _core.py uses the Python module _pure. */
static int fill_module(PyObject *module)
{
    static PyTypeObject *(*const new_operation[])(PyObject *) = {
        make_operation_spec_type, make_fast_method_type, make_operation_future_type, make_context_core_type};
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0 || context_core_type) {
        PyErr_SetString(PyExc_ImportError, "aioxen._live can be imported once, by the main interpreter");
        return -1;
    }
    empty_tuple = PyTuple_New(0);
    for (size_t i = 0; i < sizeof(new_operation) / sizeof(*new_operation); i++) {
        PyTypeObject *type = new_operation[i](module);
        if (!type || PyModule_AddType(module, type))
            return -1;
    }
    return 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill_module}, {0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "aioxen._live",
                                        .m_doc = "Starts operations and completes their futures.",
                                        .m_methods = functions, .m_slots = module_slots};

PyMODINIT_FUNC PyInit__live(void)
{
    return PyModuleDef_Init(&definition);
}
