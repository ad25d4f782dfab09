/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs the phases of an operation. Owns: the operation's position in the list of phases
 * (libxl__phase_position). The context's lock guards the position.
 *
 * The first error is the operation's result. A later failure, for example of an undo function, is logged or
 * added to the message, and does not change the result. If a phase has a limit, the timer is started when the
 * operation starts. Later only the timer's deadline changes, so setting a limit cannot fail.
 */
#include "libxl_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

const libxl__phase *libxl__phase_of(const libxl__ao *ao)
{
    return &ao->cls->phases->list[ao->phase.index];
}

static int call_hook(libxl__ao *ao, libxl__phase_moment moment)
{
    const libxl__aos *aos = &ao->ctx->aos;
    return aos->phase_hook ? aos->phase_hook(ao, moment, aos->phase_hook_user) : 0;
}

/* ---- the time limits of phases */

static void limit_reached(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)ctx;
    libxl__ao *ao = LIBXL__CONTAINER(timer, libxl__ao, phase.timer);
    ao->phase.expired = true;
    /* This call cannot fail, because the timer has just expired, so the heap has room for it. */
    libxl__timer_start(ctx, timer, LIBXL__NEVER, limit_reached);
    libxl__ao_wake(ao);
}

/* Sets the time limit of the present phase, of its stop or of its undo; 0: no limit. */
static void set_limit(libxl__ao *ao, uint32_t milliseconds)
{
    ao->phase.expired = false;
    if (ao->phase.timer.callback)
        libxl__timer_start(ao->ctx, &ao->phase.timer,
                           milliseconds ? LIBXL__MILLISECONDS(milliseconds) : LIBXL__NEVER, limit_reached);
}

static uint32_t undo_limit(const libxl__ao *ao);

void libxl__phase_extend(libxl__ao *ao)
{
    const libxl__phase *phase = libxl__phase_of(ao);
    if (ao->phase.undoing)
        set_limit(ao, undo_limit(ao));
    else
        set_limit(ao, ao->phase.stopping ? phase->stop_ms : phase->limit_ms);
}

int libxl__phases_reserve(libxl__ao *ao)
{
    const libxl__phases *phases = ao->cls->phases;
    for (unsigned i = 0; i < phases->count; i++)
        if (phases->list[i].limit_ms || phases->list[i].stop_ms || phases->list[i].undo_ms)
            return libxl__timer_start(ao->ctx, &ao->phase.timer, LIBXL__NEVER, limit_reached);
    return 0;
}

/* ---- undoing phases */

static uint32_t now_ms(void)
{
    return (uint32_t)(libxl__now() / LIBXL__MILLISECONDS(1));
}

/*
 * Returns the time for which the operation still waits for its undo, in ms. The result is 0 or negative once
 * this time is over.
 */
static int32_t time_to_leave(const libxl__ao *ao)
{
    return (int32_t)(ao->phase.leave_at - now_ms());
}

/* Returns whether an earlier phase has an undo. That undo runs after the present one. */
static bool undoes_more(const libxl__ao *ao)
{
    for (unsigned i = 0; i < ao->phase.index; i++)
        if (ao->cls->phases->list[i].undo)
            return true;
    return false;
}

/* Returns the time that the present undo may take, in ms; 0: no limit. */
static uint32_t undo_limit(const libxl__ao *ao)
{
    const uint32_t limit_ms = libxl__phase_of(ao)->undo_ms;
    if (ao->phase.left && ao->phase.hurried)
        return LIBXL__PHASE_LATE_MS;
    if (ao->phase.left)
        return undoes_more(ao) && !ao->phase.persists ? limit_ms : 0;
    if (!ao->phase.leaves)
        return limit_ms;
    const int32_t time = time_to_leave(ao);
    const uint32_t left_ms = time > 0 ? (uint32_t)time : 1;
    return limit_ms && limit_ms < left_ms ? limit_ms : left_ms;
}

/* Called while an undo runs in the background. If the context is closing, sets a short limit for the undo. */
static void hurry(libxl__ao *ao)
{
    if (!ao->phase.left || ao->phase.hurried || !ao->ctx->closing)
        return;
    ao->phase.hurried = true;
    set_limit(ao, undo_limit(ao));
}

void libxl__phase_persist(libxl__ao *ao)
{
    if (ao->phase.persists || ao->notify_target == LIBXL__AO_PARENT)
        return;
    ao->phase.persists = true;
    if (ao->phase.left)
        set_limit(ao, undo_limit(ao));
}

/*
 * Called when the time limit of the undo has passed. Moves the undo to the background if the operation may
 * complete before its undo. Returns whether the undo goes on.
 */
static bool goes_on(libxl__ao *ao)
{
    const bool late = ao->phase.leaves && time_to_leave(ao) <= 0;
    if (ao->phase.left || !(late || ao->phase.persists))
        return false;
    libxl__ao_fail_also(ao, "undoing phase %s goes on in the background", libxl__phase_of(ao)->name);
    ao->phase.left = libxl__ao_leave(ao);
    if (ao->phase.left)
        set_limit(ao, undo_limit(ao));
    hurry(ao);
    return ao->phase.left;
}

/* Writes a limit to `text`, for example "60 s" or "1500 ms", and returns `text`. */
static const char *limit_words(uint32_t milliseconds, char text[24])
{
    const bool whole = milliseconds % 1000 == 0;
    snprintf(text, 24, "%u %s", whole ? milliseconds / 1000 : milliseconds, whole ? "s" : "ms");
    return text;
}

/*
 * Records the error and the message with which the operation ends. Does nothing if an error is recorded
 * already.
 */
static void note_reason(libxl__ao *ao, int rc)
{
    const libxl__phase *phase = libxl__phase_of(ao);
    const bool limited = ao->phase.expired && rc == phase->limit_rc;
    char text[24];
    if (ao->rc)
        return;
    /*
     * This check is made before the undo, because its message names the present phase, and the undo changes the
     * phase.
     */
    libxl__ao_check_error(ao, rc);
    ao->rc = rc;
    if (rc == ao->stop && rc == ERROR_TIMEDOUT && ao->limit_ms)
        libxl__ao_fail(ao, rc, "The operation's time limit of %s was reached",
                       limit_words(ao->limit_ms, text));
    else if (rc == ao->stop)
        libxl__ao_fail(ao, rc, "%s", libxl__error_words(rc));
    else if (limited)
        libxl__ao_fail(ao, rc, "%s The phase's time limit of %s was reached.", libxl__error_words(rc),
                       limit_words(phase->limit_ms, text));
    else
        libxl__ao_fail(ao, rc, "%s", libxl__error_words(rc));
}

static int call_undo(libxl__ao *ao, const libxl__phase *phase)
{
    int rc = call_hook(ao, LIBXL__PHASE_BEFORE_UNDO);
    if (!rc)
        rc = phase->undo(ao, libxl__ao_state(ao));
    if (rc < 0)
        libxl__ao_log(ao, XTL_ERROR, -1, "%s: undoing phase %s: %s", ao->cls->name, phase->name,
                      libxl__error_words(rc));
    return rc;
}

static void enter_undo(libxl__ao *ao)
{
    ao->phase.persists = false;
    ao->phase.since = libxl__now();
    set_limit(ao, undo_limit(ao));
    if (libxl__phase_of(ao)->undo && ao->phase.started)
        libxl__ao_report_phase(ao);
}

static int undo(libxl__ao *ao)
{
    hurry(ao);
    for (;; ao->phase.index--, ao->phase.started = true, enter_undo(ao)) {
        const libxl__phase *phase = libxl__phase_of(ao);
        const int rc = phase->undo && ao->phase.started ? call_undo(ao, phase) : 0;
        if (rc == LIBXL__AO_CARRIED_OUT) {
            libxl__ao_forget_failure(ao);
            return 0;
        }
        if (rc == LIBXL__AO_WAIT && (!ao->phase.expired || goes_on(ao)))
            return LIBXL__AO_WAIT;
        if (rc == LIBXL__AO_WAIT)
            libxl__ao_fail_also(ao, "undoing phase %s has not ended after %u ms", phase->name,
                                phase->undo_ms);
        if (!ao->phase.index)
            return ao->rc;
    }
}

static int begin_undo(libxl__ao *ao, int rc)
{
    note_reason(ao, rc);
    if (ao->phase.committed)
        return ao->rc;
    ao->phase.undoing = true;
    ao->phase.leaves = ao->stop == ERROR_TIMEDOUT;
    ao->phase.leave_at = now_ms() + LIBXL__PHASE_LATE_MS;
    enter_undo(ao);
    return undo(ao);
}

/* ---- running the phases in order */

static void enter(libxl__ao *ao)
{
    const libxl__phase *phase = libxl__phase_of(ao);
    ao->phase.since = libxl__now();
    ao->phase.started = ao->phase.stopping = false;
    ao->phase.committed |= phase->commits;
    set_limit(ao, phase->limit_ms);
    libxl__ao_log(ao, XTL_DEBUG, -1, "%s: phase %s", ao->cls->name, phase->name);
    libxl__ao_report_phase(ao);
}

static void call_stop(libxl__ao *ao, const libxl__phase *phase)
{
    ao->phase.stopping = true;
    set_limit(ao, phase->stop_ms);
    phase->stop(ao, libxl__ao_state(ao));
}

/*
 * Checks for a stop request and for the end of the phase's time limit. Returns LIBXL__AO_WAIT if the phase
 * goes on, 0 if the next phase must start, or the error with which this phase ends.
 */
static int check_stop(libxl__ao *ao)
{
    const libxl__phase *phase = libxl__phase_of(ao);
    const bool expired = ao->phase.expired;
    /*
     * If the operation has committed, ao->rc is 0. Then the stop request or the limit determines the error.
     */
    if (expired && ao->phase.stopping)
        return ao->rc ? ao->rc : ao->stop ? ao->stop : phase->limit_rc;
    if (expired && !phase->limit_rc)
        return 0;
    /* A committed phase without a stop function ends only by itself or by its limit. */
    const bool stop = ao->stop && !(ao->phase.committed && !phase->stop);
    const int rc = stop ? ao->stop : expired ? phase->limit_rc : 0;
    if (!rc || ao->phase.stopping)
        return LIBXL__AO_WAIT;
    if (!phase->stop)
        return rc;
    if (!ao->phase.committed)
        note_reason(ao, rc);
    call_stop(ao, phase);
    return LIBXL__AO_WAIT;
}

static int call_start(libxl__ao *ao)
{
    const libxl__phase *phase = libxl__phase_of(ao);
    int rc = call_hook(ao, LIBXL__PHASE_BEFORE_START);
    /* `started` is set before the call, because a phase whose start fails is undone, too */
    ao->phase.started = true;
    if (!rc)
        rc = phase->start(ao, libxl__ao_state(ao));
    assert(rc <= 0 || (rc == LIBXL__AO_WAIT && phase->poll));
    if (rc != LIBXL__AO_WAIT)
        return rc;
    const int failure = call_hook(ao, LIBXL__PHASE_WAITING);
    return failure ? failure : LIBXL__AO_WAIT;
}

/*
 * Runs the current phase. A phase that commits is started even after a stop request. Its stop function is
 * then called after its start.
 */
static int run_phase(libxl__ao *ao)
{
    if (!ao->phase.started) {
        if (ao->stop && !ao->phase.committed)
            return ao->stop;
        const int rc = call_start(ao);
        if (rc != LIBXL__AO_WAIT || !ao->stop)
            return rc;
    }
    const int rc = check_stop(ao);
    return rc == LIBXL__AO_WAIT ? libxl__phase_of(ao)->poll(ao, libxl__ao_state(ao)) : rc;
}

static int forward(libxl__ao *ao)
{
    for (;;) {
        const int rc = run_phase(ao);
        if (rc == LIBXL__AO_WAIT)
            return rc;
        if (rc)
            return begin_undo(ao, ao->stop && ao->phase.stopping ? ao->stop : rc);
        if (ao->phase.index + 1 == ao->cls->phases->count) {
            libxl__ao_forget_failure(ao);
            return 0;
        }
        if (ao->rc || (ao->stop && !ao->phase.committed))
            return begin_undo(ao, ao->stop);
        ao->phase.index++;
        enter(ao);
    }
}

int libxl__phases_run(libxl__ao *ao)
{
    if (!ao->phase.since) {
        int rc = libxl__phases_reserve(ao);
        if (rc)
            return rc;
        enter(ao);
    }
    return ao->phase.undoing ? undo(ao) : forward(ao);
}

void libxl__ctx_set_phase_hook(libxl_ctx *ctx, libxl__phase_hook *hook, void *user)
{
    libxl__ctx_lock(ctx);
    ctx->aos.phase_hook = hook;
    ctx->aos.phase_hook_user = user;
    libxl__ctx_unlock(ctx);
}
