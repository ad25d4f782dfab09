/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver of phases, in the core alone. The tests concern undoing, extending, committing and closing. */
#include "script.h"

#include <stdio.h>

static const int reasons[] = {ERROR_ABORTED, ERROR_TIMEDOUT};

SCRIPT_CLASS(plain, PHASE(a, UNDO(a)), PHASE(b, UNDO(b)), PHASE(c, UNDO(c)));

/* ---- undoing */

static void an_undo_is_awaited(scene *s)
{
    struct script p = {.part[1] = {.undo_waits = true}, .part[2] = {.waits = true, .rc = ERROR_KERNEL}};
    op *o = SCRIPT_START(s, plain, &p);
    script_open(s->ctx, &p, 2);
    script_reach(s, &p, "a+b+c+c.c-");
    for (int i = 0; i < 5; i++)
        script_wake(s->ctx, &p);
    script_reach(s, &p, "a+b+c+c.c-");
    assert_false(op_done(o));
    script_open_undo(s->ctx, &p, 1);
    script_ends(o, &p, ERROR_KERNEL, "a+b+c+c.c-b-a-");
}

SCRIPT_CLASS(undo_limited, PHASE(a, UNDO(a)), PHASE(b, UNDO(b), .undo_ms = 20), PHASE(c));

/* Returns whether the message says that this phase's undo has not ended. */
static bool says_unfinished(const op *o, const char *phase)
{
    char text[64];
    snprintf(text, sizeof(text), "; undoing phase %s has not ended after 20 ms", phase);
    return strstr(o->message, text);
}

static void an_undo_that_takes_too_long_after_a_stop_request_is_not_awaited(scene *s)
{
    for (int r = 0; r < 2; r++) {
        struct script p = {WAITS_IN(2), .part[1] = {.undo_waits = true}};
        op *o = SCRIPT_START(s, undo_limited, &p);
        script_stop(s->ctx, &p, reasons[r]);
        script_ends(o, &p, reasons[r], "a+b+c+a-"); /* Phase a is undone, too. */
        assert_true(says_unfinished(o, "b"));
    }
}

SCRIPT_CLASS(both_limited, PHASE(a, UNDO(a), .undo_ms = 20),
             PHASE(b, UNDO(b), .undo_ms = 20, .limit_ms = 20, .limit_rc = ERROR_GUEST_TIMEDOUT));

static void an_undo_that_takes_too_long_after_a_limit_is_not_awaited(scene *s)
{
    struct script p = {WAITS_IN(1), .part[0] = {.undo_waits = true}};
    op *o = SCRIPT_START(s, both_limited, &p);
    script_ends(o, &p, ERROR_GUEST_TIMEDOUT, "a+b+b-");
    assert_true(says_unfinished(o, "a") && !says_unfinished(o, "b"));
}

static void an_undo_that_takes_too_long_after_an_error_is_not_awaited(scene *s)
{
    struct script p = {.part[1] = {.undo_waits = true},
                       .part[2] = {.waits = true, .rc = ERROR_KERNEL, .message = "first"}};
    op *o = SCRIPT_START(s, undo_limited, &p);
    script_open(s->ctx, &p, 2);
    script_ends(o, &p, ERROR_KERNEL, "a+b+c+c.a-");
    assert_string_equal(o->message,
                        "first (undo_limited 0, phase c); undoing phase b has not ended after 20 ms");
}

static void each_undo_that_takes_too_long_is_named(scene *s)
{
    struct script p = {.part = {{.undo_waits = true}, {.rc = ERROR_KERNEL, .undo_waits = true}}};
    op *o = SCRIPT_START(s, both_limited, &p);
    script_ends(o, &p, ERROR_KERNEL, "a+b+");
    assert_true(says_unfinished(o, "a") && says_unfinished(o, "b"));
}

static void a_request_that_was_carried_out_after_all_succeeds(scene *s)
{
    for (int r = 0; r < 2; r++) {
        struct script p = {WAITS_IN(2), .part[1] = {.undo_waits = true, .undo_rc = LIBXL__AO_CARRIED_OUT}};
        op *o = SCRIPT_START(s, plain, &p);
        script_stop(s->ctx, &p, reasons[r]);
        script_reach(s, &p, "a+b+c+c-");
        script_open_undo(s->ctx, &p, 1);
        script_ends(o, &p, 0, "a+b+c+c-b-"); /* Phase a is not undone. */
        assert_string_equal(o->message, "");
    }
}

/* ---- poll and undo move the deadline */

/* Fails the test unless a call of poll or undo moves the deadline. */
static void check_extends(libxl_ctx *ctx, struct script *p)
{
    libxl__ctx_lock(ctx);
    const uint64_t before = p->ao->phase.timer.deadline;
    libxl__ctx_unlock(ctx);
    sleep_ms(2);
    script_wake(ctx, p);
    for (int i = 0; i < 1000; i++) {
        libxl__ctx_lock(ctx);
        const uint64_t after = p->ao->phase.timer.deadline;
        libxl__ctx_unlock(ctx);
        if (after > before && after - before < LIBXL__SECONDS(60))
            return;
        sleep_ms(2);
    }
    fail_msg("the deadline was not moved");
}

static void a_phase_its_stop_and_its_undo_can_be_extended(scene *s)
{
    SCRIPT_CLASS(extensible, PHASE(a),
                 PHASE(b, UNDO(b), STOP(b), .limit_ms = 60000, .limit_rc = ERROR_GUEST_TIMEDOUT,
                       .stop_ms = 50000, .undo_ms = 40000));
    struct script p = {.part[1] = {.waits = true, .extends = true, .undo_waits = true, .rc = ERROR_KERNEL}};
    op *o = SCRIPT_START(s, extensible, &p);
    check_extends(s->ctx, &p);
    script_stop(s->ctx, &p, ERROR_ABORTED);
    script_reach(s, &p, "a+b+b!");
    check_extends(s->ctx, &p);
    script_open(s->ctx, &p, 1);
    script_reach(s, &p, "a+b+b!b.");
    check_extends(s->ctx, &p);
    script_open_undo(s->ctx, &p, 1);
    script_ends(o, &p, ERROR_ABORTED, "a+b+b!b.b-");
}

/* ---- committing */

SCRIPT_CLASS(committing, PHASE(a, UNDO(a)), PHASE(b, UNDO(b), .commits = true), PHASE(c, UNDO(c)));

static void a_phase_that_commits_goes_on_after_a_stop_request(scene *s)
{
    for (int r = 0; r < 2; r++) {
        struct script p = {WAITS_IN(1), .part[2] = {.waits = true}};
        op *o = SCRIPT_START(s, committing, &p);
        script_stop(s->ctx, &p, reasons[r]);
        script_wake(s->ctx, &p);
        script_reach(s, &p, "a+b+");
        script_open(s->ctx, &p, 1);
        script_reach(s, &p, "a+b+b.c+");
        assert_false(op_done(o));
        script_open(s->ctx, &p, 2);
        script_ends(o, &p, 0, "a+b+b.c+c.");
    }
}

static void a_stop_request_before_the_commit_ends_the_operation(scene *s)
{
    struct script p = {WAITS_IN(0)};
    op *o = SCRIPT_START(s, committing, &p);
    script_stop(s->ctx, &p, ERROR_ABORTED);
    script_ends(o, &p, ERROR_ABORTED, "a+a-");
}

static void an_error_after_the_commit_undoes_nothing(scene *s)
{
    for (int i = 1; i < 3; i++) {
        struct script p = {.polls = 0};
        p.part[i] = (struct part){.waits = true, .rc = ERROR_KERNEL};
        op *o = SCRIPT_START(s, committing, &p);
        script_open(s->ctx, &p, i);
        script_ends(o, &p, ERROR_KERNEL, i == 1 ? "a+b+b." : "a+b+c+c.");
    }
}

SCRIPT_CLASS(committed_stop, PHASE(a), PHASE(b, .commits = true), PHASE(c, STOP(c), .stop_ms = 20));

static void after_the_commit_the_stop_function_is_called(scene *s)
{
    /* The test requests the stop before phase c in one round, and in phase c in the other. */
    for (int before = 0; before < 2; before++) {
        struct script p = {.part[1] = {.waits = before}, .part[2] = {.waits = true, .opens_on_stop = true}};
        op *o = SCRIPT_START(s, committed_stop, &p);
        script_stop(s->ctx, &p, ERROR_ABORTED);
        if (before)
            script_open(s->ctx, &p, 1);
        script_ends(o, &p, 0, before ? "a+b+b.c+c!c." : "a+b+c+c!c.");
    }
}

static void after_the_commit_a_stop_that_takes_too_long_is_not_awaited(scene *s)
{
    for (int before = 0; before < 2; before++) {
        struct script p = {.part[1] = {.waits = before}, .part[2] = {.waits = true}};
        op *o = SCRIPT_START(s, committed_stop, &p);
        script_stop(s->ctx, &p, ERROR_ABORTED);
        if (before)
            script_open(s->ctx, &p, 1);
        script_ends(o, &p, ERROR_ABORTED, before ? "a+b+b.c+c!" : "a+b+c+c!");
    }
}

static void after_the_commit_a_limit_gives_its_own_error(scene *s)
{
    SCRIPT_CLASS(bare, PHASE(a, UNDO(a)),
                 PHASE(b, .commits = true, .limit_ms = 20, .limit_rc = ERROR_GUEST_TIMEDOUT));
    SCRIPT_CLASS(
        stopped, PHASE(a, UNDO(a)),
        PHASE(b, STOP(b), .commits = true, .limit_ms = 20, .limit_rc = ERROR_GUEST_TIMEDOUT, .stop_ms = 20));
    struct script p = {WAITS_IN(1)}, asked = {WAITS_IN(1)}, q = {WAITS_IN(1)};
    script_ends(SCRIPT_START(s, bare, &p), &p, ERROR_GUEST_TIMEDOUT, "a+b+");
    script_ends(SCRIPT_START(s, stopped, &q), &q, ERROR_GUEST_TIMEDOUT, "a+b+b!");
    /* After a stop request, the phase's own limit still ends the phase. The result is the error of
     * the limit. */
    SCRIPT_CLASS(longer, PHASE(a),
                 PHASE(b, .commits = true, .limit_ms = 100, .limit_rc = ERROR_GUEST_TIMEDOUT));
    op *o = SCRIPT_START(s, longer, &asked);
    libxl__ctx_lock(s->ctx);
    if (!asked.ao->phase.expired)
        libxl__ao_request_stop(asked.ao, ERROR_ABORTED);
    libxl__ctx_leave(s->ctx);
    script_ends(o, &asked, ERROR_GUEST_TIMEDOUT, "a+b+");
}

/* ---- closing */

static void closing_ends_an_operation_in_each_state(scene *s)
{
    SCRIPT_CLASS(any, PHASE(a, UNDO(a), .undo_ms = 20), PHASE(b, UNDO(b), STOP(b), .stop_ms = 20),
                 PHASE(c, .commits = true, .limit_ms = 20));
    const struct {
        struct script script;
        /* The reason of a stop request that is made before the context is closed. 0: no request is made. */
        int stop;
        int aborted;
        const char *trace;
    } cases[] = {
        {{WAITS_IN(0)}, 0, 1, "a+a-"},
        {{WAITS_IN(0), .part[0].undo_waits = true}, 0, 1, "a+"},
        {{WAITS_IN(0), .part[0].undo_waits = true}, ERROR_TIMEDOUT, 1, "a+"},
        {{.part[1] = {.waits = true, .opens_on_stop = true}}, 0, 1, "a+b+b!b.b-a-"},
        {{WAITS_IN(1)}, 0, 1, "a+b+b!b-a-"},
        {{WAITS_IN(1)}, ERROR_ABORTED, 1, "a+b+b!b-a-"},
        {{.part[1] = {.rc = ERROR_KERNEL, .undo_waits = true, .undo_open = true}, .part[0].undo_waits = true},
         0,
         0,
         "a+b+b-"},
        {{WAITS_IN(2)}, 0, 0, "a+b+c+"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        libxl_ctx *ctx = core_open();
        struct script p = cases[i].script;
        assert_int_equal(core_start(ctx, &any, 1, &p), ERROR_ASYNC_INPROGRESS);
        if (cases[i].stop)
            script_stop(ctx, &p, cases[i].stop);
        assert_int_equal(libxl__ctx_drain(ctx), 0);
        assert_string_equal(p.trace, cases[i].trace);
        assert_int_equal(ctx->aos.completed, 1);
        assert_int_equal(ctx->aos.aborted, cases[i].aborted);
        assert_int_equal(ctx->timers.count, 0);
        libxl__ctx_destroy(ctx);
    }
    (void)s;
}

static const body bodies[] = {
    BODY(an_undo_is_awaited),
    BODY(an_undo_that_takes_too_long_after_a_stop_request_is_not_awaited),
    BODY(an_undo_that_takes_too_long_after_a_limit_is_not_awaited),
    BODY(an_undo_that_takes_too_long_after_an_error_is_not_awaited),
    BODY(each_undo_that_takes_too_long_is_named),
    BODY(a_request_that_was_carried_out_after_all_succeeds),
    BODY(a_phase_its_stop_and_its_undo_can_be_extended),
    BODY(a_phase_that_commits_goes_on_after_a_stop_request),
    BODY(a_stop_request_before_the_commit_ends_the_operation),
    BODY(an_error_after_the_commit_undoes_nothing),
    BODY(after_the_commit_the_stop_function_is_called),
    BODY(after_the_commit_a_stop_that_takes_too_long_is_not_awaited),
    BODY(after_the_commit_a_limit_gives_its_own_error),
    BODY(closing_ends_an_operation_in_each_state, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
