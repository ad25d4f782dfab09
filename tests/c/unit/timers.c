/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timers: in order of deadline, once, whoever starts and stops them meanwhile. */
#include "core.h"

#include <stdlib.h>

enum { MANY = 16000 };

struct ring {
    libxl__timer timer; /* first */
    int rings, again;
    uint64_t deadline;
    struct ring *other; /* to be stopped, or started */
};

static uint64_t last_deadline;
static int rung;

static void rings(libxl_ctx *ctx, libxl__timer *timer)
{
    struct ring *r = (struct ring *)timer;
    assert_int_equal(timer->heap_place, 0); /* it is stopped by now */
    assert_true(r->deadline >= last_deadline);
    last_deadline = r->deadline;
    rung++;
    r->rings++;
    if (r->again-- > 0) {
        assert_int_equal(libxl__timer_start(ctx, timer, 1000, rings), 0);
        r->deadline = timer->deadline;
    }
}

static void start(libxl_ctx *ctx, struct ring *r, uint64_t delay_ns)
{
    assert_int_equal(libxl__timer_start(ctx, &r->timer, delay_ns, rings), 0);
    r->deadline = r->timer.deadline;
}

static libxl_ctx *open_locked(void)
{
    libxl_ctx *ctx = core_open();
    last_deadline = 0;
    rung = 0;
    libxl__ctx_lock(ctx);
    return ctx;
}

static void close_locked(libxl_ctx *ctx)
{
    libxl__ctx_unlock(ctx);
    core_close(ctx);
}

static void sixteen_thousand_ring_in_order(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct ring *timers = calloc(MANY, sizeof(*timers));
    srand(1);
    for (int i = 0; i < MANY; i++) /* ascending, then at random */
        start(ctx, &timers[i], LIBXL__MILLISECONDS(20) + (uint64_t)(i < MANY / 2 ? i : rand() % MANY) * 1000);
    for (int i = 0; i < MANY; i += 3)
        libxl__timer_stop(ctx, &timers[i].timer);
    core_run_for(ctx, 100);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(timers[i].rings, i % 3 ? 1 : 0);
    free(timers);
    close_locked(ctx);
    (void)s;
}

static void equal_deadlines_all_ring(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct ring timers[100] = {{.rings = 0}};
    for (int i = 0; i < 100; i++) {
        start(ctx, &timers[i], 0);
        timers[i].deadline = timers[i].timer.deadline = timers[0].timer.deadline;
    }
    core_run_for(ctx, 10);
    assert_int_equal(rung, 100);
    close_locked(ctx);
    (void)s;
}

static void far_deadlines_do_not_overflow(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct ring far = {.rings = 0}, farther = {.rings = 0}, near = {.rings = 0};
    start(ctx, &farther, UINT64_MAX);
    start(ctx, &far, LIBXL__SECONDS(1000000000));
    core_run_for(ctx, 5);
    assert_int_equal(rung, 0);
    start(ctx, &near, LIBXL__MILLISECONDS(1)); /* nearer than what the timerfd is set to */
    core_run(ctx, &near.rings);
    assert_int_equal(rung, 1);
    libxl__timer_stop(ctx, &far.timer);
    libxl__timer_stop(ctx, &farther.timer);
    close_locked(ctx);
    (void)s;
}

static void a_past_deadline_rings_at_once(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct ring r = {.rings = 0};
    uint64_t began = now_ms();
    start(ctx, &r, 0);
    core_run(ctx, &r.rings);
    assert_in_range(now_ms() - began, 0, 500);
    close_locked(ctx);
    (void)s;
}

static void a_timer_may_start_itself_again(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct ring r = {.again = 1000};
    start(ctx, &r, 0);
    while (r.rings < 1001)
        core_run_for(ctx, 1);
    core_run_for(ctx, 5);
    assert_int_equal(r.rings, 1001);
    close_locked(ctx);
    (void)s;
}

static void stop_other(libxl_ctx *ctx, libxl__timer *timer)
{
    struct ring *r = (struct ring *)timer;
    r->rings++;
    libxl__timer_stop(ctx, &r->other->timer); /* due as well */
    assert_int_equal(libxl__timer_start(ctx, &r->other->other->timer, 0, rings), 0);
}

static void a_callback_may_stop_and_start_others(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct ring third = {.rings = 0}, second = {.other = &third}, first = {.other = &second};
    assert_int_equal(libxl__timer_start(ctx, &first.timer, 0, stop_other), 0);
    start(ctx, &second, 1);
    core_run(ctx, &third.rings);
    core_run_for(ctx, 5);
    assert_int_equal(first.rings, 1);
    assert_int_equal(second.rings, 0);
    assert_int_equal(third.rings, 1);
    close_locked(ctx);
    (void)s;
}

static void a_started_timer_is_moved(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct ring r = {.rings = 0};
    start(ctx, &r, LIBXL__MILLISECONDS(5));
    start(ctx, &r, LIBXL__MILLISECONDS(60));
    assert_int_equal(ctx->timers.count, 1);
    core_run_for(ctx, 30);
    assert_int_equal(r.rings, 0);
    start(ctx, &r, LIBXL__MILLISECONDS(1));
    core_run(ctx, &r.rings);
    libxl__timer_stop(ctx, &r.timer); /* stopped already: nothing happens */
    close_locked(ctx);
    (void)s;
}

/* Below a context: the heap of timers, and what the loop makes of it. */
static const body bodies[] = {
    BODY(sixteen_thousand_ring_in_order, NO_CONTEXT), BODY(equal_deadlines_all_ring, NO_CONTEXT),
    BODY(far_deadlines_do_not_overflow, NO_CONTEXT),  BODY(a_past_deadline_rings_at_once, NO_CONTEXT),
    BODY(a_timer_may_start_itself_again, NO_CONTEXT), BODY(a_callback_may_stop_and_start_others, NO_CONTEXT),
    BODY(a_started_timer_is_moved, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
