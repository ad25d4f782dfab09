/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asynchronous operations ("ao").
 *
 * An operation is slow if it waits for a xenstore watch, runs a subprocess, calls something that can block,
 * or has a time limit; all of them, and the instant ones too, go this way:
 *
 *   create - body -+- error ----- abort_start: the initiator returns the error; there is no notification
 *                  +- result ----------------------------------------------+
 *                  +- WAIT: in progress - a source fires - body - ... -----+- complete -+- a woken caller
 *                                                                                       +- a callback, due
 *                                                                                       +- an event, queued
 *
 * docs/async.md draws it with its threads. A body is called once to start, and again each time a source of
 * its fires. It reads top to bottom as the steps of `ao->step`, never blocks, and returns LIBXL__AO_WAIT or
 * the operation's result. When it returns a result all its sources are stopped, and completion waits for
 * jobs that still run. Spurious calls are possible: a step looks at what it waits for, not at having been
 * called.
 *
 * An instant operation whose caller waits, or is called back, is nobody else's business: its record is on the caller's
 * stack, and its body runs without the lock. So the body of an instant operation, however it was started, uses its args, the
 * hypervisor's handle, libxl__ao_fail and its gc, and nothing that the lock guards.
 *
 * Everything else here is called with the context locked, unless it says otherwise.
 */
#ifndef LIBXL__AO_H
#define LIBXL__AO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libxl.h>

#include "loop.h"
#include "deliver.h"
#include "gc.h"
#include "source.h"
#include "phase.h"
#include "timer.h"

/* What a body returns while it waits; never seen outside. */
#define LIBXL__AO_WAIT 1

/* One row of the generated table: what all operations of a kind have in common. */
typedef struct libxl__ao_class {
    const char *name;
    int (*body)(libxl__ao *ao, void *args); /* of an operation without phases */
    const libxl__phases *phases;            /* NULL: it has a body */
    void (*dispose)(void *args);            /* frees the copies of the inputs; NULL: nothing to free */
    size_t args_size;
    unsigned limit_ms; /* the default time limit; 0: none */
    bool slow;
    bool reports; /* progress */
} libxl__ao_class;

/* ---- the operation */

/* What an operation or an event is about. The core passes it on and never looks at it. */
typedef struct libxl__subject {
    uint32_t number;
    libxl_uuid uuid;
} libxl__subject;

#define LIBXL__AO_MAGIC           0xA0FACE00ul
#define LIBXL__AO_MAGIC_DESTROYED 0xA0DEAD00ul

/* Who is told of its end. */
typedef enum libxl__ao_notify_target {
    LIBXL__AO_STACK, /* who is in the initiator, on whose stack it is, returning or calling back; not locked */
    LIBXL__AO_CALLER, /* who waits in the initiator */
    LIBXL__AO_HOW,    /* the application, by callback or event */
    LIBXL__AO_PARENT,
    LIBXL__AO_NOBODY, /* it runs in the background */
} libxl__ao_notify_target;

struct libxl__ao {
    uint32_t magic;
    libxl__ao_notify_target notify_target : 3;
    bool complete : 1;   /* rc is final */
    bool notified : 1;   /* and the application has been told, or is about to be */
    bool ending : 1;     /* the body has given rc; jobs still run */
    bool unwinds : 1;    /* the body looks at `stop` itself, because it has things to put back */
    bool runnable : 1;   /* the body is to be called, or its ending goes on */
    bool delivering : 1; /* one of its deliveries is under way */
    bool live : 1;       /* in progress: among the live ones */
    bool indexed : 1;
    bool progress_wanted : 1;
    uint16_t step; /* the body's */
    int rc;
    int stop;               /* ABORTED or TIMEDOUT once it has been asked to stop, else 0 */
    libxl__subject subject; /* what it is about; whoever learns it sets it */
    uint32_t jobs;          /* running or queued, that must end before completion */
    uint32_t reports;       /* of progress, not delivered yet: they go before the completion */
    uint32_t size;          /* of the whole record */
    libxl_ctx *ctx;
    const libxl__ao_class *cls;
    char *message;                   /* malloc'ed: what failed, in words */
    struct libxl__ao_report *report; /* NULL: nothing was counted or is to be reported */
    union {
        libxl__waiter *waiter; /* CALLER: once it waits */
        libxl_asyncop_how how; /* HOW */
        struct {               /* PARENT */
            libxl__ao *parent;
            struct libxl__nested *nested;
        };
        libxl__ao **handle; /* NOBODY: set to NULL when it ends; may be NULL */
    };
    union {
        struct { /* until it is complete */
            struct libxl__sources sources;
            libxl__timer limit;
            libxl__phase_position phase; /* of an operation with phases */
            uint64_t since;              /* ns, monotonic: it is in progress; 0: it is not */
            void *state;                 /* of its phases, or of its body */
            libxl__gc gc;
            TAILQ_ENTRY(libxl__ao) live_link;
            STAILQ_ENTRY(libxl__ao) run_link;
            LIST_ENTRY(libxl__ao) index_link;
        };
        struct {                      /* then */
            libxl_event event;        /* its completion, when that is an event */
            libxl__delivery delivery; /* of its completion */
        };
    };
    char args[]; /* the class's args, then how to report, then the first memory of gc */
};

/* What is in a record, behind its head, is aligned like this. */
#define LIBXL__AO_ALIGN(size) (((size) + 7) & ~(size_t)7)

TAILQ_HEAD(libxl__ao_list, libxl__ao);
STAILQ_HEAD(libxl__ao_queue, libxl__ao);
LIST_HEAD(libxl__ao_bucket, libxl__ao);

enum {
    LIBXL__AO_RECORD_STEP = 32, /* records come in sizes that are multiples of this */
    LIBXL__AO_RECORD_SIZES = 24,
};

typedef struct libxl__aos {
    struct libxl__ao_list live;      /* in progress */
    struct libxl__ao_queue runnable; /* bodies to call */
    struct libxl__ao_bucket *index;  /* by how */
    uint32_t index_size, indexed;
    struct libxl__ao_bucket first_index[16];
    struct libxl__ao_records {
        struct libxl__ao_record *first;
        uint32_t count;
    } records[LIBXL__AO_RECORD_SIZES]; /* free records, by size */
    unsigned sync_limit_ms;            /* limits synchronous calls; 0: only the class does */
    libxl__phase_hook *phase_hook;     /* of tests; NULL otherwise */
    void *phase_hook_user;
    libxl__waiter *drained; /* the closing thread, woken when the last one ends */
    uint64_t started, completed, aborted;
} libxl__aos;

/* -- for the generated initiators */

/*
 * Makes the record and takes the context's lock. 0; or NOMEM or CLOSED, and the context is not locked.
 * Called unlocked.
 */
int libxl__ao_create(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number,
                     const libxl_asyncop_how *how, libxl__ao **ao_out);
/* The same for an instant operation; without an event the record is made `here`, and the context is not locked. */
int libxl__ao_create_instant(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number,
                             const libxl_asyncop_how *how, void *here, libxl__ao **ao_out);
/* The room for that: a record with args of this type. */
#define LIBXL__AO_HERE(name, args_type) _Alignas(libxl__ao) char name[sizeof(libxl__ao) + sizeof(args_type)]
static inline void *libxl__ao_args(libxl__ao *ao)
{
    return ao->args;
}
void libxl__ao_progress_how(libxl__ao *ao, const libxl_asyncprogress_how *how);
/* Where that is kept; of classes that report. */
libxl_asyncprogress_how *libxl__ao_progress_of(libxl__ao *ao);
/* Starting failed before the body ran: destroys the record, unlocks if it was locked, returns rc. */
int libxl__ao_abort_start(libxl__ao *ao, int rc);
/* Calls the body for the first time, unlocks if it was locked, and returns what the initiator returns. */
int libxl__ao_start(libxl__ao *ao);

/* -- for bodies */

/* The state of an operation without phases, zeroed at the first call. NULL: out of memory. */
void *libxl__ao_state(libxl__ao *ao, size_t size);
/* This body looks at ao->stop itself. */
void libxl__ao_unwinds(libxl__ao *ao);
/* Notes what failed, unless something was noted before; logs it; returns rc. */
int libxl__ao_fail(libxl__ao *ao, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The operation has succeeded after all: forgets what libxl__ao_fail has noted. */
void libxl__ao_forget_failure(libxl__ao *ao);
/* Reports progress: an event of `type`. Delivered before the completion; discarded where nobody wants it. */
void libxl__ao_progress(libxl__ao *ao, libxl_event_type type);

/* -- the machinery's own */

/* For src/core/nested.c: a nested one, and its start. NULL: NOMEM. */
libxl__ao *libxl__ao_create_nested(libxl__ao *parent, struct libxl__nested *nested,
                                   const libxl__ao_class *cls);
/* One that nobody waits for: it runs until it ends or is asked to stop, and destroys itself. NULL: NOMEM. */
libxl__ao *libxl__ao_create_background(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t number,
                                       libxl__ao **handle);
void libxl__ao_start_nested(libxl__ao *ao);
/* Destroys a nested operation that was not started. */
void libxl__ao_discard(libxl__ao *ao);
/* A nested operation has ended: tells its parent, and destroys it. */
void libxl__nested_ended(libxl__ao *child);
/* Asks it to stop, as ABORTED or TIMEDOUT. 0; ABORTED: it has been asked already. */
int libxl__ao_request_stop(libxl__ao *ao, int why);
/* Has the body called, soon, by whichever thread is in the library. */
void libxl__ao_wake(libxl__ao *ao);
/* A job of its has ended. */
void libxl__ao_job_ended(libxl__ao *ao);
/* The one terminal function; exactly once for each operation that is in progress. */
void libxl__ao_complete(libxl__ao *ao, int rc);
/* The initiator's last act: waits (synchronous) or returns ASYNC_INPROGRESS; unlocks. */
int libxl__ao_inprogress(libxl__ao *ao);
void libxl__ao__destroy(libxl_ctx *ctx, libxl__ao *ao);
/* The operation whose completion event this is. */
libxl__ao *libxl__ao_of_event(libxl_event *event);

void libxl__aos_open(libxl_ctx *ctx);
void libxl__aos_close(libxl_ctx *ctx);
/* Calls the bodies that are runnable. */
void libxl__aos_run(libxl_ctx *ctx);
/* A report of its has been delivered. */
void libxl__ao_report_delivered(libxl_ctx *ctx, libxl__ao *ao);
bool libxl__aos_live(libxl_ctx *ctx);
/* Asks all to stop. */
void libxl__aos_abort_all(libxl_ctx *ctx);

/* ---- src/core/ao_report.c: progress */

struct libxl__ao_report {
    libxl_asyncprogress_how how;
    bool wanted; /* by libxl_ao_set_progress */
    uint32_t index, count;
    uint64_t done, total;
    const char *unit; /* NULL: the phase counts nothing */
};

/*
 * For a phase: how much of it is done. `unit` names what is counted, and stays valid; total 0: not known. Each call is a
 * report, so a phase calls this where an application would show it.
 */
void libxl__ao_count(libxl__ao *ao, uint64_t done, uint64_t total, const char *unit);
/* For a group: which of its members has ended. */
void libxl__ao_count_group(libxl__ao *ao, uint32_t index, uint32_t count);
/* For the driver of the phases: another phase was entered. */
void libxl__ao_report_phase(libxl__ao *ao);
/* Reports to `how` from now on, the present phase at once; NULL: to nobody. Errors: NOMEM. */
int libxl__ao_report_to(libxl__ao *ao, const libxl_asyncprogress_how *how);

/* ---- src/core/ao_control.c */

/* Limits the time that the operation has from now on; 0: without limit. Errors: NOMEM, unless it has a limit. */
int libxl__ao_limit(libxl__ao *ao, unsigned milliseconds);

/* ---- src/core/ao_record.c: records from a free list, and the index by how */

libxl__ao *libxl__ao_record_get(libxl_ctx *ctx, const libxl__ao_class *cls);
void libxl__ao_record_put(libxl_ctx *ctx, libxl__ao *ao);
void libxl__ao_records_free(libxl_ctx *ctx);
void libxl__ao_index_add(libxl__ao *ao);
void libxl__ao_index_remove(libxl__ao *ao);
/* The oldest with this how, or NULL. */
libxl__ao *libxl__ao_index_find(libxl_ctx *ctx, const libxl_asyncop_how *how);

#endif
