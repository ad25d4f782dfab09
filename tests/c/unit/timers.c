/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timers fire once and in order of their deadlines. The tests start and stop other timers at the
 * same time. */
#include "core.h"

#include <stdlib.h>

enum { MANY = 16000 };

struct test_timer {
    libxl__timer timer; /* must be the first member, because callbacks cast the timer to struct test_timer */
    int fired, again;
    uint64_t deadline;
    struct test_timer *other; /* The timer that the callback stops. NULL: none. */
};

static uint64_t last_deadline;
static int total;

static void fired(libxl_ctx *ctx, libxl__timer *timer)
{
    struct test_timer *r = (struct test_timer *)timer;
    assert_int_equal(timer->heap_slot, 0); /* the timer has left the heap */
    assert_true(r->deadline >= last_deadline);
    last_deadline = r->deadline;
    total++;
    r->fired++;
    if (r->again-- > 0) {
        assert_int_equal(libxl__timer_start(ctx, timer, 1000, fired), 0);
        r->deadline = timer->deadline;
    }
}

static void start(libxl_ctx *ctx, struct test_timer *r, uint64_t delay_ns)
{
    assert_int_equal(libxl__timer_start(ctx, &r->timer, delay_ns, fired), 0);
    r->deadline = r->timer.deadline;
}

static libxl_ctx *open_locked(void)
{
    libxl_ctx *ctx = core_open();
    last_deadline = 0;
    total = 0;
    libxl__ctx_lock(ctx);
    return ctx;
}

static void close_locked(libxl_ctx *ctx)
{
    libxl__ctx_unlock(ctx);
    core_close(ctx);
}

static void sixteen_thousand_timers_fire_in_order(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct test_timer *timers = calloc(MANY, sizeof(*timers));
    srand(1);
    for (int i = 0; i < MANY; i++) /* Half of the deadlines ascend, and half are random. */
        start(ctx, &timers[i], LIBXL__MILLISECONDS(20) + (uint64_t)(i < MANY / 2 ? i : rand() % MANY) * 1000);
    for (int i = 0; i < MANY; i += 3)
        libxl__timer_stop(ctx, &timers[i].timer);
    core_run_for(ctx, 100);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(timers[i].fired, i % 3 ? 1 : 0);
    free(timers);
    close_locked(ctx);
    (void)s;
}

static void equal_deadlines_all_fire(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct test_timer timers[100] = {{.fired = 0}};
    for (int i = 0; i < 100; i++) {
        start(ctx, &timers[i], 0);
        timers[i].deadline = timers[i].timer.deadline = timers[0].timer.deadline;
    }
    core_run_for(ctx, 10);
    assert_int_equal(total, 100);
    close_locked(ctx);
    (void)s;
}

static void far_deadlines_do_not_overflow(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct test_timer far = {.fired = 0}, farther = {.fired = 0}, near = {.fired = 0};
    start(ctx, &farther, UINT64_MAX);
    start(ctx, &far, LIBXL__SECONDS(1000000000));
    core_run_for(ctx, 5);
    assert_int_equal(total, 0);
    start(ctx, &near, LIBXL__MILLISECONDS(1)); /* The timerfd is set to a later deadline than this one. */
    core_run(ctx, &near.fired);
    assert_int_equal(total, 1);
    libxl__timer_stop(ctx, &far.timer);
    libxl__timer_stop(ctx, &farther.timer);
    close_locked(ctx);
    (void)s;
}

static void a_past_deadline_fires_at_once(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct test_timer r = {.fired = 0};
    uint64_t began = now_ms();
    start(ctx, &r, 0);
    core_run(ctx, &r.fired);
    assert_in_range(now_ms() - began, 0, 500);
    close_locked(ctx);
    (void)s;
}

static void a_timer_may_start_itself_again(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct test_timer r = {.again = 1000};
    start(ctx, &r, 0);
    while (r.fired < 1001)
        core_run_for(ctx, 1);
    core_run_for(ctx, 5);
    assert_int_equal(r.fired, 1001);
    close_locked(ctx);
    (void)s;
}

static void stop_other(libxl_ctx *ctx, libxl__timer *timer)
{
    struct test_timer *r = (struct test_timer *)timer;
    r->fired++;
    libxl__timer_stop(ctx, &r->other->timer); /* The timer that is stopped is also due. */
    assert_int_equal(libxl__timer_start(ctx, &r->other->other->timer, 0, fired), 0);
}

static void a_callback_may_stop_and_start_others(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct test_timer third = {.fired = 0}, second = {.other = &third}, first = {.other = &second};
    assert_int_equal(libxl__timer_start(ctx, &first.timer, 0, stop_other), 0);
    start(ctx, &second, 1);
    core_run(ctx, &third.fired);
    core_run_for(ctx, 5);
    assert_int_equal(first.fired, 1);
    assert_int_equal(second.fired, 0);
    assert_int_equal(third.fired, 1);
    close_locked(ctx);
    (void)s;
}

static void a_started_timer_is_moved(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct test_timer r = {.fired = 0};
    start(ctx, &r, LIBXL__MILLISECONDS(5));
    start(ctx, &r, LIBXL__MILLISECONDS(60));
    assert_int_equal(ctx->timers.count, 1);
    core_run_for(ctx, 30);
    assert_int_equal(r.fired, 0);
    start(ctx, &r, LIBXL__MILLISECONDS(1));
    core_run(ctx, &r.fired);
    libxl__timer_stop(ctx, &r.timer); /* Stopping a stopped timer has no effect. */
    close_locked(ctx);
    (void)s;
}

static const body bodies[] = {
    BODY(sixteen_thousand_timers_fire_in_order, NO_CONTEXT),
    BODY(equal_deadlines_all_fire, NO_CONTEXT),
    BODY(far_deadlines_do_not_overflow, NO_CONTEXT),
    BODY(a_past_deadline_fires_at_once, NO_CONTEXT),
    BODY(a_timer_may_start_itself_again, NO_CONTEXT),
    BODY(a_callback_may_stop_and_start_others, NO_CONTEXT),
    BODY(a_started_timer_is_moved, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
