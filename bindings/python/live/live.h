/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aioxen._live: the part of the Python package that runs for every operation. It is written in C for speed.
 * The classes in context.py and operation.py derive from the types of aioxen._live. The classes add the
 * methods that are called rarely.
 *
 *   OperationSpec     describes an operation: its C function, limit and results    operation_spec.c
 *   FastMethod        a method of Context that starts an operation on one domid    fast_method.c
 *   OperationFuture   the asyncio future of a started operation                    operation_future.c
 *                     the iterator of a completed future                           done_iterator.c
 *   ContextCore       holds the C context and the live operations                  context_core.c
 *                     starts operations                                            start.c
 *                     completes operations and delivers events                     deliver.c
 *   set_observer()    sets the function that hooks.py calls for each operation      observe.c
 *
 * Threads: every function runs in the event loop's thread, with the interpreter's lock. The lock is
 * released only during libxl_event_take(). Every other library call in this module takes less time than
 * releasing the lock.
 *
 * Errors: A function that returns an object returns NULL if an exception is set. A function that returns bool
 * returns false if an exception is set. The comments of some functions state other rules.
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

/* The type of an initiator whose operation takes one domain, has no other input and has no result. */
typedef int initiator_fn(libxl_ctx *ctx, libxl_domid domid, const libxl_asyncop_how *how);

typedef struct {
    PyObject ob_base;
    /* The C function that starts the operation. NULL: the Python method call() calls the C function
     * through cffi. */
    initiator_fn *initiator;
    /* The position of the domain among the inputs. -1: the operation takes no domain. */
    Py_ssize_t domid_index;
    PyObject *limit; /* The limit that the C library applies by default, in seconds, or None. */
    bool instant;    /* true: the operation has completed when its C function returns. */
    bool has_results;
    bool owns_memory;  /* true: some results must be freed. */
    bool undoable;     /* true: another operation can undo this operation. */
    bool ends_if_gone; /* true: the operation succeeds if the domain is gone. */
} OperationSpec;

/*
 * The part of an operation's object that follows the fields of asyncio.Future. The for_event of the operation
 * is the object's address. The address stays valid and unique while the operation is live, because the list
 * of live operations holds a reference.
 */
typedef struct OperationFuture {
    PyObject *xen, *spec;
    PyObject *inputs; /* A tuple of the inputs. NULL: `domid` is the only input. */
    /* The memory that the C library writes the results to. NULL: the operation has no results. */
    PyObject *results;
    libxl_domid domid; /* Valid if `inputs` is NULL. */
    /* A Stop of operation.py if the operation was asked to stop, else NULL. */
    PyObject *stop_reason;
    PyObject *stop_message;           /* The argument of cancel(). */
    PyObject *observed;               /* What the observer has returned for the operation. NULL: nothing. */
    LIST_ENTRY(OperationFuture) link; /* Valid while `live` is true. */
    bool live;                        /* true: the C operation has not completed. */
    bool done;                        /* true: this is the done_future of a context. */
} OperationFuture;

typedef struct {
    PyObject ob_base;
    /* The C context, which BaseContext owns. NULL before _attach_loop() and after _detach(). */
    libxl_ctx *ctx;
    /* The keywords {"loop": ...} for Future's constructor. NULL: operations are refused. */
    PyObject *future_kwargs;
    PyObject *operation_class, *undoable_class;
    PyObject *done_future; /* The future that all instant operations without results return. */
    LIST_HEAD(, OperationFuture) live;
} ContextCore;

extern PyTypeObject *operation_spec_type, *operation_future_type, *context_core_type;
extern PyObject *empty_tuple;
extern PyObject *done_iterator; /* The iterator of a completed future whose result is None. */
extern PyObject *observer;      /* The function that set_observer() has set. NULL: no hook is set. */

/* Each of these functions creates a type. It is called once, while the module is imported. */
PyTypeObject *make_operation_spec_type(PyObject *module);
PyTypeObject *make_fast_method_type(PyObject *module);
PyTypeObject *make_operation_future_type(PyObject *module);
PyTypeObject *make_context_core_type(PyObject *module);

/* ---- operation_spec.c: calls of CffiSpec's Python methods. Results are new references. */

/* Allocates the memory that the C function writes its results to. */
PyObject *spec_new_results(PyObject *spec);
/* Calls the C function. If `how` is NULL, the call is synchronous. Returns the function's result, or 1 if
 * an exception is set. */
int spec_call(PyObject *spec, ContextCore *xen, PyObject *inputs, PyObject *results,
              const libxl_asyncop_how *how);
/* Converts the results to the Python value that the future returns. */
PyObject *spec_read_results(PyObject *spec, PyObject *xen, PyObject *results);
/* Raises TypeError for an input that is not a domain. Always returns NULL. */
PyObject *spec_raise_bad_domid(PyObject *spec, PyObject *domain);
/* Frees the memory that the C library has allocated for the results. */
bool spec_free_results(PyObject *spec, PyObject *results);

/* ---- done_iterator.c */

/* Creates done_iterator. It is called once, while the module is imported. */
bool done_iterator_prepare(PyObject *module);

/* ---- operation_future.c. `operation` is an instance of a subclass of OperationFuture. */

/* These functions convert between an operation's object and its C part. */
OperationFuture *future_of(PyObject *operation);
PyObject *object_of(const OperationFuture *p);
/* Returns the `how` of an operation. With this `how`, the C library reports the completion by an event
 * that has the object's address. */
libxl_asyncop_how future_how(PyObject *operation);
/* Adds the operation to the context's live list, which takes a reference. */
void live_insert(ContextCore *xen, PyObject *operation);
/* Removes the operation from the live list. The caller then owns the list's reference. */
void live_remove(PyObject *operation);
/* Sets the result that the C library has written, then frees the library's memory. */
bool future_set_result(PyObject *operation);
/*
 * Completes the future with its result. If rc is an error or the operation was asked to stop, calls the
 * Python method _finish() instead. Returns false, with an exception set, after an interrupt. In this case the
 * caller may repeat the call. Returns true otherwise.
 */
bool future_complete(PyObject *operation, int rc, const char *message);

/* ---- start.c */

/* The domain on which an operation acts. */
typedef struct {
    libxl_domid domid;
    /* true: the caller has passed a Domain. The operation fails if another domain has the Domain's domid. */
    bool has_uuid;
    libxl_uuid uuid;
} Target;

/* Creates the names that parse_target uses. It is called once, while the module is imported. */
bool start_prepare(void);
/*
 * Reads a Python int or a Domain, and returns 1. For any other object, returns 0 and sets no exception.
 * Returns -1 if reading the attributes of the object raises an exception other than AttributeError.
 */
int parse_target(PyObject *input, Target *target);
/* Starts an operation whose spec has an initiator. Returns the operation's future, a new reference. */
PyObject *start_on_domain(ContextCore *xen, PyObject *spec, const Target *target);

/* ---- observe.c */

/* Creates the names of the methods. It is called once, while the module is imported. */
bool observe_prepare(void);
/* Calls the observer, if one is set, before the operation starts. */
bool observe_start(PyObject *operation, const Target *target);
/* Calls in_progress() of what the observer has returned for the operation. The operation has begun to wait. */
bool observe_progress(PyObject *operation);
/*
 * Calls ended() of what the observer has returned for the operation. Must be called once for each operation, after
 * its future was completed. Keeps the current exception. If there is none, an interrupt may set one.
 */
void observe_end(PyObject *operation);
/* The function set_observer() of the module. */
PyObject *live_set_observer(PyObject *module, PyObject *given);

/* ---- start.c, deliver.c: methods of ContextCore */
PyObject *context_core_start(PyObject *self, PyObject *const *args, Py_ssize_t number);
PyObject *context_core_launch(PyObject *self, PyObject *args);
PyObject *context_core_deliver_events(PyObject *self, PyObject *unused);

#endif
