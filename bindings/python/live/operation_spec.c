/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the type OperationSpec. When a generated module is imported, it creates one object of this type
 * for each operation. */
#include "live.h"

#include <stddef.h>

PyTypeObject *operation_spec_type;
static PyObject *name_new_results, *name_call, *name_read_results, *name_free_results;

PyObject *spec_new_results(PyObject *spec)
{
    return PyObject_CallMethodObjArgs(spec, name_new_results, NULL);
}

int spec_call(PyObject *spec, ContextCore *xen, PyObject *inputs, PyObject *results,
              const libxl_asyncop_how *how)
{
    PyObject *address = PyLong_FromVoidPtr((void *)how);
    PyObject *answer = NULL;
    if (address)
        answer = PyObject_CallMethodObjArgs(spec, name_call, xen, inputs, results, address, NULL);
    const int rc = answer ? (int)PyLong_AsLong(answer) : 1;
    Py_XDECREF(address);
    Py_XDECREF(answer);
    return rc;
}

PyObject *spec_read_results(PyObject *spec, PyObject *xen, PyObject *results)
{
    return PyObject_CallMethodObjArgs(spec, name_read_results, xen, results, NULL);
}

bool spec_free_results(PyObject *spec, PyObject *results)
{
    PyObject *dropped = ((OperationSpec *)spec)->owns_memory
                            ? PyObject_CallMethodObjArgs(spec, name_free_results, results, NULL)
                            : Py_NewRef(Py_None);
    Py_XDECREF(dropped);
    return dropped;
}

PyObject *spec_raise_bad_domid(PyObject *spec, PyObject *domain)
{
    PyObject *names = PyObject_GetAttrString(spec, "input_names");
    PyObject *name = names ? PySequence_GetItem(names, ((OperationSpec *)spec)->domid_index) : NULL;
    if (name)
        PyErr_Format(PyExc_TypeError, "%S: a number is expected, not %R", name, domain);
    Py_XDECREF(names);
    Py_XDECREF(name);
    return NULL;
}

static int operation_spec_init(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"initiator",   "domid_index", "limit",        "instant", "has_results",
                            "owns_memory", "undoable",    "ends_if_gone", NULL};
    OperationSpec *f = (OperationSpec *)self;
    unsigned long long initiator;
    Py_ssize_t domid_index;
    PyObject *limit;
    int instant, has_results, owns_memory, undoable, ends_if_gone;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "KnOppppp", names, &initiator, &domid_index, &limit,
                                     &instant, &has_results, &owns_memory, &undoable, &ends_if_gone))
        return -1;
    Py_CLEAR(f->limit);
    f->initiator = (initiator_fn *)(uintptr_t)initiator;
    f->domid_index = domid_index;
    f->limit = Py_NewRef(limit);
    f->instant = instant;
    f->has_results = has_results;
    f->owns_memory = owns_memory;
    f->undoable = undoable;
    f->ends_if_gone = ends_if_gone;
    return 0;
}

static void operation_spec_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(((OperationSpec *)self)->limit);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMemberDef members[] = {
    {"instant", T_BOOL, offsetof(OperationSpec, instant), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Describes an operation: its C function, its default limit, and what its results need."},
    {Py_tp_init, operation_spec_init},
    {Py_tp_dealloc, operation_spec_dealloc},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec type_spec = {"aioxen._live.OperationSpec", sizeof(OperationSpec), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

PyTypeObject *make_operation_spec_type(PyObject *module)
{
    name_new_results = PyUnicode_InternFromString("new_results");
    name_call = PyUnicode_InternFromString("call");
    name_read_results = PyUnicode_InternFromString("read_results");
    name_free_results = PyUnicode_InternFromString("free_results");
    return operation_spec_type = !name_new_results || !name_call || !name_read_results || !name_free_results
                                     ? NULL
                                     : (PyTypeObject *)PyType_FromModuleAndSpec(module, &type_spec, NULL);
}
