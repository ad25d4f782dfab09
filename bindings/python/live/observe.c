/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the observer, a Python function that hooks.py sets while a program has hooks. Without an observer,
 * the only cost for an operation is one comparison.
 *
 * The observer is called just before an operation starts. It returns None, or an object that the operation
 * keeps and that has two methods. in_progress() is called when the operation has begun to wait. ended() is
 * called when the C operation has completed and the future's state was set.
 */
#include "live.h"

enum {
    /* The greatest number of calls of ended(). Without this limit, a signal handler that always raises an
     * exception would cause an endless loop. */
    MAX_ATTEMPTS = 16,
};

PyObject *observer;
static PyObject *name_in_progress, *name_ended;

bool observe_start(PyObject *operation, const Target *target)
{
    OperationFuture *p = future_of(operation);
    if (!observer)
        return true;
    PyObject *uuid = target->has_uuid
                         ? PyBytes_FromStringAndSize((const char *)&target->uuid, sizeof(target->uuid))
                         : Py_NewRef(Py_None);
    /* A hook may remove the observer. */
    PyObject *function = Py_NewRef(observer);
    PyObject *observed = uuid ? PyObject_CallFunctionObjArgs(function, operation, uuid, NULL) : NULL;
    Py_DECREF(function);
    Py_XDECREF(uuid);
    if (!observed)
        return false;
    if (observed == Py_None)
        Py_CLEAR(observed);
    p->observed = observed;
    return true;
}

bool observe_progress(PyObject *operation)
{
    PyObject *observed = future_of(operation)->observed;
    PyObject *answer = observed ? PyObject_CallMethodObjArgs(observed, name_in_progress, operation, NULL)
                                : Py_NewRef(Py_None);
    Py_XDECREF(answer);
    return answer;
}

void observe_end(PyObject *operation)
{
    PyObject *type, *error, *trace;
    PyObject *observed = future_of(operation)->observed, *answer = NULL;
    if (!observed)
        return;
    PyErr_Fetch(&type, &error, &trace);
    /* A repeated call continues with the hooks that were not called yet. */
    for (int calls = 0; !answer && calls < MAX_ATTEMPTS; calls++) {
        if (type)
            PyErr_Clear();
        else
            PyErr_Fetch(&type, &error, &trace);
        answer = PyObject_CallMethodObjArgs(observed, name_ended, operation, NULL);
    }
    Py_XDECREF(answer);
    if (!answer && type)
        PyErr_Clear();
    if (type)
        PyErr_Restore(type, error, trace);
}

/* The function set_observer(observer). None: no operation is observed. */
PyObject *live_set_observer(PyObject *module, PyObject *given)
{
    PyObject *before = observer;
    (void)module;
    observer = given == Py_None ? NULL : Py_NewRef(given);
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

bool observe_prepare(void)
{
    name_in_progress = PyUnicode_InternFromString("in_progress");
    name_ended = PyUnicode_InternFromString("ended");
    return name_in_progress && name_ended;
}
