/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Phases: the steps of an operation that waits.
 *
 * An operation that waits is an ordered list of phases, which the IDL declares. Each phase has a few small functions,
 * which are written by hand: start, poll, stop and undo. phase.c calls them. Only phase.c handles stop requests,
 * limits and the order of undoing, and chooses the error that is reported:
 *
 *   start -+- 0 ----------------------------------- next phase - ... - the operation completes with 0
 *          +- WAIT - poll - poll - ... - 0 --------- next phase
 *          +- error, limit, or stop request -------- undo this phase, the one before it, ... - completes with the error
 *
 * phase.c passes the operation and its state to the functions, and calls them with the context locked. The functions
 * never block. A phase waits for sources (source.h). When a source fires, phase.c calls poll. Spurious calls are
 * possible, so poll always checks the condition for which it waits.
 *
 * Stop requests: there are three kinds, namely an abort, the operation's time limit, and the closing of the context.
 * A stop request ends a phase at once if the phase has no stop function. If the phase has a stop function, phase.c
 * calls this function once. Then it polls the phase until the phase ends or stop_ms has passed. If the last phase
 * ends with 0 despite a stop request, the operation completes with 0.
 *
 * Undo: the undo functions run in reverse order, from the phase that failed or was stopped. phase.c calls undo for
 * every phase whose start was called, whether or not start has failed. While undo returns WAIT, phase.c calls it
 * again each time a source fires. When undo_ms has passed, phase.c stops calling this undo and runs the next undo.
 * The error message then names the undo that has not ended. If that undo has a nested operation with `outlives` set
 * (nested.h), the nested operation goes on in the background. A phase reserves the resources for its undo before it
 * makes a change that must be undone.
 *
 * Undo after the operation's time limit: phase.c waits LIBXL__PHASE_LATE_MS at most for all undos together. Then the
 * operation completes for the application, and the undos go on in the background until they end. In the background,
 * undo_ms limits each undo except the last. The last undo has no limit. When the context is closing, each undo in the
 * background has LIBXL__PHASE_LATE_MS left. An undo that calls libxl__phase_persist goes on in the background in the
 * same way, whatever has ended the operation.
 *
 * Commit: after the start of a phase that commits, nothing is undone any more. From then on, a stop request
 * ends only phases that have a stop function.
 */
#ifndef LIBXL__PHASE_H
#define LIBXL__PHASE_H

#include <stdbool.h>
#include <stdint.h>

#include "phase_table.h"
#include "source.h"
#include "timer.h"

/*
 * An undo function returns this value if the change was carried out after all, so that it is not undone. The
 * operation then completes with 0.
 */
#define LIBXL__AO_CARRIED_OUT 2

/* The longest time from an operation's time limit to its completion, in ms. It is less than a second. */
#define LIBXL__PHASE_LATE_MS 800

/* The data of phase.c about an operation. It is part of the operation's record. */
typedef struct libxl__phase_position {
    libxl__timer timer; /* the timer for the time limit of the phase, of its stop or of its undo */
    uint64_t since;     /* the time when the phase was entered, in ns, monotonic */
    /*
     * The time when the operation stops waiting for its undo, in ms, monotonic, modulo 2^32. Valid if
     * `leaves` is true.
     */
    uint32_t leave_at;
    uint16_t index;    /* the index of the phase in the list of phases */
    bool started : 1;  /* the phase's start function was called */
    bool stopping : 1; /* the phase's stop function was called */
    bool undoing : 1;  /* the phases from the present phase back to the first phase are being undone */
    /* The present phase or an earlier phase commits, so a stop request ends only phases that have a stop function. */
    bool committed : 1;
    bool expired : 1; /* the timer has fired in this phase */
    /* The operation's time limit was reached, so the operation waits for its undo only until leave_at. */
    bool leaves : 1;
    /* The operation has completed for the application, and its undo continues in the background. */
    bool left : 1;
    /* `left` is true, and the context is closing. So the undo has a short time limit. */
    bool hurried : 1;
    bool persists : 1; /* the present undo continues in the background after its limit */
} libxl__phase_position;

/* Points at which a test can make a phase fail, stop its operation, or end the process. */
typedef enum libxl__phase_moment {
    LIBXL__PHASE_BEFORE_START,
    LIBXL__PHASE_WAITING, /* the phase's start function has returned LIBXL__AO_WAIT */
    LIBXL__PHASE_BEFORE_UNDO,
} libxl__phase_moment;
/*
 * A test's function, which is called at each moment, with the context locked. Returns 0, or the error with
 * which the phase or the undo must fail.
 */
typedef int libxl__phase_hook(libxl__ao *ao, libxl__phase_moment moment, void *user);

/*
 * Reserves the memory for the operation's timer, if a phase has a time limit. Afterwards libxl__phases_run
 * cannot fail for lack of memory for the timer. A call is optional, because libxl__phases_run reserves the
 * memory, too. Call it with the context locked. Errors: NOMEM.
 */
int libxl__phases_reserve(libxl__ao *ao);

/*
 * Runs the phases until the operation must wait or ends. Called with the context locked, when the operation
 * starts and each time one of its sources has fired. Returns LIBXL__AO_WAIT or the operation's result. Must
 * not be called after it has returned the result.
 */
int libxl__phases_run(libxl__ao *ao);

/*
 * For poll and undo functions: restarts the time limit that applies now (of the phase, of its stop or of its
 * undo). Call it with the context locked.
 */
void libxl__phase_extend(libxl__ao *ao);

/*
 * For undo functions: after undo_ms, the operation completes for the application, and this undo goes on in the
 * background without a limit until it ends or the context closes. Then the earlier undos run. Has no effect in a
 * nested operation. Call it with the context locked.
 */
void libxl__phase_persist(libxl__ao *ao);

/* Returns the phase that the operation is in. Call it with the context locked. */
const libxl__phase *libxl__phase_of(const libxl__ao *ao);

/*
 * For tests. Calls `hook` at each libxl__phase_moment of each operation of the context. NULL removes the
 * hook. Call unlocked.
 */
void libxl__ctx_set_phase_hook(libxl_ctx *ctx, libxl__phase_hook *hook, void *user);

#endif
