/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the type Function. Its objects live as long as the modules that have them. */
#include "live.h"

PyTypeObject *function_type;
static PyObject *name_out, *name_begin, *name_value, *name_drop;

PyObject *function_out(PyObject *function)
{
    return PyObject_CallMethodObjArgs(function, name_out, NULL);
}

int function_begin(PyObject *function, Starter *xen, PyObject *inputs, PyObject *out,
                   const libxl_asyncop_how *how)
{
    PyObject *address = PyLong_FromVoidPtr((void *)how);
    PyObject *answer = NULL;
    if (address)
        answer = PyObject_CallMethodObjArgs(function, name_begin, xen, inputs, out, address, NULL);
    const int rc = answer ? (int)PyLong_AsLong(answer) : 1;
    Py_XDECREF(address);
    Py_XDECREF(answer);
    return rc;
}

PyObject *function_value(PyObject *function, PyObject *xen, PyObject *out)
{
    return PyObject_CallMethodObjArgs(function, name_value, xen, out, NULL);
}

bool function_drop(PyObject *function, PyObject *out)
{
    PyObject *dropped = ((Function *)function)->owns
                            ? PyObject_CallMethodObjArgs(function, name_drop, out, NULL)
                            : Py_NewRef(Py_None);
    Py_XDECREF(dropped);
    return dropped;
}

PyObject *function_refuse(PyObject *function, PyObject *domain)
{
    PyObject *names = PyObject_GetAttrString(function, "inputs");
    PyObject *name = names ? PySequence_GetItem(names, ((Function *)function)->about) : NULL;
    if (name)
        PyErr_Format(PyExc_TypeError, "%S: a number is expected, not %R", name, domain);
    Py_XDECREF(names);
    Py_XDECREF(name);
    return NULL;
}

static int function_init(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"direct", "about", "limit", "instant", "gives", "owns", "undone", NULL};
    Function *f = (Function *)self;
    unsigned long long direct;
    Py_ssize_t about;
    PyObject *limit;
    int instant, gives, owns, undone;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "KnOpppp", names, &direct, &about, &limit, &instant,
                                     &gives, &owns, &undone))
        return -1;
    Py_CLEAR(f->limit);
    f->direct = (initiator *)(uintptr_t)direct;
    f->about = about;
    f->limit = Py_NewRef(limit);
    f->instant = instant;
    f->gives = gives;
    f->owns = owns;
    f->undone = undone;
    return 0;
}

static void function_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(((Function *)self)->limit);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, "What starting an operation needs to know."},
    {Py_tp_init, function_init},
    {Py_tp_dealloc, function_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {"aioxen._live.Function", sizeof(Function), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

PyTypeObject *make_function_type(PyObject *module)
{
    name_out = PyUnicode_InternFromString("out");
    name_begin = PyUnicode_InternFromString("begin");
    name_value = PyUnicode_InternFromString("value");
    name_drop = PyUnicode_InternFromString("drop");
    return function_type = !name_out || !name_begin || !name_value || !name_drop
                               ? NULL
                               : (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
}
