/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the type Method, a generated method of Context's for an operation on a domain. What is called most,
 * the operation on a number, without a limit, is answered here, in C; all else is the method's.
 */
#include "live.h"

typedef struct {
    PyObject ob_base;
    PyObject *function; /* a Function that has a direct one */
    PyObject *method;   /* in Python, which does the same */
    PyObject *weak;     /* the references to it: those that weakref.WeakMethod makes */
} Method;

static PyObject *bound, *name_limit; /* types.MethodType, "limit" */

/* Whether they say nothing that is not so anyway. Domain's methods always give the limit. */
static bool say_nothing(PyObject *keywords, const PyObject *limit)
{
    return !keywords ||
           (PyDict_Size(keywords) == 1 && PyDict_GetItemWithError(keywords, name_limit) == limit);
}

static PyObject *method_call(PyObject *self, PyObject *args, PyObject *keywords)
{
    const Method *m = (Method *)self;
    libxl_domid domid;
    if (PyTuple_Size(args) == 2 && say_nothing(keywords, ((Function *)m->function)->limit) &&
        PyObject_TypeCheck(PyTuple_GetItem(args, 0), starter_type) &&
        is_domid(PyTuple_GetItem(args, 1), &domid))
        return start_directly((Starter *)PyTuple_GetItem(args, 0), m->function, domid);
    return PyObject_Call(m->method, args, keywords);
}

static PyObject *method_get(PyObject *self, PyObject *object, PyObject *type)
{
    (void)type;
    return object ? PyObject_CallFunctionObjArgs(bound, self, object, NULL) : Py_NewRef(self);
}

/* Made whole, and never changed: no method is ever without what it calls. */
static PyObject *method_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *function, *method;
    if (keywords && PyDict_Size(keywords))
        return PyErr_Format(PyExc_TypeError, "Method() takes no keywords");
    if (!PyArg_ParseTuple(args, "O!O", function_type, &function, &method))
        return NULL;
    if (!((Function *)function)->direct)
        return PyErr_Format(PyExc_ValueError, "%R cannot be called by C", method);
    Method *m = (Method *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!m)
        return NULL;
    m->function = Py_NewRef(function);
    m->method = Py_NewRef(method);
    return (PyObject *)m;
}

static int method_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Method *)self)->function);
    Py_VISIT(((Method *)self)->method);
    return 0;
}

static void method_dealloc(PyObject *self)
{
    const Method *m = (Method *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (m->weak)
        PyObject_ClearWeakRefs(self);
    Py_XDECREF(m->function);
    Py_XDECREF(m->method);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* What is said of the method: its documentation, its name, its types. */
static PyObject *method_said(PyObject *self, void *name)
{
    return PyObject_GetAttrString(((Method *)self)->method, name);
}

static PyGetSetDef said[] = {
    {"__doc__", method_said, NULL, NULL, "__doc__"},
    {"__name__", method_said, NULL, NULL, "__name__"},
    {"__qualname__", method_said, NULL, NULL, "__qualname__"},
    {"__annotations__", method_said, NULL, NULL, "__annotations__"},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__wrapped__", T_OBJECT, offsetof(Method, method), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Method, weak), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, method_new},         {Py_tp_call, method_call},
    {Py_tp_descr_get, method_get},   {Py_tp_traverse, method_traverse},
    {Py_tp_dealloc, method_dealloc}, {Py_tp_getset, said},
    {Py_tp_members, members},        {0, NULL},
};

static PyType_Spec spec = {"aioxen._live.Method", sizeof(Method), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_METHOD_DESCRIPTOR, slots};

PyTypeObject *make_method_type(PyObject *module)
{
    PyObject *types = PyImport_ImportModule("types");
    bound = types ? PyObject_GetAttrString(types, "MethodType") : NULL;
    Py_XDECREF(types);
    name_limit = PyUnicode_InternFromString("limit");
    return bound && name_limit ? (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL) : NULL;
}
