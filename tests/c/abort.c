/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stopping operations by libxl_ao_abort() and by a time limit. The tests check what each stopped operation
 * leaves behind. An abort and a limit name an operation by its `how`, so most tests are asynchronous.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

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

/* Checks that the domain runs, and that it can be paused and unpaused. */
static void assert_untouched(scene *s, libxl_domid domid)
{
    libxl_dominfo info;
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_false(info.shutdown || info.dying || info.paused);
    assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
}

/* ---- the results of libxl_ao_abort */

static void abort_has_three_results(scene *s)
{
    libxl_domid domid = guest(s, "b", true), gone;
    op *o = START(s, libxl_domain_find, s->ctx, "nobody", &gone, how);
    assert_int_equal(op_result(o), ERROR_NOTFOUND);
    assert_int_equal(abort_op(s, o), ERROR_NOTFOUND); /* The operation has completed. */

    op *never = op_begin(s);
    assert_int_equal(abort_op(s, never), ERROR_NOTFOUND); /* The operation was never started. */

    o = start_waiting(s, domid);
    assert_int_equal(abort_op(s, o), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    assert_int_equal(abort_op(s, o), ERROR_NOTFOUND);
    destroy(s, domid);
}

/* Withdrawing the shutdown request takes time, so the test can abort the operation a second time. */
static void a_second_abort_is_reported(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    wait_node(s, domid, "control/shutdown", "poweroff");
    assert_int_equal(abort_op(s, o), 0);
    int again = abort_op(s, o);
    /* With several threads, another thread may have completed the operation. */
    assert_true(again == ERROR_ABORTED || (s->way.several && again == ERROR_NOTFOUND));
    assert_int_equal(op_result(o), ERROR_ABORTED);
    destroy(s, domid);
}

/* libxl_ao_abort() does not find an operation that completes by an event if the `how` has a callback, or the
 * reverse. */
static void abort_distinguishes_callback_and_event(scene *s)
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

/* ---- the effect of an abort, operation by operation */

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
        int aborted = abort_op(s, o), rc = op_result(o);
        if (rc == 0)
            destroy(s, domid); /* The creation completed before the abort. */
        assert_int_equal(aborted, rc ? 0 : ERROR_NOTFOUND);
        assert_int_equal(rc, rc ? ERROR_ABORTED : 0);
    }
}

/*
 * The test starts more operations than the limit of open transactions, so some shutdown requests have not
 * been sent yet. The withdrawal of one request empties the node control/shutdown. The other operations cannot
 * distinguish the empty node from the guest's acknowledgement.
 */
static void queued_shutdowns_that_are_aborted_leave_no_request(scene *s)
{
    enum { MANY = 40 };
    libxl_domid domid = guest(s, "b", true);
    op *ops[MANY];
    for (int i = 0; i < MANY; i++)
        ops[i] = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    for (int i = MANY; i--;)
        abort_op(s, ops[i]);
    int aborted = 0;
    for (int i = 0; i < MANY; i++) {
        const int rc = op_result(ops[i]);
        assert_true(rc == 0 || rc == ERROR_ABORTED);
        aborted += rc == ERROR_ABORTED;
    }
    assert_true(aborted > 0);
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
    int aborted = abort_op(s, o), rc = op_result(o);
    /* If the test has several threads, another thread may have completed the operation. */
    if (rc != 0 || !s->way.several)
        assert_int_equal(aborted, 0);
    /* The result is 0 if the domain was already gone when the test aborted the operation. */
    assert_true(rc == ERROR_ABORTED || rc == 0);
    assert_int_equal(RUN(s, libxl_domain_wait_gone(s->ctx, domid, how)), 0);
    /* The destruction goes on in the background, and also removes the domain's nodes. */
    wait_node(s, domid, "name", NULL);
}

static void an_aborted_query_has_no_effect(scene *s)
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
        int aborted = abort_op(s, ops[i]), rc = op_result(ops[i]);
        bool completed = i >= 2 && rc == 0; /* xenstored answered before the abort. */
        assert_int_equal(aborted, completed ? ERROR_NOTFOUND : 0);
        assert_int_equal(rc, completed ? 0 : ERROR_ABORTED);
    }
    free(name);
    assert_untouched(s, domid);
    destroy(s, domid);
}

/* ---- time limits */

static void a_limit_ends_a_shutdown_that_the_guest_ignores(scene *s)
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
    assert_int_equal(limit_op(s, o, 250), 0);
    assert_int_equal(limit_op(s, o, 0), 0);
    pump_for(s, 300);
    assert_false(op_done(o));
    assert_int_equal(limit_op(s, o, 60000), 0);
    assert_int_equal(limit_op(s, o, 20), 0);
    assert_int_equal(op_result(o), ERROR_TIMEDOUT);
    assert_int_equal(limit_op(s, o, 20), ERROR_NOTFOUND);
    destroy(s, domid);
}

static void the_first_reason_to_stop_is_the_result(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    /* A shutdown that is aborted withdraws its request before it completes. */
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    wait_node(s, domid, "control/shutdown", "poweroff");
    assert_int_equal(limit_op(s, o, 1), 0);
    sleep_ms(20);
    assert_int_equal(libxl_ctx_process(s->ctx), 0); /* The context processes the time limit. */
    int aborted = abort_op(s, o);
    assert_true(aborted == ERROR_ABORTED || aborted == ERROR_NOTFOUND);
    assert_int_equal(op_result(o), ERROR_TIMEDOUT);
    destroy(s, domid);
}

static void a_limit_that_is_not_reached_changes_nothing(scene *s)
{
    char *name = NULL;
    op *o = START(s, libxl_domain_get_name, s->ctx, 0, &name, how);
    int aborted = limit_op(s, o, 60000);
    /* With several threads, another thread may have completed the operation. */
    assert_true(aborted == 0 || (s->way.several && aborted == ERROR_NOTFOUND));
    assert_int_equal(op_result(o), 0);
    assert_string_equal(name, "Domain-0");
    free(name);
}

/* ---- messages */

static void set_old_message(scene *s)
{
    libxl_domid found;
    assert_int_equal(libxl_domain_find(s->ctx, "", &found, NULL), ERROR_INVAL);
    assert_string_equal(libxl_error_message(), "name: empty (domain_find '', phase search)");
}

#define ASSERT_MESSAGE(s, call, rc, words)                                                                   \
    (set_old_message(s), assert_int_equal(call, rc), assert_string_equal(libxl_error_message(), words))

static void each_error_has_its_own_message(scene *s)
{
    const libxl_asyncop_how never = {.u.for_event = new_user()};
    const struct timeval now = {0};
    int no_room = 0, timeout = -1;
    libxl_event *event;
    ASSERT_MESSAGE(s, libxl_ao_abort(s->ctx, &never), ERROR_NOTFOUND,
                   "no operation in progress was started with this `how` (libxl_ao_abort)");
    ASSERT_MESSAGE(s, libxl_ao_set_limit(s->ctx, &never, 1), ERROR_NOTFOUND,
                   "no operation in progress was started with this `how` (libxl_ao_set_limit)");
    ASSERT_MESSAGE(s, libxl_event_check(s->ctx, &event, 0, NULL, NULL), ERROR_NOT_READY,
                   "no such event is queued");
    ASSERT_MESSAGE(s, libxl_event_wait_limit(s->ctx, &event, 0, NULL, NULL, 1), ERROR_TIMEDOUT,
                   "no such event within 1 ms");
    ASSERT_MESSAGE(s, libxl_osevent_beforepoll(s->ctx, &no_room, NULL, &timeout, now), ERROR_BUFFERFULL,
                   "nfds_io: 0 is less than 1");
    ASSERT_MESSAGE(s, libxl_childproc_reaped(s->ctx, 1, 0), ERROR_UNKNOWN_CHILD,
                   "pid: 1 is no child of the library");
}

static void a_missing_argument_is_named(scene *s)
{
    libxl_ctx *ctx = s->ctx;
    const libxl_ev_user user = new_user();
    ASSERT_MESSAGE(s, libxl_event_check(ctx, NULL, 0, NULL, NULL), ERROR_INVAL, "event_out: NULL");
    ASSERT_MESSAGE(s, libxl_event_wait(ctx, NULL, 0, NULL, NULL), ERROR_INVAL, "event_out: NULL");
    ASSERT_MESSAGE(s, libxl_event_wait_limit(ctx, NULL, 0, NULL, NULL, 1), ERROR_INVAL, "event_out: NULL");
    ASSERT_MESSAGE(s, libxl_event_take(ctx, NULL, 1), ERROR_INVAL, "records: NULL");
    assert_true(libxl_event_take(ctx, NULL, 0) >= 0);
    ASSERT_MESSAGE(s, libxl_evenable_domain_death(ctx, 0, user, NULL), ERROR_INVAL, "evgen_out: NULL");
    ASSERT_MESSAGE(s, libxl_evenable_domain_lifecycle(ctx, 0, user, NULL), ERROR_INVAL, "evgen_out: NULL");
    ASSERT_MESSAGE(s, libxl_evenable_disk_eject(ctx, 0, "xvda", user, NULL), ERROR_INVAL, "evgen_out: NULL");
}

static const body bodies[] = {
    BODY(each_error_has_its_own_message),
    BODY(a_missing_argument_is_named),
    BODY(abort_has_three_results, ASYNCHRONOUS),
    BODY(a_second_abort_is_reported, ASYNCHRONOUS),
    BODY(abort_distinguishes_callback_and_event, ASYNCHRONOUS),
    BODY(an_aborted_creation_leaves_nothing, ASYNCHRONOUS),
    BODY(an_aborted_shutdown_is_withdrawn, ASYNCHRONOUS),
    BODY(queued_shutdowns_that_are_aborted_leave_no_request, ASYNCHRONOUS),
    BODY(an_aborted_destruction_goes_on, ASYNCHRONOUS),
    BODY(an_aborted_query_has_no_effect, ASYNCHRONOUS),
    BODY(a_limit_ends_a_shutdown_that_the_guest_ignores, ASYNCHRONOUS),
    BODY(a_limit_can_be_replaced_and_removed, ASYNCHRONOUS),
    BODY(the_first_reason_to_stop_is_the_result, ASYNCHRONOUS),
    BODY(a_limit_that_is_not_reached_changes_nothing, ASYNCHRONOUS),
};

HARNESS_MAIN(bodies)
