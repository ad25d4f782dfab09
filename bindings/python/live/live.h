/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aioxen._live: operations under way. What each of them costs in Python is here, in C; what few of them need
 * is in context.py and operation.py, whose classes are made of these:
 *
 *   Function   an operation that can be started   function.c
 *   Method     what starts it on a domain         method.c
 *   Pending    a future of one that was           pending.c
 *   Starter    what starts them, and ends them    start.c, deliver.c; what it is itself: starter.c
 *
 * All of it belongs to the thread of the event loop and has the interpreter's lock, which only
 * libxl_event_take gives up: nothing else here takes longer than the giving up.
 */
#ifndef AIOXEN_LIVE_H
#define AIOXEN_LIVE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <structmember.h>

#include <stdbool.h>
#include <sys/queue.h>

#include <libxl.h>

/* An operation on a domain that has no other input and gives nothing. */
typedef int initiator(libxl_ctx *ctx, libxl_domid domid, const libxl_asyncop_how *how);

typedef struct {
    PyObject ob_base;
    initiator *direct; /* NULL: begin(), in Python, calls it */
    Py_ssize_t about;  /* which of its inputs is a domain; -1: none */
    PyObject *limit;   /* what C limits it to unless told otherwise: seconds, or None */
    bool instant;      /* over when its function returns */
    bool gives, owns;  /* it has results; some are to be freed */
    bool undone;       /* it has an operation that takes its results back */
} Function;

/*
 * What an operation has behind asyncio's Future, which it is. To C its for_event is its address, which is no
 * other's as long as C may say it.
 */
typedef struct Pending {
    PyObject *xen, *function;
    PyObject *inputs, *out;   /* what C reads and writes; out is NULL if the function gives nothing */
    libxl_domid domid;        /* the only input, if inputs is NULL */
    PyObject *stop, *why;     /* operation.py's: whether and why it has been asked to stop */
    LIST_ENTRY(Pending) link; /* while it is live: C has not ended it. The list has a reference to it */
    bool live;
} Pending;

typedef struct {
    PyObject ob_base;
    libxl_ctx *ctx;  /* NULL: before _serve(), and after _leave() */
    PyObject *ready; /* Future's arguments, {"loop": ...}, while operations are welcome; else NULL */
    PyObject *plain, *undoable; /* the classes of operations */
    PyObject *done;             /* what an instant operation that gives nothing returns */
    LIST_HEAD(, Pending) live;
} Starter;

/* Everything that returns an object or a bool: NULL or false is an exception. */

extern PyTypeObject *function_type, *pending_type, *starter_type;
extern PyObject *no_arguments; /* () */

PyTypeObject *make_function_type(PyObject *module);
PyTypeObject *make_method_type(PyObject *module);
PyTypeObject *make_pending_type(PyObject *module);
PyTypeObject *make_starter_type(PyObject *module);

/* function.c: Call's methods, in Python */
PyObject *function_out(PyObject *function); /* memory for the results of a new operation */
/* Calls it. how NULL: the operation is over when it returns. What it has returned, or 1: an exception. */
int function_begin(PyObject *function, Starter *xen, PyObject *inputs, PyObject *out,
                   const libxl_asyncop_how *how);
PyObject *function_value(PyObject *function, PyObject *xen, PyObject *out); /* what its operation gives */
PyObject *function_refuse(PyObject *function, PyObject *domain);            /* an exception, always */
bool function_drop(PyObject *function, PyObject *out); /* frees what is C's of the results */

/* pending.c */
Pending *pending_of(PyObject *operation);
PyObject *operation_of(const Pending *p);
libxl_asyncop_how how_of(PyObject *operation);
void becomes_live(Starter *xen, PyObject *operation);
void no_longer_live(PyObject *operation); /* the list's reference is the caller's */
bool succeed(PyObject *operation);        /* with what C has written */
bool end(PyObject *operation, int rc,
         const char *message); /* that, unless it failed or was to stop: _end() */

/* start.c */
/* Whether it is a number that a domain can have, and which. No exception: cffi has words for what is not. */
bool is_domid(PyObject *input, libxl_domid *domid);
/* A new operation, by the function that it has for this. */
PyObject *start_directly(Starter *xen, PyObject *function, libxl_domid domid);

/* start.c, deliver.c: Starter's methods */
PyObject *starter_start(PyObject *self, PyObject *const *args, Py_ssize_t number);
PyObject *starter_launch(PyObject *self, PyObject *args);
PyObject *starter_drain(PyObject *self, PyObject *unused);

#endif
