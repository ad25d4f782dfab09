/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asynchronous operations ("ao").
 *
 * An operation is slow or instant. A slow operation waits for a source, or needs a call that can block. A worker makes
 * such a call, as a job. An instant operation never waits. The initiator is the public function that starts the
 * operation. The diagram holds for both kinds:
 *
 *   create - start -+- error ----- abort_start: the initiator returns the error; there is no notification. An error
 *                   |              while a job runs is a result
 *                   +- result ----------------------------------------+
 *                   +- WAIT: in progress - a source fires - run - ... +- complete -+- the synchronous caller is woken
 *                                                                                  +- a callback is queued for delivery
 *                                                                                  +- a completion event is queued
 *
 * docs/async.md also shows the threads. phase.c runs an operation with phases. An operation without phases has a
 * body, which is one function. The core calls the body at the start, and again each time a source of the operation
 * fires. A body never blocks. It returns LIBXL__AO_WAIT or the operation's result. Spurious calls are possible, so a
 * body always checks the condition that it waits for. When the result is known, the core stops all sources. The
 * operation completes when all its jobs have ended.
 *
 * The initiator first sets all results to their initial values. A stored result belongs to the caller, who
 * disposes of the result even after a failure. So a body or phase stores its results last. It neither uses
 * nor frees a result that it has stored.
 *
 * The record of an instant operation is on the initiator's stack, with two exceptions. It is allocated if `how` asks
 * for an event. It is also allocated if `how` asks for a callback while this thread is inside a delivery of the
 * context. No other thread sees a record on the stack, so its body runs without the lock.
 * The body of an instant operation may use only its args, its gc, libxl__ao_fail and the handle for its hypercalls
 * (src/xen/handles.h). It must not use anything that the lock guards.
 *
 * Call everything in this header with the context locked, unless the comment says otherwise. Any thread may call it.
 */
#ifndef LIBXL__AO_H
#define LIBXL__AO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <xentoollog.h>

#include <libxl.h>

#include "loop.h"
#include "deliver.h"
#include "gc.h"
#include "index.h"
#include "source.h"
#include "phase.h"
#include "timer.h"

/* Returned by a body or a phase that waits. No public function returns it. */
#define LIBXL__AO_WAIT 1

/*
 * The description of one kind of operation. The generated tables and the tests define objects of this type.
 */
typedef struct libxl__ao_class {
    const char *name;
    /* The function of an operation without phases; NULL: the operation has phases. */
    int (*body)(libxl__ao *ao, void *args);
    const libxl__phases *phases; /* the phases of the operation; NULL: the operation has a body */
    /* Frees the copies of the inputs, or does nothing if args is zero; NULL: there is nothing to free */
    void (*dispose)(void *args);
    size_t args_size;
    unsigned limit_ms; /* the default time limit, in ms; 0: no limit */
    bool slow;
    bool reports; /* the operation has a parameter for progress reports */
    /* The errors that the operation may return, ended by 0; NULL: errors are not checked. */
    const int *errors;
} libxl__ao_class;

/* ---- the record of an operation */

/* The object that an operation or an event concerns. The core only copies it to events, lists and messages. */
typedef struct libxl__subject {
    uint32_t number;
    libxl_uuid uuid;
    /*
     * The subject's name, for messages. Valid as long as the operation's inputs. NULL: messages contain only
     * the number.
     */
    const char *name;
} libxl__subject;

#define LIBXL__AO_MAGIC           0xA0FACE00ul
#define LIBXL__AO_MAGIC_DESTROYED 0xA0DEAD00ul

/* The receiver of the notification that an operation has completed. */
typedef enum libxl__ao_notify_target {
    /*
     * The record is on the initiator's stack. There is no notification, because the initiator uses the result
     * itself.
     */
    LIBXL__AO_STACK,
    LIBXL__AO_CALLER, /* the thread that waits in the initiator */
    LIBXL__AO_HOW,    /* the application, by a callback or an event */
    LIBXL__AO_PARENT, /* the parent of a nested operation */
    LIBXL__AO_NOBODY, /* no receiver: the operation runs in the background */
} libxl__ao_notify_target;

/* The record of an operation. Its last user frees it; ao.c lists the last users. */
struct libxl__ao {
    uint32_t magic;
    libxl__ao_notify_target notify_target : 3;
    bool complete : 1; /* the operation has completed, and rc does not change any more */
    bool notified : 1; /* the notification was made or queued */
    bool ending : 1;   /* the result is known, but jobs may still run */
    bool runnable : 1; /* the operation is in the list libxl__aos.runnable */
    /* The operation is a synchronous call inside a delivery. Only the calling thread makes its deliveries. */
    bool inside : 1;
    bool delivering : 1;      /* application code is running for a delivery of this operation */
    bool live : 1;            /* the operation is in the list libxl__aos.live of the operations in progress */
    bool indexed : 1;         /* the operation is in the index libxl__aos.index */
    bool progress_wanted : 1; /* the application passed a non-NULL progress parameter */
    uint16_t state_at;        /* the offset of the phases' state in the record (libxl__ao_state) */
    int rc;
    int stop; /* the reason of the first stop request, for example ERROR_ABORTED; 0: none */
    /* The object that the operation concerns; the UUID is zero until the operation knows the UUID. */
    libxl__subject subject;
    /* The number of jobs, children and nested operations that must end before this one completes. */
    uint32_t jobs;
    uint32_t reports;  /* the number of progress reports that must be delivered before the completion */
    uint32_t size;     /* the size of the whole record, in octets */
    uint32_t limit_ms; /* the operation's time limit, in ms; 0: no limit */
    libxl_ctx *ctx;
    const libxl__ao_class *cls;
    char *message; /* the error message, malloc'ed; NULL: no message was recorded */
    /* The operation's progress; NULL: no progress was counted or requested. */
    struct libxl__ao_report *report;
    union {
        /* The thread that waits, for LIBXL__AO_CALLER; NULL: the caller does not wait yet. */
        libxl__waiter *waiter;
        libxl_asyncop_how how; /* how the application is notified; valid for LIBXL__AO_HOW */
        /* The parent, and the libxl__nested in the parent's state; valid for LIBXL__AO_PARENT. */
        struct {
            libxl__ao *parent;
            struct libxl__nested *nested;
        };
        /* For LIBXL__AO_NOBODY: *handle is set to NULL when the operation ends; handle itself may be NULL. */
        libxl__ao **handle;
    };
    union {
        struct { /* the following members are valid until `complete` is set */
            struct libxl__sources sources;
            libxl__timer limit;          /* the timer of the operation's time limit */
            libxl__phase_position phase; /* the position in the list of phases, if the operation has phases */
            /*
             * The time at which the operation went into progress, in ns, monotonic; 0: it is not in progress.
             */
            uint64_t since;
            libxl__gc gc;
            TAILQ_ENTRY(libxl__ao) live_link;
            TAILQ_ENTRY(libxl__ao) run_link;
            libxl__index_link index_link;
            /*
             * The operation's inputs (args_size octets). A libxl_asyncprogress_how follows if the class reports.
             * The first memory of the gc follows.
             */
            char args[];
        };
        struct { /* the following members are valid once `complete` is set */
            /* The completion event. Used only if the operation completes with an event. */
            libxl_event event;
            libxl__delivery delivery; /* delivers the completion callback or the completion event */
        };
    };
};

/*
 * Returns the state of the operation's phases. The record contains the state. Call this with the context
 * locked, before the completion.
 */
static inline void *libxl__ao_state(libxl__ao *ao)
{
    return (char *)ao + ao->state_at;
}

/* The offset of the inputs in a record. A record has at least sizeof(libxl__ao) octets, for its completion. */
#define LIBXL__AO_ARGS_AT offsetof(libxl__ao, args)

/* Rounds a size up to the alignment of the parts of a record's `args`. */
#define LIBXL__AO_ALIGN(size) (((size) + 7) & ~(size_t)7)

TAILQ_HEAD(libxl__ao_list, libxl__ao);

enum {
    LIBXL__AO_RECORD_STEP = 32, /* the difference between the sizes of neighbouring size classes, in octets */
    LIBXL__AO_RECORD_SIZES = 24,
};

/* All operations of a context. */
typedef struct libxl__aos {
    struct libxl__ao_list live;     /* the list of operations in progress */
    struct libxl__ao_list runnable; /* the operations that libxl__aos_run will run */
    /* Finds an operation by its `how`. Contains the operations whose notify target is LIBXL__AO_HOW. */
    libxl__index index;
    struct libxl__ao_records {
        struct libxl__ao_record *first;
        uint32_t count;
    } records[LIBXL__AO_RECORD_SIZES]; /* the free records; one list for each size class */
    /* The time limit of synchronous calls, in ms; 0: the limit of the operation's class applies. */
    unsigned sync_limit_ms;
    bool keep_phases;              /* libxl_ctx_keep_phases: operations keep the phases that they enter */
    libxl__phase_hook *phase_hook; /* a function of a test (libxl__ctx_set_phase_hook); NULL: there is none */
    void *phase_hook_user;
    /*
     * The thread that waits in libxl__ctx_drain. It is woken when no operation is in progress. NULL: no
     * thread waits there.
     */
    libxl__waiter *drained;
    /*
     * The numbers of operations that have started, completed and been aborted; nested and background
     * operations are not counted.
     */
    uint64_t started, completed, aborted;
} libxl__aos;

/* ---- functions for the generated initiators */

/*
 * Creates a record and locks the context. Call it unlocked. The initiator owns the record until it calls
 * libxl__ao_start or libxl__ao_abort_start. `how` is copied; NULL: the call is synchronous. Errors: NOMEM,
 * CLOSED, or the value that the application's hook fd_register returned. After an error the context is not
 * locked.
 */
int libxl__ao_create(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number,
                     const libxl_asyncop_how *how, libxl__ao **ao_out);
/*
 * Like libxl__ao_create, for an instant operation. If the record can be on the initiator's stack, this
 * function creates it in the memory `here` and takes no lock. It cannot be there if `how` asks for an event,
 * or for a callback while this thread is inside a delivery of this context. In these two cases this function
 * calls libxl__ao_create, which allocates the record and locks the context.
 */
int libxl__ao_create_instant(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number,
                             const libxl_asyncop_how *how, void *here, libxl__ao **ao_out);
/*
 * Declares an array on the stack, for the parameter `here` of libxl__ao_create_instant. The array has room
 * for a record with args of the type `args_type`.
 */
#define LIBXL__AO_HERE(name, args_type) _Alignas(libxl__ao) char name[LIBXL__AO_ARGS_AT + sizeof(args_type)]
/*
 * Returns the operation's args, which belong to the operation. Call it before the start, inside the body, or
 * with the context locked.
 */
static inline void *libxl__ao_args(libxl__ao *ao)
{
    return ao->args;
}
/*
 * Sets how libxl__ao_progress reports. `how` is copied. If it is NULL, nothing is reported. The operation's class
 * must have `reports` set.
 */
void libxl__ao_progress_how(libxl__ao *ao, const libxl_asyncprogress_how *how);
/*
 * Destroys a record whose operation cannot start. Returns the initiator's return value for the error `rc`. Unlocks
 * the context if the create function has locked it.
 */
int libxl__ao_abort_start(libxl__ao *ao, int rc);
/*
 * Starts the operation. Unlocks the context if the create function has locked it. Returns the initiator's return value:
 * the result of a synchronous call, an error of the start, or ASYNC_INPROGRESS. The initiator must not use the record
 * afterwards.
 */
int libxl__ao_start(libxl__ao *ao);

/* ---- functions for phases and bodies */

/*
 * Records the error message and logs it, unless a message is recorded already. Returns rc. The formatted text says
 * what caused the error. This function escapes the text's unprintable octets, and adds the names of the operation,
 * its subject and its phase. An operation that fails without a recorded message gets the general description of the
 * error. Needs no lock if the record is on the stack.
 */
int libxl__ao_fail(libxl__ao *ao, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/*
 * Logs a text, and appends it to the recorded message after "; ". If no message is recorded, or if there is
 * no memory, the text is only logged.
 */
void libxl__ao_fail_also(libxl__ao *ao, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Logs a message about the operation. `errnoval`: the errno to add to the message; < 0: none. Needs no lock if the
 * record is on the stack. */
void libxl__ao_log(const libxl__ao *ao, xentoollog_level level, int errnoval, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Forgets the recorded error and its message. For an operation that continues after a failed step. */
void libxl__ao_forget_failure(libxl__ao *ao);
/* ---- functions for the core */

/* For nested.c: creates a nested operation. The parent owns it until it is started. Returns NULL if there is no
 * memory. */
libxl__ao *libxl__ao_create_nested(libxl__ao *parent, struct libxl__nested *nested,
                                   const libxl__ao_class *cls);
/*
 * Creates a background operation. It runs until it ends or is asked to stop. Then it destroys itself and sets
 * *handle to NULL. `handle` may be NULL. Returns NULL if there is no memory.
 */
libxl__ao *libxl__ao_create_background(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number,
                                       libxl__ao **handle);
/*
 * Starts a nested or background operation. The operation may have ended, and been destroyed, when this
 * function returns.
 */
void libxl__ao_start_internal(libxl__ao *ao);
/*
 * Starts a background operation for a call that must fail if the operation fails at once. Returns 0 if the operation
 * goes on. Otherwise the operation has been destroyed: sets the calling thread's error message, which begins
 * with `where`, and returns the operation's error.
 */
int libxl__ao_start_background(libxl__ao *ao, const char *where);
/* Destroys a nested operation that was not started. */
void libxl__ao_discard(libxl__ao *ao);
/* Notifies the parent that a nested operation has completed, and destroys the nested operation. In nested.c. */
void libxl__nested_ended(libxl__ao *child);
/* Asks the operation to stop; `why` becomes ao->stop. Returns 0, or ABORTED if a stop was requested before. */
int libxl__ao_request_stop(libxl__ao *ao, int why);
/* Makes the operation runnable, so that the next libxl__aos_run runs it. Does nothing if the operation is complete.
 * Workers may call it. */
void libxl__ao_wake(libxl__ao *ao);
/* Decrements ao->jobs when a job, a child or a nested operation has ended. Workers may call it. */
void libxl__ao_job_ended(libxl__ao *ao);
/*
 * Ends the operation with rc. The operation completes when its jobs have ended. Must be called once for each
 * started operation.
 */
void libxl__ao_complete(libxl__ao *ao, int rc);
/*
 * Completes the operation for the application, with ao->rc and its message, while the operation's undo goes
 * on in the background. Returns false and does nothing in three cases: the application does not wait for the
 * operation, a progress report is still to be delivered, or there is no memory.
 */
bool libxl__ao_leave(libxl__ao *ao);
/* Frees the record of a completed operation. Only the record's last user calls this; see ao.c. */
void libxl__ao_destroy(libxl_ctx *ctx, libxl__ao *ao);

/* Called once, while the context is created. Prepares the empty lists and the index. */
void libxl__aos_open(libxl_ctx *ctx);
/* Called once, unlocked, while the context is destroyed. No operation may be in progress. */
void libxl__aos_close(libxl_ctx *ctx);
/*
 * Stops the sources and timers, and frees the memory that only a running operation needs. The data for the
 * notification stay valid.
 */
void libxl__ao_release_work(libxl__ao *ao);
/* Runs the phases or the body as far as possible. Returns LIBXL__AO_WAIT or the result. */
int libxl__ao_advance(libxl__ao *ao);
/*
 * Runs the runnable operations. Returns when no operation is runnable, or when `turn` is over (loop.h). Workers must
 * not call it.
 */
void libxl__aos_run(libxl_ctx *ctx, libxl__turn *turn);
/*
 * Runs the operation now, if it is runnable. The operation may have ended, and been destroyed, when this
 * function returns. Workers must not call it.
 */
void libxl__ao_run(libxl__ao *ao);
/* Returns whether an operation is runnable. */
static inline bool libxl__aos_are_runnable(const libxl__aos *aos)
{
    return !TAILQ_EMPTY(&aos->runnable);
}
/*
 * Records the general description of `rc` as the message. Does nothing if `rc` is 0 or a message is recorded.
 */
void libxl__ao_describe_failure(libxl__ao *ao, int rc);
/* Returns the number that the application gets for the result `rc`, by the context's conventions (context.h). */
int libxl__ao_outward(const libxl__ao *ao, int rc);
/*
 * Returns the recorded message, or the general description of `rc` if no message is recorded. Never returns
 * NULL.
 */
const char *libxl__ao_words(const libxl__ao *ao, int rc);
/*
 * Decrements ao->reports after the delivery of a progress report. The record may be destroyed when this
 * function returns.
 */
void libxl__ao_report_delivered(libxl_ctx *ctx, libxl__ao *ao);
/* Returns whether any operation is in progress. */
bool libxl__aos_live(libxl_ctx *ctx);
/* Asks all operations in progress to stop, with the reason ERROR_ABORTED. */
void libxl__aos_abort_all(libxl_ctx *ctx);

/* ---- src/core/ao_control.c: limits and states */

/*
 * Sets how long the operation may take from now on; 0: no limit. Returns 0. If the operation had no limit before and
 * there is no memory, returns NOMEM.
 */
int libxl__ao_limit(libxl__ao *ao, unsigned milliseconds);

/*
 * Returns the state of an operation in progress: whether it runs, was asked to stop, is being undone, or is in the
 * background.
 */
libxl_operation_state libxl__ao_doing(const libxl__ao *ao);

/* ---- src/core/ao_record.c: the free lists of records, and the index by `how` */

/*
 * Allocates a record. All of it is zeroed, except the gc's memory at its end. Returns NULL if there is no
 * memory.
 */
libxl__ao *libxl__ao_record_get(libxl_ctx *ctx, const libxl__ao_class *cls);
/* Frees a record: keeps it in a free list, or returns it to malloc. */
void libxl__ao_record_put(libxl_ctx *ctx, libxl__ao *ao);
/* Called once, while the context is destroyed. Frees the free lists and the index. */
void libxl__ao_records_free(libxl_ctx *ctx);
/* Prepares the empty index. Called once, while the context is created. */
void libxl__ao_index_open(libxl_ctx *ctx);
/* Adds an operation that notifies the application, so that libxl__ao_index_find finds it. Cannot fail. */
void libxl__ao_index_add(libxl__ao *ao);
/* Removes an operation from the index. Does nothing if the operation is not in the index. */
void libxl__ao_index_remove(libxl__ao *ao);
/* Returns the oldest operation in progress with this `how`, or NULL. */
libxl__ao *libxl__ao_index_find(libxl_ctx *ctx, const libxl_asyncop_how *how);

#endif
