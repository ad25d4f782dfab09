/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The phase driver: what it does with errors, limits and stop requests. tests/model/phases.pml covers all combinations. */
#include "core.h"

#include <stdio.h>

enum { LIMIT_MS = 10, ROOM = 64 };

/* The functions append the calls to `calls`: an upper-case letter for start, u for undo, s for stop. */
struct plan {
    int first, second; /* the results of the starts */
    int undo;          /* the result of the undo of the first phase */
    char calls[ROOM];
};

static struct plan *plan_of(libxl__ao *ao)
{
    return core_user(ao);
}

static void note_call(libxl__ao *ao, const char *name)
{
    struct plan *plan = plan_of(ao);
    const size_t length = strlen(plan->calls);
    snprintf(plan->calls + length, sizeof(plan->calls) - length, "%s", name);
}

static int first_start(libxl__ao *ao, void *state)
{
    (void)state;
    note_call(ao, "A");
    return plan_of(ao)->first;
}

static int second_start(libxl__ao *ao, void *state)
{
    (void)state;
    note_call(ao, "B");
    return plan_of(ao)->second;
}

static int wait_on(libxl__ao *ao, void *state)
{
    (void)ao, (void)state;
    return LIBXL__AO_WAIT;
}

static void stop(libxl__ao *ao, void *state)
{
    (void)state;
    note_call(ao, "s");
}

static int first_undo(libxl__ao *ao, void *state)
{
    (void)state;
    note_call(ao, "uA");
    return plan_of(ao)->undo;
}

static int second_undo(libxl__ao *ao, void *state)
{
    (void)state;
    note_call(ao, "uB");
    return 0;
}

static const libxl__phase undoable[] = {
    {.name = "first", .start = first_start, .poll = wait_on, .undo = first_undo, .undo_ms = LIMIT_MS},
    {.name = "second",
     .start = second_start,
     .poll = wait_on,
     .undo = second_undo,
     .limit_ms = LIMIT_MS,
     .limit_rc = ERROR_GUEST_TIMEDOUT},
};

static const libxl__phase committing[] = {
    {.name = "first",
     .start = first_start,
     .poll = wait_on,
     .stop = stop,
     .undo = first_undo,
     .limit_ms = LIMIT_MS,
     .limit_rc = ERROR_GUEST_TIMEDOUT,
     .stop_ms = LIMIT_MS,
     .commits = true},
    {.name = "second", .start = second_start, .poll = wait_on},
};

#define CLASS(phases_)                                                                                       \
    {                                                                                                        \
        .name = "phases", .phases = (phases_), .args_size = sizeof(void *), .slow = true                     \
    }
static const libxl__phases undoable_phases = {.list = undoable, .count = 2},
                           committing_phases = {.list = committing, .count = 2};
static const libxl__ao_class undoable_class = CLASS(&undoable_phases),
                             committing_class = CLASS(&committing_phases);

static int run_phases(scene *s, struct plan *plan, const libxl__ao_class *cls)
{
    return RUN(s, core_begin(s->ctx, cls, plan, how));
}

static void phases_run_in_order(scene *s)
{
    struct plan plan = {.first = 0};
    assert_int_equal(run_phases(s, &plan, &undoable_class), 0);
    assert_string_equal(plan.calls, "AB");
}

static void a_failing_phase_is_undone_first(scene *s)
{
    struct plan plan = {.second = ERROR_INVAL};
    assert_int_equal(run_phases(s, &plan, &undoable_class), ERROR_INVAL);
    assert_string_equal(plan.calls, "ABuBuA");
}

static void the_limit_of_a_phase_is_its_error(scene *s)
{
    struct plan plan = {.second = LIBXL__AO_WAIT};
    assert_int_equal(run_phases(s, &plan, &undoable_class), ERROR_GUEST_TIMEDOUT);
    assert_string_equal(plan.calls, "ABuBuA");
}

static void a_request_that_was_carried_out_is_a_success(scene *s)
{
    struct plan plan = {.second = ERROR_INVAL, .undo = LIBXL__AO_CARRIED_OUT};
    assert_int_equal(run_phases(s, &plan, &undoable_class), 0);
    assert_string_equal(plan.calls, "ABuBuA");
}

static void the_error_of_an_undo_is_not_the_result(scene *s)
{
    struct plan plan = {.second = ERROR_INVAL, .undo = ERROR_KERNEL};
    assert_int_equal(run_phases(s, &plan, &undoable_class), ERROR_INVAL);
}

/* Its limit calls the stop function, and the stop's limit ends the phase. */
static void the_limit_of_a_committing_phase_is_its_error(scene *s)
{
    struct plan plan = {.first = LIBXL__AO_WAIT};
    assert_int_equal(run_phases(s, &plan, &committing_class), ERROR_GUEST_TIMEDOUT);
    assert_string_equal(plan.calls, "As");
}

static const body bodies[] = {
    BODY(phases_run_in_order),
    BODY(a_failing_phase_is_undone_first),
    BODY(the_limit_of_a_phase_is_its_error),
    BODY(a_request_that_was_carried_out_is_a_success),
    BODY(the_error_of_an_undo_is_not_the_result),
    BODY(the_limit_of_a_committing_phase_is_its_error),
};

HARNESS_MAIN(bodies)
