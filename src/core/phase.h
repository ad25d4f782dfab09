/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Phases: how an operation that waits is written.
 *
 * Such an operation is an ordered list of phases, which the IDL declares. A person writes small functions for each phase;
 * the driver in phase.c calls them, and it alone decides about stop requests, limits, the order of undoing, and which error
 * is reported:
 *
 *   start -+- 0 ------------------------------------- next phase - ... - the operation completes with 0
 *          +- WAIT - poll - poll - ... - 0 ----------- next phase
 *          +- error, limit, or stop request ---------- undo this phase, the one before it, ... - completes with the error
 *
 * The functions get the operation and its state, are called with the context locked, and never block. A phase waits for
 * sources (source.h), each of which causes a call of poll when it fires. Spurious calls are possible: poll checks what it
 * waits for, and does not conclude anything from having been called.
 *
 * A stop request (an abort, the operation's time limit, or the context's closing) ends a phase at once, unless the phase has
 * a stop function. Then that function is called once, and the phase is still polled until it ends or until stop_ms has
 * passed. An operation whose last phase ends with 0 after all completes with 0.
 *
 * The undo functions run in reverse order, from the phase that failed or was stopped. Each is called for every phase whose
 * start was called, whatever start returned, and is called again each time a source fires while it returns WAIT. When undo_ms
 * have passed it is not called again: the next undo runs, and the message of the operation's error says which undo has not
 * ended. A nested operation that outlives its parent (nested.h) goes on in the background then. Whatever an undo needs is
 * reserved before the phase makes the thing that has to be undone.
 *
 * After the operation's time limit, all undos together are awaited for LIBXL__PHASE_LATE_MS. Then the operation completes for the
 * application, and the undo goes on in the background until it ends, or until the context has been closing for as long.
 *
 * A phase that commits is the point of no return: from its start on, a stop request does not end a phase that has no stop
 * function, and nothing is undone.
 */
#ifndef LIBXL__PHASE_H
#define LIBXL__PHASE_H

#include <stdbool.h>
#include <stdint.h>

#include "phase_table.h"
#include "source.h"
#include "timer.h"

/* An undo returns this if the peer has carried out the request after all: the operation completes with 0. */
#define LIBXL__AO_CARRIED_OUT 2

/* How much later than its time limit an operation completes at most, in ms: less than a second. */
#define LIBXL__PHASE_LATE_MS 800

/* What the driver keeps of an operation; part of its record. */
typedef struct libxl__phase_position {
    libxl__timer timer; /* the limit of the phase, of its stop, or of its undo */
    uint64_t since;     /* ns, monotonic: the phase was entered */
    uint32_t leave_at;  /* ms, monotonic, modulo 2^32: if `leaves`, when the undo goes on in the background */
    uint16_t index;     /* of the phase */
    bool started : 1;   /* its start was called */
    bool stopping : 1;  /* its stop was called */
    bool undoing : 1;   /* the phases are being undone, from this one on */
    bool committed : 1; /* this phase or an earlier one commits */
    bool expired : 1;   /* the timer has fired in this phase */
    bool
        leaves : 1; /* the operation's time limit was reached: it completes soon, before its undo if need be */
    bool left : 1;  /* the undo goes on in the background: the application has been notified */
    bool hurried : 1; /* `left`, and the context is closing */
} libxl__phase_position;

/* Points at which a test can make a phase fail, stop its operation, or end the process. */
typedef enum libxl__phase_moment {
    LIBXL__PHASE_BEFORE_START,
    LIBXL__PHASE_WAITING, /* start has returned LIBXL__AO_WAIT */
    LIBXL__PHASE_BEFORE_UNDO,
} libxl__phase_moment;
/* Returns 0, or the error that the phase or the undo is to fail with. Called with the context locked. */
typedef int libxl__phase_hook(libxl__ao *ao, libxl__phase_moment moment, void *user);

/*
 * Starts the operation's timer if a phase has a limit, so that libxl__phases_run does not fail. It does this itself where this
 * was not called. Call it with the context locked. Errors: NOMEM.
 */
int libxl__phases_reserve(libxl__ao *ao);

/*
 * Runs an operation that has phases as far as it goes. Called with the context locked, when the operation starts and each
 * time a source of it has fired. Returns LIBXL__AO_WAIT, or the result, after which it is not called again.
 */
int libxl__phases_run(libxl__ao *ao);

/* For poll and undo: gives the phase, its stop or its undo its whole time again. Call it with the context locked. */
void libxl__phase_extend(libxl__ao *ao);

/* The phase that the operation is in. Call it with the context locked. */
const libxl__phase *libxl__phase_of(const libxl__ao *ao);

/* Calls `hook` at each moment of each operation of the context; NULL: no more. For tests; takes the lock. */
void libxl__ctx_set_phase_hook(libxl_ctx *ctx, libxl__phase_hook *hook, void *user);

#endif
