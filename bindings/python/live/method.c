/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the type Method, a generated method of Context's for an operation on a domain. What is called most,
 * the operation on a number, without a limit, is answered here, in C; all else is the method's.
 */
#include "live.h"

/* Vectorcall, PEP 590. The stable ABI names it since 3.12; it has been the same since 3.9. */
typedef PyObject *vectorcall(PyObject *callable, PyObject *const *args, size_t number, PyObject *names);
#ifndef Py_TPFLAGS_HAVE_VECTORCALL
#define Py_TPFLAGS_HAVE_VECTORCALL (1ul << 11)
#endif
#define ONE_BEFORE ((size_t)1 << (8 * sizeof(size_t) - 1)) /* the callee may use the place before args */

typedef struct {
    PyObject ob_base;
    vectorcall *call;
    PyObject *function; /* a Function that has a direct one */
    PyObject *method;   /* in Python, which does the same */
    PyObject *weak;     /* the references to it: those that weakref.WeakMethod makes */
} Method;

static PyObject *bound, *name_limit; /* types.MethodType, "limit" */

/* Whether they say nothing that is not so anyway. Domain's methods always give the limit. */
static bool say_nothing(PyObject *names, PyObject *const *values, const PyObject *limit)
{
    return !names ||
           (PyTuple_Size(names) == 1 && values[0] == limit && PyTuple_GetItem(names, 0) == name_limit);
}

static PyObject *call_method(const Method *m, PyObject *const *args, Py_ssize_t number, PyObject *names)
{
    PyObject *positional = PyTuple_New(number), *keywords = names ? PyDict_New() : NULL, *answer = NULL;
    bool made = positional && (!names || keywords);
    for (Py_ssize_t i = 0; made && i < number; i++)
        PyTuple_SetItem(positional, i, Py_NewRef(args[i]));
    for (Py_ssize_t i = 0; made && names && i < PyTuple_Size(names); i++)
        made = !PyDict_SetItem(keywords, PyTuple_GetItem(names, i), args[number + i]);
    if (made)
        answer = PyObject_Call(m->method, positional, keywords);
    Py_XDECREF(positional);
    Py_XDECREF(keywords);
    return answer;
}

static PyObject *method_vectorcall(PyObject *self, PyObject *const *args, size_t number, PyObject *names)
{
    const Method *m = (Method *)self;
    libxl_domid domid;
    number &= ~ONE_BEFORE;
    if (number == 2 && say_nothing(names, args + 2, ((Function *)m->function)->limit) &&
        PyObject_TypeCheck(args[0], starter_type) && is_domid(args[1], &domid))
        return start_directly((Starter *)args[0], m->function, domid);
    return call_method(m, args, (Py_ssize_t)number, names);
}

/* For those who do not know of vectorcall. */
static PyObject *method_call(PyObject *self, PyObject *args, PyObject *keywords)
{
    return PyObject_Call(((Method *)self)->method, args, keywords);
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
    m->call = method_vectorcall;
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
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Method, call), READONLY, NULL},
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
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                               Py_TPFLAGS_METHOD_DESCRIPTOR,
                           slots};

PyTypeObject *make_method_type(PyObject *module)
{
    PyObject *types = PyImport_ImportModule("types");
    bound = types ? PyObject_GetAttrString(types, "MethodType") : NULL;
    Py_XDECREF(types);
    name_limit = PyUnicode_InternFromString("limit");
    return bound && name_limit ? (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL) : NULL;
}
