/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the type FastMethod, which wraps a generated method of Context for an operation on one domain. A call
 * with an int as the domain and default keywords starts the operation in C. Every other call goes to the
 * wrapped method, which is written in Python and gives the same result.
 */
#include "live.h"

/* The type of a vectorcall function (PEP 590). The type has not changed since Python 3.9. The stable ABI
 * declares it since Python 3.12. */
typedef PyObject *vectorcall(PyObject *callable, PyObject *const *args, size_t number, PyObject *names);
#ifndef Py_TPFLAGS_HAVE_VECTORCALL
#define Py_TPFLAGS_HAVE_VECTORCALL (1ul << 11)
#endif
#define ARGUMENTS_OFFSET                                                                                     \
    ((size_t)1 << (8 * sizeof(size_t) - 1)) /* The flag that the callee may overwrite args[-1]. */

typedef struct {
    PyObject ob_base;
    vectorcall *call;
    PyObject *spec;     /* The OperationSpec of the operation. */
    PyObject *fallback; /* The wrapped method. */
    PyObject *weak;     /* The list of weak references, for weakref.WeakMethod. */
} FastMethod;

static PyObject *bound; /* The type types.MethodType. */
static PyObject *name_timeout, *name_progress;

/* Returns whether all keywords have their default values. The methods of Domain pass every
 * keyword explicitly. */
static bool are_defaults(PyObject *names, PyObject *const *values, const OperationSpec *spec)
{
    const Py_ssize_t count = names ? PyTuple_Size(names) : 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        const PyObject *name = PyTuple_GetItem(names, i);
        const bool is_timeout = name == name_timeout && values[i] == spec->limit;
        const bool no_progress = name == name_progress && values[i] == Py_None && !spec->instant;
        if (!is_timeout && !no_progress)
            return false;
    }
    return true;
}

static PyObject *call_method(const FastMethod *m, PyObject *const *args, Py_ssize_t number, PyObject *names)
{
    PyObject *positional = PyTuple_New(number), *keywords = names ? PyDict_New() : NULL, *answer = NULL;
    bool made = positional && (!names || keywords);
    for (Py_ssize_t i = 0; made && i < number; i++)
        PyTuple_SetItem(positional, i, Py_NewRef(args[i]));
    for (Py_ssize_t i = 0; made && names && i < PyTuple_Size(names); i++)
        made = !PyDict_SetItem(keywords, PyTuple_GetItem(names, i), args[number + i]);
    if (made)
        answer = PyObject_Call(m->fallback, positional, keywords);
    Py_XDECREF(positional);
    Py_XDECREF(keywords);
    return answer;
}

static PyObject *fast_method_vectorcall(PyObject *self, PyObject *const *args, size_t number, PyObject *names)
{
    const FastMethod *m = (FastMethod *)self;
    Target target;
    int found = 0;
    number &= ~ARGUMENTS_OFFSET;
    if (number == 2 && are_defaults(names, args + 2, (OperationSpec *)m->spec) &&
        PyObject_TypeCheck(args[0], context_core_type))
        found = parse_target(args[1], &target);
    if (found < 0)
        return NULL;
    if (found)
        return start_on_domain((ContextCore *)args[0], m->spec, &target);
    return call_method(m, args, (Py_ssize_t)number, names);
}

/* The slot tp_call, for callers that do not use vectorcall. */
static PyObject *fast_method_call(PyObject *self, PyObject *args, PyObject *keywords)
{
    return PyObject_Call(((FastMethod *)self)->fallback, args, keywords);
}

static PyObject *fast_method_get(PyObject *self, PyObject *object, PyObject *type)
{
    (void)type;
    return object ? PyObject_CallFunctionObjArgs(bound, self, object, NULL) : Py_NewRef(self);
}

/* Makes an object, and sets all its fields. There is no tp_init, so no incomplete object can exist. */
static PyObject *fast_method_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *spec, *fallback;
    if (keywords && PyDict_Size(keywords))
        return PyErr_Format(PyExc_TypeError, "FastMethod() takes no keywords");
    if (!PyArg_ParseTuple(args, "O!O", operation_spec_type, &spec, &fallback))
        return NULL;
    if (!((OperationSpec *)spec)->initiator)
        return PyErr_Format(PyExc_ValueError, "%R: its OperationSpec has no initiator", fallback);
    FastMethod *m = (FastMethod *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!m)
        return NULL;
    m->call = fast_method_vectorcall;
    m->spec = Py_NewRef(spec);
    m->fallback = Py_NewRef(fallback);
    return (PyObject *)m;
}

static int fast_method_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((FastMethod *)self)->spec);
    Py_VISIT(((FastMethod *)self)->fallback);
    return 0;
}

static void fast_method_dealloc(PyObject *self)
{
    const FastMethod *m = (FastMethod *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (m->weak)
        PyObject_ClearWeakRefs(self);
    Py_XDECREF(m->spec);
    Py_XDECREF(m->fallback);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* Returns an attribute that describes a function, such as its name. The value comes from the
 * wrapped method. */
static PyObject *fast_method_described(PyObject *self, void *name)
{
    return PyObject_GetAttrString(((FastMethod *)self)->fallback, name);
}

static PyGetSetDef described[] = {
    {"__doc__", fast_method_described, NULL, NULL, "__doc__"},
    {"__name__", fast_method_described, NULL, NULL, "__name__"},
    {"__qualname__", fast_method_described, NULL, NULL, "__qualname__"},
    {"__annotations__", fast_method_described, NULL, NULL, "__annotations__"},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__wrapped__", T_OBJECT, offsetof(FastMethod, fallback), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(FastMethod, call), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(FastMethod, weak), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, fast_method_new},
    {Py_tp_call, fast_method_call},
    {Py_tp_descr_get, fast_method_get},
    {Py_tp_traverse, fast_method_traverse},
    {Py_tp_dealloc, fast_method_dealloc},
    {Py_tp_getset, described},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec type_spec = {"aioxen._live.FastMethod", sizeof(FastMethod), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                                    Py_TPFLAGS_METHOD_DESCRIPTOR,
                                slots};

PyTypeObject *make_fast_method_type(PyObject *module)
{
    PyObject *types = PyImport_ImportModule("types");
    bound = types ? PyObject_GetAttrString(types, "MethodType") : NULL;
    Py_XDECREF(types);
    name_timeout = PyUnicode_InternFromString("timeout");
    name_progress = PyUnicode_InternFromString("progress");
    return bound && name_timeout && name_progress
               ? (PyTypeObject *)PyType_FromModuleAndSpec(module, &type_spec, NULL)
               : NULL;
}
