/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The work for one operation does not grow with the number of operations. No single call does the work of all
 * operations. The tests count steps with libxl__loop.steps, and measure no time. A step is an operation that
 * runs, a follower (src/xen/followed.h) that is notified, a timer that fires, or an element that a search examines.
 */
#include "core.h"

#include <poll.h>

#include "xen.h"

enum {
    FEW = 500,
    TIMES = 8, /* The ratio of the large number of operations to the small number. */
    TURN = 64, /* The number of steps in one turn. */
    /* The greatest number of steps in one call. A call makes one turn for timers, one for followers and
     * one for operations. Searches add further steps. */
    MOST_IN_A_CALL = 8 * TURN,
};

/* ---- operations that end immediately */

struct crowd {
    libxl_ctx *ctx;
    libxl_domid domid;
    int count;
    bool alike; /* true: all operations have the same `how`. */
    uint64_t most_in_a_call;
};

static libxl_asyncop_how how_of(const struct crowd *c, int number)
{
    return (libxl_asyncop_how){.u.for_event = c->alike ? 7 : (uint64_t)number + 1};
}

static void note_call(struct crowd *c, uint64_t before)
{
    const uint64_t steps = c->ctx->loop.steps - before;
    c->most_in_a_call = steps > c->most_in_a_call ? steps : c->most_in_a_call;
}

static void start_all(struct crowd *c)
{
    static libxl_shutdown_reason ignored;
    for (int i = 0; i < c->count; i++) {
        const libxl_asyncop_how how = how_of(c, i);
        const uint64_t before = c->ctx->loop.steps;
        assert_int_equal(libxl_domain_wait_shutdown(c->ctx, c->domid, &ignored, &how),
                         ERROR_ASYNC_INPROGRESS);
        note_call(c, before);
    }
}

/* Takes the completions as an application does. The descriptor must be readable until all completions have
 * been taken. */
static void take_all(struct crowd *c)
{
    struct pollfd fd = {.fd = libxl_ctx_fd(c->ctx), .events = POLLIN};
    libxl_event_record records[TURN];
    for (int taken = 0, got; taken < c->count; taken += got) {
        assert_int_equal(poll(&fd, 1, 50000), 1);
        const uint64_t before = c->ctx->loop.steps;
        got = libxl_event_take(c->ctx, records, TURN);
        assert_true(got >= 0);
        note_call(c, before);
        for (int i = 0; i < got; i++)
            libxl_event_free(c->ctx, records[i].event);
    }
}

typedef void scenario(struct crowd *c);

/* Returns the steps that the scenario takes with `count` operations. */
static uint64_t steps_of(scenario *run, int count, bool alike)
{
    struct crowd c = {.count = count, .alike = alike};
    assert_int_equal(libxl_ctx_alloc(&c.ctx, LIBXL_VERSION, 0, NULL), 0);
    c.domid = guest_new(c.ctx, "b", true);
    c.ctx->loop.turn_steps = TURN;
    const uint64_t before = c.ctx->loop.steps;
    run(&c);
    const uint64_t steps = c.ctx->loop.steps - before;
    c.ctx->loop.turn_steps = 0;
    guest_destroy(c.ctx, c.domid);
    assert_int_equal(libxl_ctx_free(c.ctx), 0);
    if (c.most_in_a_call > MOST_IN_A_CALL)
        fail_msg("%d operations: a call took %lu steps", count, (unsigned long)c.most_in_a_call);
    return steps;
}

static void check(scenario *run, bool alike)
{
    const uint64_t few = steps_of(run, FEW, alike), many = steps_of(run, TIMES * FEW, alike);
    if (many > few * (TIMES + 1))
        fail_msg("%d operations: %lu steps, %d: %lu", FEW, (unsigned long)few, TIMES * FEW,
                 (unsigned long)many);
}

static void stops(struct crowd *c)
{
    start_all(c);
    assert_int_equal(xc_domain_shutdown(libxl__xch(c->ctx), c->domid, SHUTDOWN_poweroff), 0);
    libxl__ctx_lock(c->ctx);
    libxl__domains_look_soon(c->ctx);
    libxl__ctx_leave(c->ctx);
    take_all(c);
}

/* Wakes all operations in one call, as the end of a group of jobs may do. Then ends the operations. */
static void run_together(struct crowd *c)
{
    libxl__ao *ao;
    start_all(c);
    libxl__ctx_lock(c->ctx);
    const uint64_t before = c->ctx->loop.steps;
    TAILQ_FOREACH (ao, &c->ctx->aos.live, live_link)
        libxl__ao_request_stop(ao, ERROR_ABORTED);
    libxl__ctx_leave(c->ctx);
    note_call(c, before);
    take_all(c);
}

static void many_operations_are_runnable(scene *s)
{
    check(run_together, false);
    (void)s;
}

static void one_event_for_many_waiters(scene *s)
{
    check(stops, false);
    check(stops, true);
    (void)s;
}

static void aborts(struct crowd *c, bool newest_first)
{
    start_all(c);
    for (int i = 0; i < c->count; i++) {
        const libxl_asyncop_how how = how_of(c, newest_first ? c->count - 1 - i : i);
        const uint64_t before = c->ctx->loop.steps;
        assert_int_equal(libxl_ao_abort(c->ctx, &how), 0);
        note_call(c, before);
    }
    take_all(c);
}

static void aborts_oldest_first(struct crowd *c)
{
    aborts(c, false);
}

static void aborts_newest_first(struct crowd *c)
{
    aborts(c, true);
}

static void operations_are_found_by_their_how(scene *s)
{
    check(aborts_oldest_first, false);
    check(aborts_newest_first, false);
    check(aborts_oldest_first, true); /* Each abort finds the oldest operation that has not ended. */
    (void)s;
}

static void limits(struct crowd *c)
{
    start_all(c);
    for (int i = 0; i < c->count; i++) {
        const libxl_asyncop_how how = how_of(c, i);
        assert_int_equal(libxl_ao_set_limit(c->ctx, &how, 60000), 0);
    }
    libxl__ctx_lock(c->ctx);
    libxl__timers *timers = &c->ctx->timers;
    /* Now the timers of the operations expire, in the order of their deadlines. */
    for (uint32_t i = 0; i < timers->count; i++)
        if (timers->heap[i]->deadline < libxl__now() + LIBXL__SECONDS(61))
            timers->heap[i]->deadline -= LIBXL__SECONDS(61);
    timers->armed = 0;
    libxl__domains_look_soon(c->ctx); /* This call also makes the descriptor of the timers readable. */
    libxl__ctx_leave(c->ctx);
    take_all(c);
}

static void many_time_limits_expire_together(scene *s)
{
    check(limits, false);
    (void)s;
}

static void watches_for_death(struct crowd *c)
{
    libxl_evgen_domain_lifecycle *evgen;
    for (int i = 0; i < c->count; i++)
        assert_int_equal(libxl_evenable_domain_lifecycle(c->ctx, c->domid, (uint64_t)i, &evgen), 0);
    assert_int_equal(xc_domain_shutdown(libxl__xch(c->ctx), c->domid, SHUTDOWN_poweroff), 0);
    libxl__ctx_lock(c->ctx);
    libxl__domains_look_soon(c->ctx);
    libxl__ctx_leave(c->ctx);
    take_all(c);
}

static void one_event_for_many_generators(scene *s)
{
    check(watches_for_death, false);
    (void)s;
}

static const body bodies[] = {
    BODY(one_event_for_many_waiters, NO_CONTEXT),        BODY(many_operations_are_runnable, NO_CONTEXT),
    BODY(operations_are_found_by_their_how, NO_CONTEXT), BODY(many_time_limits_expire_together, NO_CONTEXT),
    BODY(one_event_for_many_generators, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
