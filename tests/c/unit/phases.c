/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver of phases, in the core alone. The tests concern order, errors, stop requests, limits and
 * nested operations. */
#include "script.h"

static const int reasons[] = {ERROR_ABORTED, ERROR_TIMEDOUT};

SCRIPT_CLASS(plain, PHASE(a, UNDO(a)), PHASE(b, UNDO(b)), PHASE(c, UNDO(c)));

/* ---- going forward */

static void phases_run_in_order(scene *s)
{
    for (int waiting = 0; waiting < 8; waiting++) {
        struct script p = {.polls = 0};
        char trace[16] = "";
        for (int i = 0; i < 3; i++)
            p.part[i].waits = waiting >> i & 1;
        op *o = SCRIPT_START(s, plain, &p);
        for (int i = 0; i < 3; i++) {
            const char phase[] = {(char)('a' + i), '+', 0}, end[] = {(char)('a' + i), '.', 0};
            strcat(trace, phase);
            if (!p.part[i].waits)
                continue;
            script_reach(s, &p, trace);
            assert_false(op_done(o));
            script_open(s->ctx, &p, i);
            strcat(trace, end);
        }
        script_ends(o, &p, 0, trace);
    }
}

static void a_spurious_wake_changes_nothing(scene *s)
{
    struct script p = {WAITS_IN(1)};
    op *o = SCRIPT_START(s, plain, &p);
    for (int i = 0; i < 20; i++)
        script_wake(s->ctx, &p);
    script_reach(s, &p, "a+b+");
    assert_false(op_done(o));
    script_open(s->ctx, &p, 1);
    script_ends(o, &p, 0, "a+b+b.c+");
}

/* ---- errors */

static void an_error_undoes_this_phase_and_the_earlier_ones_in_reverse(scene *s)
{
    static const char *const traces[2][3] = {{"a+a-", "a+b+b-a-", "a+b+c+c-b-a-"},
                                             {"a+a.a-", "a+b+b.b-a-", "a+b+c+c.c-b-a-"}};
    for (int waits = 0; waits < 2; waits++)
        for (int i = 0; i < 3; i++) {
            struct script p = {.polls = 0};
            p.part[i] = (struct part){.waits = waits, .rc = ERROR_KERNEL};
            op *o = SCRIPT_START(s, plain, &p);
            if (waits)
                script_open(s->ctx, &p, i);
            script_ends(o, &p, ERROR_KERNEL, traces[waits][i]);
            const char expected[] = {'p', 'h', 'a', 's', 'e', ' ', (char)('a' + i), ')', 0};
            assert_non_null(strstr(o->message, expected));
        }
}

static void a_phase_without_undo_is_passed_over(scene *s)
{
    SCRIPT_CLASS(partly, PHASE(a, UNDO(a)), PHASE(b), PHASE(c));
    struct script p = {.part[2] = {.rc = ERROR_KERNEL}};
    assert_int_equal(RUN(s, core_begin(s->ctx, &partly, &p, how)), ERROR_KERNEL);
    assert_string_equal(p.trace, "a+b+c+a-");
}

static void the_first_error_and_its_message_are_reported(scene *s)
{
    struct script p = {.part[1] = {.undo_rc = ERROR_INVAL, .undo_message = "second"},
                       .part[2] = {.waits = true, .rc = ERROR_KERNEL, .message = "first"}};
    op *o = SCRIPT_START(s, plain, &p);
    script_open(s->ctx, &p, 2);
    /* Although an undo fails, the earlier phases are undone. */
    script_ends(o, &p, ERROR_KERNEL, "a+b+c+c.c-b-a-");
    assert_string_equal(o->message, "first (plain 0, phase c)");
}

static void an_undo_that_fails_does_not_hide_a_stop_request(scene *s)
{
    struct script p = {WAITS_IN(2), .part[1] = {.undo_rc = ERROR_INVAL, .undo_message = "second"}};
    op *o = SCRIPT_START(s, plain, &p);
    script_stop(s->ctx, &p, ERROR_ABORTED);
    script_ends(o, &p, ERROR_ABORTED, "a+b+c+c-b-a-");
    assert_string_equal(o->message, "The operation was stopped on request (plain 0, phase c)");
}

/* ---- stop requests */

static void a_stop_request_ends_a_phase_at_once(scene *s)
{
    static const char *const traces[] = {"a+a-", "a+b+b-a-", "a+b+c+c-b-a-"};
    for (int r = 0; r < 2; r++)
        for (int i = 0; i < 3; i++) {
            struct script p = {.polls = 0};
            p.part[i].waits = true;
            op *o = SCRIPT_START(s, plain, &p);
            script_stop(s->ctx, &p, reasons[r]);
            script_ends(o, &p, reasons[r], traces[i]);
            const char expected[] = {'p', 'h', 'a', 's', 'e', ' ', (char)('a' + i), ')', 0};
            assert_non_null(strstr(o->message, r ? "limit was reached" : "stopped on request"));
            assert_non_null(strstr(o->message, expected));
        }
}

SCRIPT_CLASS(stoppable, PHASE(a, UNDO(a)), PHASE(b, UNDO(b), STOP(b)), PHASE(c, UNDO(c), STOP(c)));

static void a_phase_with_a_stop_function_is_awaited(scene *s)
{
    const int results[] = {0, ERROR_KERNEL};
    for (int i = 0; i < 2; i++) {
        struct script p = {.part[1] = {.waits = true, .rc = results[i]}};
        op *o = SCRIPT_START(s, stoppable, &p);
        script_stop(s->ctx, &p, ERROR_ABORTED);
        script_reach(s, &p, "a+b+b!");
        /* The second stop request does not call the stop function again. */
        script_stop(s->ctx, &p, ERROR_TIMEDOUT);
        script_wake(s->ctx, &p);
        script_reach(s, &p, "a+b+b!");
        assert_false(op_done(o));
        script_open(s->ctx, &p, 1);
        script_ends(o, &p, ERROR_ABORTED, "a+b+b!b.b-a-"); /* Phase c does not start. */
        assert_string_equal(o->message, "The operation was stopped on request (stoppable 0, phase b)");
    }
}

static void a_last_phase_that_ends_well_in_spite_of_a_stop_request_succeeds(scene *s)
{
    struct script p = {WAITS_IN(2)};
    op *o = SCRIPT_START(s, stoppable, &p);
    script_stop(s->ctx, &p, ERROR_ABORTED);
    script_reach(s, &p, "a+b+c+c!");
    script_open(s->ctx, &p, 2);
    script_ends(o, &p, 0, "a+b+c+c!c.");
    assert_string_equal(o->message, "");
}

static void a_stop_that_takes_too_long_is_not_awaited(scene *s)
{
    SCRIPT_CLASS(impatient, PHASE(a, UNDO(a)), PHASE(b, UNDO(b), STOP(b), .stop_ms = 20), PHASE(c));
    for (int r = 0; r < 2; r++) {
        struct script p = {WAITS_IN(1)};
        op *o = SCRIPT_START(s, impatient, &p);
        script_stop(s->ctx, &p, reasons[r]);
        script_ends(o, &p, reasons[r], "a+b+b!b-a-");
    }
}

/* ---- the limits of phases */

static void a_phase_that_reaches_its_limit_fails(scene *s)
{
    SCRIPT_CLASS(limited, PHASE(a, UNDO(a)),
                 PHASE(b, UNDO(b), .limit_ms = 20, .limit_rc = ERROR_GUEST_TIMEDOUT), PHASE(c));
    struct script p = {WAITS_IN(1)}, slow = {WAITS_IN(2)};
    op *o = SCRIPT_START(s, limited, &p);
    script_ends(o, &p, ERROR_GUEST_TIMEDOUT, "a+b+b-a-");
    assert_non_null(strstr(o->message, "The phase's time limit of 20 ms was reached (limited 0, phase b)"));
    /* The time limit of a phase no longer applies when the phase has ended. */
    o = SCRIPT_START(s, limited, &slow);
    pump_for(s, 40);
    assert_false(op_done(o));
    script_open(s->ctx, &slow, 2);
    script_ends(o, &slow, 0, "a+b+c+c.");
}

static void a_limit_without_an_error_starts_the_next_phase(scene *s)
{
    SCRIPT_CLASS(goes_on, PHASE(a), PHASE(b, UNDO(b), .limit_ms = 20), PHASE(c));
    struct script p = {WAITS_IN(1)};
    script_ends(SCRIPT_START(s, goes_on, &p), &p, 0, "a+b+c+");
}

static void a_limit_calls_the_stop_function(scene *s)
{
    SCRIPT_CLASS(stops, PHASE(a, UNDO(a)),
                 PHASE(b, UNDO(b), STOP(b), .limit_ms = 20, .limit_rc = ERROR_GUEST_TIMEDOUT), PHASE(c));
    struct script p = {.part[1] = {.waits = true, .opens_on_stop = true}};
    script_ends(SCRIPT_START(s, stops, &p), &p, ERROR_GUEST_TIMEDOUT, "a+b+b!b.b-a-");
}

/* ---- nested operations */

struct parent {
    libxl__nested nested;
    struct script script;
    bool outlives, unused;
    libxl__ao *ao;
};

static int parent_start(libxl__ao *ao, void *state)
{
    struct parent *p = core_user(ao);
    libxl__nested *nested = state;
    libxl__ao *child = libxl__nested_create(ao, nested, &plain);
    p->ao = ao;
    if (!child)
        return ERROR_NOMEM;
    *(void **)libxl__ao_args(child) = &p->script;
    nested->outlives = p->outlives;
    if (!p->unused)
        libxl__nested_start(nested);
    return LIBXL__AO_WAIT;
}

static int parent_poll(libxl__ao *ao, void *state)
{
    const libxl__nested *nested = state;
    (void)ao;
    return nested->done ? nested->rc : LIBXL__AO_WAIT;
}

static const libxl__phase parent_list[] = {{.name = "child", .start = parent_start, .poll = parent_poll}};
static const libxl__phases parent_phases = {parent_list, 1, sizeof(libxl__nested)};
static const libxl__ao_class parent_class = {
    .name = "parent", .phases = &parent_phases, .args_size = sizeof(void *), .slow = true};

static void stop_parent(libxl_ctx *ctx, struct parent *p)
{
    libxl__ctx_lock(ctx);
    libxl__ao_request_stop(p->ao, ERROR_ABORTED);
    libxl__ctx_leave(ctx);
}

static void a_nested_operation_gives_its_result_to_its_parent(scene *s)
{
    const int results[] = {0, ERROR_KERNEL};
    for (int i = 0; i < 2; i++) {
        struct parent p = {.script = {.part[1] = {.waits = true, .rc = results[i], .message = "child's"}}};
        op *o = SCRIPT_START(s, parent_class, &p);
        script_open(s->ctx, &p.script, 1);
        script_ends(o, &p.script, results[i], i ? "a+b+b.b-a-" : "a+b+b.c+");
        if (i)
            assert_int_equal(strncmp(o->message, "child's (", 9), 0);
        else
            assert_string_equal(o->message, "");
    }
}

static void a_parent_that_ends_waits_for_its_nested_operation_to_be_undone(scene *s)
{
    struct parent p = {.script = {WAITS_IN(2), .part[1] = {.undo_waits = true}}};
    op *o = SCRIPT_START(s, parent_class, &p);
    stop_parent(s->ctx, &p);
    script_reach(s, &p.script, "a+b+c+c-");
    assert_false(op_done(o));
    script_open_undo(s->ctx, &p.script, 1);
    script_ends(o, &p.script, ERROR_ABORTED, "a+b+c+c-b-a-");
    assert_non_null(strstr(o->message, "stopped on request ("));
}

static void a_nested_operation_can_outlive_its_parent(scene *s)
{
    struct parent p = {.script = {WAITS_IN(1)}, .outlives = true};
    op *o = SCRIPT_START(s, parent_class, &p);
    stop_parent(s->ctx, &p);
    script_ends(o, &p.script, ERROR_ABORTED, "a+b+");
    script_open(s->ctx, &p.script, 1);
    script_reach(s, &p.script, "a+b+b.c+");
}

static void a_nested_operation_that_was_not_started_is_discarded(scene *s)
{
    struct parent p = {.unused = true};
    op *o = SCRIPT_START(s, parent_class, &p);
    stop_parent(s->ctx, &p);
    script_ends(o, &p.script, ERROR_ABORTED, "");
}

/* ---- the phase hook, which tests use */

static int note_moment(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    char *moments = user, text[3] = {*libxl__phase_of(ao)->name, "swu"[moment], 0};
    strcat(moments, text);
    return moment == LIBXL__PHASE_BEFORE_START && text[0] == 'c' ? ERROR_KERNEL : 0;
}

static void the_hook_is_called_at_each_moment_and_can_fail_a_phase(scene *s)
{
    libxl_ctx *ctx = core_open();
    struct script p = {WAITS_IN(1)};
    char moments[32] = "";
    libxl__ctx_set_phase_hook(ctx, note_moment, moments);
    assert_int_equal(core_start(ctx, &plain, 1, &p), ERROR_ASYNC_INPROGRESS);
    script_open(ctx, &p, 1);
    assert_int_equal(core_result(ctx, NULL), ERROR_KERNEL);
    assert_string_equal(moments, "asbsbwcscubuau");
    assert_string_equal(p.trace, "a+b+b.c-b-a-");
    core_close(ctx);
    (void)s;
}

static const body bodies[] = {
    BODY(phases_run_in_order),
    BODY(a_spurious_wake_changes_nothing),
    BODY(an_error_undoes_this_phase_and_the_earlier_ones_in_reverse),
    BODY(a_phase_without_undo_is_passed_over),
    BODY(the_first_error_and_its_message_are_reported),
    BODY(an_undo_that_fails_does_not_hide_a_stop_request),
    BODY(a_stop_request_ends_a_phase_at_once),
    BODY(a_phase_with_a_stop_function_is_awaited),
    BODY(a_last_phase_that_ends_well_in_spite_of_a_stop_request_succeeds),
    BODY(a_stop_that_takes_too_long_is_not_awaited),
    BODY(a_phase_that_reaches_its_limit_fails),
    BODY(a_limit_without_an_error_starts_the_next_phase),
    BODY(a_limit_calls_the_stop_function),
    BODY(a_nested_operation_gives_its_result_to_its_parent),
    BODY(a_parent_that_ends_waits_for_its_nested_operation_to_be_undone),
    BODY(a_nested_operation_can_outlive_its_parent),
    BODY(a_nested_operation_that_was_not_started_is_discarded),
    BODY(the_hook_is_called_at_each_moment_and_can_fail_a_phase, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
