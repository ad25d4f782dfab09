/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stopping operations: by libxl_ao_abort and by a time limit, and what each operation leaves behind then. Both
 * name an operation by its `how`, so it is asynchronous.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

enum { COMPLETE = LIBXL_EVENT_TYPE_OPERATION_COMPLETE };

static op *start_waiting(scene *s, libxl_domid domid)
{
    static libxl_shutdown_reason ignored;
    return START(s, libxl_domain_wait_shutdown, s->ctx, domid, &ignored, how);
}

static int abort_op(scene *s, const op *o)
{
    return libxl_ao_abort(s->ctx, &o->how);
}

static int limit_op(scene *s, const op *o, unsigned milliseconds)
{
    return libxl_ao_set_limit(s->ctx, &o->how, milliseconds);
}

/* The domain is as it was: it runs, and can be paused and unpaused. */
static void assert_untouched(scene *s, libxl_domid domid)
{
    libxl_dominfo info;
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_false(info.shutdown || info.dying || info.paused);
    assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
}

/* ---- the three answers */

static void abort_has_three_answers(scene *s)
{
    libxl_domid domid = guest(s, "b", true), gone;
    op *o = START(s, libxl_domain_find, s->ctx, "nobody", &gone, how);
    assert_int_equal(op_result(o), ERROR_NOTFOUND);
    assert_int_equal(abort_op(s, o), ERROR_NOTFOUND); /* it has completed */

    op *never = op_begin(s);
    assert_int_equal(abort_op(s, never), ERROR_NOTFOUND); /* it was never started */

    o = start_waiting(s, domid);
    assert_int_equal(abort_op(s, o), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    assert_int_equal(abort_op(s, o), ERROR_NOTFOUND);
    destroy(s, domid);
}

/* A shutdown has to be withdrawn, so there is time to ask twice. */
static void a_second_abort_is_told_so(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    wait_node(s, domid, "control/shutdown", "poweroff"); /* to be taken back, which takes time */
    assert_int_equal(abort_op(s, o), 0);
    int again = abort_op(s, o);
    assert_true(again == ERROR_ABORTED || (s->way.several && again == ERROR_NOTFOUND)); /* another was fast */
    assert_int_equal(op_result(o), ERROR_ABORTED);
    destroy(s, domid);
}

static void of_several_alike_the_oldest_is_meant(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_domid domids[2] = {guest(s, "b", true), guest(s, "b", true)};
    const libxl_asyncop_how how = {.u.for_event = new_user()};
    for (int i = 0; i < 2; i++)
        assert_int_equal(libxl_domain_wait_shutdown(s->ctx, domids[i], &reason, &how),
                         ERROR_ASYNC_INPROGRESS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(libxl_ao_abort(s->ctx, &how), 0);
        assert_int_equal(next_event(s, domids[i], how.u.for_event, COMPLETE).value, ERROR_ABORTED);
    }
    assert_int_equal(libxl_ao_abort(s->ctx, &how), ERROR_NOTFOUND);
    for (int i = 0; i < 2; i++)
        destroy(s, domids[i]);
}

/* The same number given to a callback and to an event names two operations. */
static void abort_tells_a_callback_from_an_event(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    op *o = start_waiting(s, domid);
    libxl_asyncop_how other = o->how;
    other.callback = o->how.callback ? NULL : (void (*)(libxl_ctx *, int, void *))(uintptr_t)1;
    assert_int_equal(libxl_ao_abort(s->ctx, &other), ERROR_NOTFOUND);
    assert_int_equal(abort_op(s, o), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    destroy(s, domid);
}

/* ---- what an abort leaves, operation by operation */

static void an_aborted_creation_leaves_nothing(scene *s)
{
    const unsigned moments_ms[] = {0, 2, 20};
    for (size_t i = 0; i < sizeof(moments_ms) / sizeof(*moments_ms); i++) {
        libxl_domid domid;
        libxl_domain_config config = guest_config("b");
        op *o = START(s, libxl_domain_create_new, s->ctx, &config, &domid, how, NULL);
        libxl_domain_config_dispose(&config);
        for (uint64_t end = now_ms() + moments_ms[i]; now_ms() < end && !op_done(o);)
            pump(s, (int)(end - now_ms()));
        int asked = abort_op(s, o), rc = op_result(o);
        if (rc == 0)
            destroy(s, domid); /* it was faster */
        assert_int_equal(asked, rc ? 0 : ERROR_NOTFOUND);
        assert_int_equal(rc, rc ? ERROR_ABORTED : 0);
    }
}

/* More than xenstored is asked at a time: some have not been sent yet. */
static void shutdowns_aborted_in_line_leave_no_request(scene *s)
{
    enum { MANY = 40 };
    libxl_domid domid = guest(s, "b", true);
    op *ops[MANY];
    for (int i = 0; i < MANY; i++)
        ops[i] = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    for (int i = MANY; i--;)
        assert_int_equal(abort_op(s, ops[i]), 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(op_result(ops[i]), ERROR_ABORTED);
    char *node = guest_node(domid, "control/shutdown");
    assert_string_equal(node, "");
    free(node);
    destroy(s, domid);
}

static void an_aborted_shutdown_is_withdrawn(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    wait_node(s, domid, "control/shutdown", "poweroff");
    assert_int_equal(abort_op(s, o), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    char *node = guest_node(domid, "control/shutdown");
    assert_string_equal(node, "");
    free(node);
    assert_untouched(s, domid);
    destroy(s, domid);
}

static void an_aborted_destruction_goes_on(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    op *o = START(s, libxl_domain_destroy, s->ctx, domid, how);
    int asked = abort_op(s, o), rc = op_result(o);
    if (rc != 0 || !s->way.several) /* else another was faster */
        assert_int_equal(asked, 0);
    assert_true(rc == ERROR_ABORTED || rc == 0); /* 0: gone already; sim/slow.c has one that takes longer */
    assert_int_equal(RUN(s, libxl_domain_wait_gone(s->ctx, domid, how)), 0);
    wait_node(s, domid, "name", NULL); /* and its nodes go, too, though nobody waits for it */
}

static void an_aborted_look_has_no_effect(scene *s)
{
    char *name = NULL;
    libxl_domid domid = guest(s, "b", true), found;
    op *ops[] = {
        start_waiting(s, domid),
        START(s, libxl_domain_wait_gone, s->ctx, domid, how),
        START(s, libxl_domain_get_name, s->ctx, domid, &name, how),
        START(s, libxl_domain_find, s->ctx, "Domain-0", &found, how),
    };
    for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
        int asked = abort_op(s, ops[i]), rc = op_result(ops[i]);
        bool faster = i >= 2 && rc == 0; /* xenstored has answered already */
        assert_int_equal(asked, faster ? ERROR_NOTFOUND : 0);
        assert_int_equal(rc, faster ? 0 : ERROR_ABORTED);
    }
    free(name);
    assert_untouched(s, domid);
    destroy(s, domid);
}

/* ---- time limits */

static void a_limit_ends_what_a_mute_guest_would_not(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    uint64_t began = now_ms();
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    assert_int_equal(limit_op(s, o, 50), 0);
    assert_int_equal(op_result(o), ERROR_TIMEDOUT);
    assert_in_range(now_ms() - began, 50, 2000);
    assert_untouched(s, domid);
    destroy(s, domid);
}

static void a_limit_can_be_replaced_and_removed(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    op *o = start_waiting(s, domid);
    assert_int_equal(limit_op(s, o, 60), 0);
    assert_int_equal(limit_op(s, o, 0), 0);
    pump_for(s, 80);
    assert_false(op_done(o));
    assert_int_equal(limit_op(s, o, 60000), 0);
    assert_int_equal(limit_op(s, o, 20), 0);
    assert_int_equal(op_result(o), ERROR_TIMEDOUT);
    assert_int_equal(limit_op(s, o, 20), ERROR_NOTFOUND);
    destroy(s, domid);
}

static void what_stopped_it_first_is_told(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how); /* withdraws before it completes */
    wait_node(s, domid, "control/shutdown", "poweroff");
    assert_int_equal(limit_op(s, o, 1), 0);
    sleep_ms(20);
    assert_int_equal(libxl_ctx_process(s->ctx), 0); /* the limit has been reached */
    int asked = abort_op(s, o);
    assert_true(asked == ERROR_ABORTED || asked == ERROR_NOTFOUND);
    assert_int_equal(op_result(o), ERROR_TIMEDOUT);
    destroy(s, domid);
}

static void a_limit_in_time_changes_nothing(scene *s)
{
    char *name = NULL;
    op *o = START(s, libxl_domain_get_name, s->ctx, 0, &name, how);
    int asked = limit_op(s, o, 60000);
    assert_true(asked == 0 || (s->way.several && asked == ERROR_NOTFOUND)); /* another was fast */
    assert_int_equal(op_result(o), 0);
    assert_string_equal(name, "Domain-0");
    free(name);
}

/* ---- and what is said of it */

static void old_words(scene *s)
{
    libxl_domid found;
    assert_int_equal(libxl_domain_find(s->ctx, "", &found, NULL), ERROR_INVAL);
    assert_string_equal(libxl_error_message(), "name: empty");
}

#define ASSERT_SAID(s, call, rc, words)                                                                      \
    (old_words(s), assert_int_equal(call, rc), assert_string_equal(libxl_error_message(), words))
#define ASSERT_DESCRIBED(s, call, rc) ASSERT_SAID(s, call, rc, libxl_error_describe(rc))

static void each_answer_has_words_of_its_own(scene *s)
{
    const libxl_asyncop_how never = {.u.for_event = new_user()};
    const struct timeval now = {0};
    int no_room = 0, timeout = -1;
    libxl_event *event;
    ASSERT_DESCRIBED(s, libxl_ao_abort(s->ctx, &never), ERROR_NOTFOUND);
    ASSERT_DESCRIBED(s, libxl_ao_set_limit(s->ctx, &never, 1), ERROR_NOTFOUND);
    ASSERT_DESCRIBED(s, libxl_event_check(s->ctx, &event, 0, NULL, NULL), ERROR_NOT_READY);
    ASSERT_SAID(s, libxl_event_wait_limit(s->ctx, &event, 0, NULL, NULL, 1), ERROR_TIMEDOUT,
                "no such event within 1 ms");
    ASSERT_DESCRIBED(s, libxl_osevent_beforepoll(s->ctx, &no_room, NULL, &timeout, now), ERROR_BUFFERFULL);
    ASSERT_DESCRIBED(s, libxl_childproc_reaped(s->ctx, 1, 0), ERROR_UNKNOWN_CHILD);
}

static void what_is_not_given_is_named(scene *s)
{
    libxl_ctx *ctx = s->ctx;
    const libxl_ev_user user = new_user();
    ASSERT_SAID(s, libxl_ao_abort(ctx, NULL), ERROR_INVAL, "how: NULL");
    ASSERT_SAID(s, libxl_ao_set_limit(ctx, NULL, 1), ERROR_INVAL, "how: NULL");
    ASSERT_SAID(s, libxl_event_check(ctx, NULL, 0, NULL, NULL), ERROR_INVAL, "event_out: NULL");
    ASSERT_SAID(s, libxl_event_wait(ctx, NULL, 0, NULL, NULL), ERROR_INVAL, "event_out: NULL");
    ASSERT_SAID(s, libxl_event_wait_limit(ctx, NULL, 0, NULL, NULL, 1), ERROR_INVAL, "event_out: NULL");
    ASSERT_SAID(s, libxl_event_take(ctx, NULL, 1), ERROR_INVAL, "records: NULL");
    assert_true(libxl_event_take(ctx, NULL, 0) >= 0);
    ASSERT_SAID(s, libxl_evenable_domain_death(ctx, 0, user, NULL), ERROR_INVAL, "evgen_out: NULL");
    ASSERT_SAID(s, libxl_evenable_domain_lifecycle(ctx, 0, user, NULL), ERROR_INVAL, "evgen_out: NULL");
    ASSERT_SAID(s, libxl_evenable_disk_eject(ctx, 0, "xvda", user, NULL), ERROR_INVAL, "evgen_out: NULL");
}

static const body bodies[] = {
    BODY(each_answer_has_words_of_its_own),
    BODY(what_is_not_given_is_named),
    BODY(abort_has_three_answers, ASYNCHRONOUS),
    BODY(a_second_abort_is_told_so, ASYNCHRONOUS),
    BODY(of_several_alike_the_oldest_is_meant, ASYNCHRONOUS),
    BODY(abort_tells_a_callback_from_an_event, ASYNCHRONOUS),
    BODY(an_aborted_creation_leaves_nothing, ASYNCHRONOUS),
    BODY(an_aborted_shutdown_is_withdrawn, ASYNCHRONOUS),
    BODY(shutdowns_aborted_in_line_leave_no_request, ASYNCHRONOUS),
    BODY(an_aborted_destruction_goes_on, ASYNCHRONOUS),
    BODY(an_aborted_look_has_no_effect, ASYNCHRONOUS),
    BODY(a_limit_ends_what_a_mute_guest_would_not, ASYNCHRONOUS),
    BODY(a_limit_can_be_replaced_and_removed, ASYNCHRONOUS),
    BODY(what_stopped_it_first_is_told, ASYNCHRONOUS),
    BODY(a_limit_in_time_changes_nothing, ASYNCHRONOUS),
};

HARNESS_MAIN(bodies)
