/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups of nested operations, in the core alone. */
#include "core.h"

#include <stdio.h>

/* ---- an operation with a group; its `user` is a struct whole */

enum { NONE = -1, MOST = 16 };

struct whole {
    uint32_t count, width;
    int failing, failing_too; /* The indices of the two members that fail. Their errors differ. */
    bool holds;               /* true: members with an odd index wait until they are released. */
    bool reserves;            /* true: the group is reserved before its start. */
    libxl__ao *ao;
    /* The number of members that run, the greatest such number so far, and the index of the next member. */
    uint32_t running, most_running, next;
    bool out_of_order, moved;
    uint32_t started, ended, stopped, succeeded;
    bool released[MOST];
};

struct member_args {
    struct whole *whole;
    uint32_t index;
    int rc, waits;
};

static int member_start(libxl__ao *ao, void *state)
{
    const struct member_args *args = libxl__ao_args(ao);
    struct whole *w = args->whole;
    (void)state;
    w->out_of_order |= args->index != w->next;
    w->next++;
    if (++w->running > w->most_running)
        w->most_running = w->running;
    libxl__ao_wake(ao);
    return LIBXL__AO_WAIT;
}

static int member_poll(libxl__ao *ao, void *state)
{
    struct member_args *args = libxl__ao_args(ao);
    struct whole *w = args->whole;
    (void)state;
    if (w->holds && args->index % 2 && !w->released[args->index])
        return LIBXL__AO_WAIT;
    if (args->waits-- > 0) {
        libxl__ao_wake(ao);
        return LIBXL__AO_WAIT;
    }
    w->running--;
    return args->rc == ERROR_KERNEL ? libxl__ao_fail(ao, args->rc, "kernel: bad") : args->rc;
}

static void member_stop(libxl__ao *ao, void *state)
{
    struct member_args *args = libxl__ao_args(ao);
    (void)state;
    args->whole->stopped++;
    args->whole->released[args->index % MOST] = true;
    args->waits = 0;
    args->rc = ERROR_ABORTED;
}

static const libxl__phase member_list[] = {
    {.name = "work", .start = member_start, .poll = member_poll, .stop = member_stop}};
static const libxl__phases member_phases = {member_list, 1, 0};
static const libxl__ao_class member_class = {
    .name = "member", .phases = &member_phases, .args_size = sizeof(struct member_args), .slow = true};

static int fill(const libxl__group *group, uint32_t index, libxl__ao *child)
{
    (void)group;
    struct whole *w = core_user(child->parent);
    struct member_args *args = libxl__ao_args(child);
    *args = (struct member_args){.whole = w, .index = index, .waits = index % 2 ? 3 : 0};
    if ((int)index == w->failing)
        args->rc = ERROR_KERNEL;
    if ((int)index == w->failing_too)
        args->rc = ERROR_INVAL;
    return 0;
}

static int note(struct whole *w, const libxl__group *group, int rc)
{
    w->started = group->started;
    w->ended = group->ended;
    w->succeeded = 0;
    for (uint32_t i = 0; i < group->started; i++)
        w->succeeded += group->members[i].done && !group->members[i].rc;
    return rc;
}

static int whole_start(libxl__ao *ao, void *state)
{
    struct whole *w = core_user(ao);
    libxl__group *group = state;
    w->ao = ao;
    *group = (libxl__group){
        .cls = &member_class, .name = "parts", .fill = fill, .count = w->count, .width = w->width};
    if (w->reserves && libxl__group_reserve(ao, group))
        return ERROR_NOMEM;
    const libxl__nested *members = group->members;
    const int rc = libxl__group_start(ao, group);
    w->moved = w->reserves && members != group->members;
    return note(w, group, rc);
}

static int whole_poll(libxl__ao *ao, void *state)
{
    return note(core_user(ao), state, libxl__group_poll(ao, state));
}

static void whole_stop(libxl__ao *ao, void *state)
{
    (void)ao;
    libxl__group_stop(state);
}

static const libxl__phase whole_list[] = {
    {.name = "parts", .start = whole_start, .poll = whole_poll, .stop = whole_stop}};
static const libxl__phases whole_phases = {whole_list, 1, sizeof(libxl__group)};
static const libxl__ao_class whole_class = {
    .name = "whole", .phases = &whole_phases, .args_size = sizeof(void *), .slow = true};

static int run_whole(scene *s, struct whole *w)
{
    return RUN(s, core_begin(s->ctx, &whole_class, w, how));
}

static void stop_whole(libxl_ctx *ctx, struct whole *w)
{
    libxl__ctx_lock(ctx);
    libxl__ao_request_stop(w->ao, ERROR_ABORTED);
    libxl__ctx_leave(ctx);
}

/* Waits until this many members run. */
static void reach_running(scene *s, const struct whole *w, uint32_t running)
{
    for (uint64_t end = now_ms() + scaled_ms(10000);; pump(s, 5)) {
        libxl__ctx_lock(s->ctx);
        const bool reached = w->running == running;
        libxl__ctx_unlock(s->ctx);
        if (reached)
            return;
        assert_true(now_ms() < end);
    }
}

/* ---- tests */

static void each_member_runs_once_in_the_order_of_the_array(scene *s)
{
    const uint32_t counts[] = {0, 1, 2, 7, 1000};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
        for (uint32_t width = 1; width <= 8; width *= 2) {
            struct whole w = {.count = counts[i], .width = width, .failing = NONE, .failing_too = NONE};
            assert_int_equal(run_whole(s, &w), 0);
            assert_int_equal(w.ended, counts[i]);
            assert_int_equal(w.succeeded, counts[i]);
            assert_int_equal(w.running, 0);
            assert_false(w.out_of_order);
            assert_int_equal(w.most_running, counts[i] < width ? counts[i] : width);
        }
}

static void the_first_error_of_the_members_is_the_result(scene *s)
{
    for (int failing = 0; failing < 4; failing++) {
        struct whole w = {.count = 100, .width = 2, .failing = failing, .failing_too = NONE};
        char message[96];
        snprintf(message, sizeof(message),
                 "parts[%d]: kernel: bad (member 0, phase work) (whole 0, phase parts)", failing);
        op *o = START(s, core_begin, s->ctx, &whole_class, &w, how);
        assert_int_equal(op_result(o), ERROR_KERNEL);
        assert_string_equal(o->message, message);
        /* Two members run at a time. A member with an odd index runs for some more turns than the others. So at
         * most two members after `failing` start before it fails. No member starts after the error. */
        assert_in_range(w.started, failing + 1, failing + 3);
        assert_int_equal(w.ended, w.started);
    }
    /* Member 3 fails right after member 1. */
    struct whole w = {.count = 100, .width = 4, .failing = 1, .failing_too = 3};
    assert_int_equal(run_whole(s, &w), ERROR_KERNEL);
}

static void an_error_stops_the_members_that_run(scene *s)
{
    struct whole w = {.count = 10, .width = 4, .failing = 2, .failing_too = NONE, .holds = true};
    op *o = START(s, core_begin, s->ctx, &whole_class, &w, how);
    assert_int_equal(op_result(o), ERROR_KERNEL);
    assert_string_equal(o->message, "parts[2]: kernel: bad (member 0, phase work) (whole 0, phase parts)");
    assert_in_range(w.stopped, 2, 3); /* Members 1 and 3 are stopped, and also member 4 if it has started. */
    assert_int_equal(w.ended, w.started);
    assert_in_range(w.started, 4, 5);
}

static void a_stop_request_stops_the_members_and_awaits_them(scene *s)
{
    struct whole w = {.count = 10, .width = 2, .failing = NONE, .failing_too = NONE, .holds = true};
    op *o = START(s, core_begin, s->ctx, &whole_class, &w, how);
    reach_running(s, &w, 2); /* Members 1 and 3 wait. Members 0 and 2 end by themselves. */
    stop_whole(s->ctx, &w);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    assert_string_equal(o->message, "The operation was stopped on request (whole 0, phase parts)");
    assert_int_equal(w.running, 0);
    assert_int_equal(w.ended, w.started);
    assert_true(w.started < w.count);
    assert_true(w.stopped > 0);
}

static void the_members_have_their_memory_from_the_reserve(scene *s)
{
    const uint32_t counts[] = {0, 1, 5};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        struct whole w = {
            .count = counts[i], .width = 2, .failing = NONE, .failing_too = NONE, .reserves = true};
        assert_int_equal(run_whole(s, &w), 0);
        assert_int_equal(w.succeeded, counts[i]);
        assert_false(w.moved);
    }
}

static void members_that_succeeded_are_told_from_others(scene *s)
{
    struct whole w = {.count = 6, .width = 1, .failing = 3, .failing_too = NONE};
    assert_int_equal(run_whole(s, &w), ERROR_KERNEL);
    assert_int_equal(w.succeeded, 3);
}

static const body bodies[] = {
    BODY(each_member_runs_once_in_the_order_of_the_array),
    BODY(the_first_error_of_the_members_is_the_result),
    BODY(an_error_stops_the_members_that_run),
    BODY(a_stop_request_stops_the_members_and_awaits_them),
    BODY(the_members_have_their_memory_from_the_reserve),
    BODY(members_that_succeeded_are_told_from_others),
};

HARNESS_MAIN(bodies)
