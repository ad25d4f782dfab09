/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Workers. Each lane has a limited number of workers. Idle workers end. Jobs can be withdrawn
 * and detached. */
#include "core.h"

#include <signal.h>
#include <stdlib.h>

enum { JOBS = 40, HELD = UINT16_MAX };

struct work {
    libxl__job job; /* must be the first member, because callbacks cast the job to struct work */
    unsigned ms;    /* the time that the job takes; HELD: the job ends after `held` has become false */
    int number, ended, on_done;
};

static atomic_int at_once, most_at_once, worked;
static atomic_bool held;
static int order[JOBS + 1];

static void work(libxl_ctx *ctx, libxl__job *job)
{
    struct work *w = (struct work *)job;
    (void)ctx;
    int now = atomic_fetch_add(&at_once, 1) + 1;
    for (int most = most_at_once; now > most && !atomic_compare_exchange_weak(&most_at_once, &most, now);)
        ;
    if (w->ms != HELD)
        sleep_ms(w->ms);
    while (w->ms == HELD && held)
        sleep_ms(1);
    order[atomic_fetch_add(&worked, 1)] = w->number;
    atomic_fetch_sub(&at_once, 1);
}

static void on_done(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    ((struct work *)job)->on_done++;
}

/* The lanes of the test. `single` has one thread, `computing` has a few threads that compute, and `many`
 * has many threads. */
static libxl__lane single, computing, many;

static libxl_ctx *open_with_lanes(void)
{
    libxl_ctx *ctx = core_open();
    libxl__lane_open(ctx, &single, "single", 1, false);
    libxl__lane_open(ctx, &computing, "computing", 4, true);
    libxl__lane_open(ctx, &many, "many", 16, false);
    return ctx;
}

static void begin(struct work *jobs, int count, unsigned ms)
{
    at_once = most_at_once = worked = 0;
    held = ms == HELD;
    for (int i = 0; i < count; i++)
        jobs[i] = (struct work){.job = {.work = work, .on_done = on_done}, .ms = ms, .number = i};
}

static void submit(libxl_ctx *ctx, struct work *jobs, int count, libxl__lane *lane)
{
    libxl__ctx_lock(ctx);
    for (int i = 0; i < count; i++)
        assert_int_equal(libxl__job_submit(lane, NULL, &jobs[i].job), 0);
    libxl__ctx_unlock(ctx);
}

static libxl_counters counters(libxl_ctx *ctx)
{
    libxl_counters now = {.jobs = 0};
    libxl__ctx_lock(ctx);
    libxl__workers_count(ctx, &now);
    libxl__ctx_unlock(ctx);
    return now;
}

static void wait_until_done(libxl_ctx *ctx)
{
    for (uint64_t end = now_ms() + scaled_ms(10000); counters(ctx).jobs; sleep_ms(1))
        assert_true(now_ms() < end);
}

static bool is_done(libxl_ctx *ctx, const struct work *w)
{
    libxl__ctx_lock(ctx);
    bool done = w->job.state == LIBXL__JOB_DONE;
    libxl__ctx_unlock(ctx);
    return done;
}

static void a_lane_of_one_thread_is_in_order(scene *s)
{
    libxl_ctx *ctx = open_with_lanes();
    struct work jobs[JOBS];
    begin(jobs, JOBS, 0);
    submit(ctx, jobs, JOBS, &single);
    wait_until_done(ctx);
    assert_int_equal(most_at_once, 1);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(order[i], i);
        assert_int_equal(jobs[i].on_done, 1); /* No operation owns the job, so on_done is called once. */
        assert_int_equal(jobs[i].job.state, LIBXL__JOB_DONE);
    }
    core_close(ctx);
    (void)s;
}

static void a_computing_lane_is_bounded(scene *s)
{
    libxl_ctx *ctx = open_with_lanes();
    struct work jobs[JOBS];
    begin(jobs, JOBS, 5);
    submit(ctx, jobs, JOBS, &computing);
    wait_until_done(ctx);
    assert_int_equal(worked, JOBS);
    assert_in_range(most_at_once, 2, 4);
    core_close(ctx);
    (void)s;
}

static void a_slow_lane_does_not_delay_others(scene *s)
{
    libxl_ctx *ctx = open_with_lanes();
    struct work slow[JOBS], quick[1];
    begin(slow, JOBS, HELD);
    submit(ctx, slow, JOBS, &computing);
    quick[0] = (struct work){.job = {.work = work, .on_done = on_done}};
    submit(ctx, quick, 1, &single);
    for (uint64_t end = now_ms() + scaled_ms(5000); !is_done(ctx, &quick[0]) && now_ms() < end; sleep_ms(1))
        ;
    assert_true(is_done(ctx, &quick[0]));
    assert_int_equal(counters(ctx).jobs, JOBS);
    held = false;
    core_close(ctx); /* This call waits for all jobs. */
    assert_int_equal(worked, JOBS + 1);
    (void)s;
}

static void a_queued_job_can_be_withdrawn(scene *s)
{
    libxl_ctx *ctx = open_with_lanes();
    struct work jobs[3];
    begin(jobs, 3, HELD);
    submit(ctx, jobs, 3, &single);
    while (!at_once)
        sleep_ms(1);
    libxl__ctx_lock(ctx);
    assert_false(libxl__job_withdraw(&jobs[0].job));
    assert_true(libxl__job_withdraw(&jobs[1].job));
    assert_false(libxl__job_withdraw(&jobs[1].job));
    assert_int_equal(jobs[1].job.state, LIBXL__JOB_IDLE);
    libxl__job_detach(&jobs[2].job); /* The job is queued, so on_done is called now. */
    assert_int_equal(jobs[2].on_done, 1);
    libxl__job_detach(&jobs[0].job); /* The job is running, so the worker calls on_done later. */
    assert_int_equal(jobs[0].on_done, 0);
    libxl__ctx_unlock(ctx);
    held = false;
    wait_until_done(ctx);
    assert_int_equal(worked, 1);
    assert_int_equal(jobs[0].on_done, 1);
    core_close(ctx);
    (void)s;
}

static void idle_threads_end_and_are_started_again(scene *s)
{
    libxl_ctx *ctx = open_with_lanes();
    struct work jobs[4];
    for (int round = 0; round < 2; round++) {
        begin(jobs, 4, 5);
        submit(ctx, jobs, 4, &many);
        assert_true(counters(ctx).threads > 0);
        for (uint64_t end = now_ms() + scaled_ms(5000); counters(ctx).threads && now_ms() < end; sleep_ms(20))
            ;
        assert_int_equal(counters(ctx).threads, 0);
        assert_int_equal(worked, 4);
    }
    core_close(ctx);
    (void)s;
}

static void an_idle_thread_is_reused(scene *s)
{
    libxl_ctx *ctx = open_with_lanes();
    struct work jobs[JOBS];
    begin(jobs, JOBS, 0);
    for (int i = 0; i < JOBS; i++) {
        submit(ctx, &jobs[i], 1, &many);
        wait_until_done(ctx);
    }
    assert_int_equal(worked, JOBS);
    assert_in_range(counters(ctx).threads, 1, 3);
    core_close(ctx);
    (void)s;
}

/* ---- application code does not run on workers */

static int job_body(libxl__ao *ao, void *args)
{
    struct work *w = *(void **)args;
    if (w->job.state == LIBXL__JOB_DONE)
        return 0;
    return libxl__job_submit(&computing, ao, &w->job) ? ERROR_FAIL : LIBXL__AO_WAIT;
}

static void count_open_signals(libxl_ctx *ctx, libxl__job *job)
{
    sigset_t blocked;
    (void)ctx;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    for (int number = 1; number < SIGRTMAX; number++)
        if (number != SIGKILL && number != SIGSTOP && sigismember(&blocked, number) == 0)
            ((struct work *)job)->ended++; /* The worker does not block this signal. */
}

/* The C library reserves signals 32 and 33. */
static void workers_block_all_signals(scene *s)
{
    libxl_ctx *ctx = open_with_lanes();
    struct work w = {.job = {.work = count_open_signals}};
    submit(ctx, &w, 1, &many);
    wait_until_done(ctx);
    assert_in_range(w.ended, 0, 2);
    core_close(ctx);
    (void)s;
}

static int foreign_calls;

static int count_foreign_calls(const libxl_event *event, void *user)
{
    const pthread_t *mine = user;
    (void)event;
    foreign_calls += !pthread_equal(*mine, pthread_self());
    return 1;
}

/* The predicate of a waiting thread must not run on the worker whose job queues the event. */
static void no_application_code_runs_on_a_worker(scene *s)
{
    static const libxl__ao_class with_job = {
        .name = "job", .body = job_body, .args_size = sizeof(void *), .slow = true};
    libxl_ctx *ctx = open_with_lanes();
    pthread_t me = pthread_self();
    libxl_event *event;
    foreign_calls = 0;
    struct work w = {.job = {.work = work}, .ms = 50};
    assert_int_equal(core_start(ctx, &with_job, 1, &w), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, count_foreign_calls, &me), 0);
    libxl_event_free(ctx, event);
    assert_int_equal(foreign_calls, 0);
    core_close(ctx);
    (void)s;
}

static const body bodies[] = {
    BODY(a_lane_of_one_thread_is_in_order, NO_CONTEXT),       BODY(a_computing_lane_is_bounded, NO_CONTEXT),
    BODY(a_slow_lane_does_not_delay_others, NO_CONTEXT),      BODY(a_queued_job_can_be_withdrawn, NO_CONTEXT),
    BODY(idle_threads_end_and_are_started_again, NO_CONTEXT), BODY(an_idle_thread_is_reused, NO_CONTEXT),
    BODY(no_application_code_runs_on_a_worker, NO_CONTEXT),   BODY(workers_block_all_signals, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
