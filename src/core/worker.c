/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the worker threads and the queues of jobs. Guarded by the context's lock; a worker gives it up only
 * for job->work. A worker that goes joins the one that went before it; closing joins the last.
 */
#include "libxl_internal.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t most_threads;
    bool computes; /* more threads than processors would only be in the loop's way */
} lane_table[LIBXL__LANE_COUNT] = {
    [LIBXL__LANE_XENSTORE] = {"xl-xenstore", 1, false},
    [LIBXL__LANE_BUILD] = {"xl-build", 4, true},
    [LIBXL__LANE_DESTROY] = {"xl-destroy", 16, false},
};

enum { IDLE_SECONDS = 1 };

static void end_job(libxl_ctx *ctx, libxl__job *job)
{
    libxl__ao *ao = job->ao;
    job->state = LIBXL__JOB_DONE;
    job->ao = NULL;
    if (!ao) {
        if (job->on_done)
            job->on_done(ctx, job);
        return;
    }
    if (job->on_done)
        libxl__ao_wake(ao);
    else
        libxl__ao_job_ended(ao);
    libxl__loop_look_again(ctx);
}

/* Waits for work; whether there may be some. */
static bool wait_for_work(libxl_ctx *ctx, struct libxl__lane_state *lane)
{
    if (ctx->workers.closing)
        return false;
    lane->idle++;
    int error = libxl__ctx_sleep(ctx, &lane->work_to_do, libxl__now() + LIBXL__SECONDS(IDLE_SECONDS));
    lane->idle--;
    return error != ETIMEDOUT || !STAILQ_EMPTY(&lane->queue) || (lane->reserved && lane->threads == 1);
}

static void do_jobs(libxl_ctx *ctx, struct libxl__lane_state *lane)
{
    libxl__job *job;
    while ((job = STAILQ_FIRST(&lane->queue))) {
        STAILQ_REMOVE_HEAD(&lane->queue, link);
        lane->queued--;
        lane->running++;
        job->state = LIBXL__JOB_RUNNING;
        libxl__ctx_unlock(ctx);
        job->work(ctx, job);
        libxl__ctx_lock(ctx);
        lane->running--;
        end_job(ctx, job);
    }
}

static void *worker(void *argument)
{
    struct libxl__lane_state *lane = argument;
    libxl_ctx *ctx = lane->ctx;
    pthread_setname_np(pthread_self(), lane->name);
    libxl__ctx_lock(ctx);
    do
        do_jobs(ctx, lane);
    while (wait_for_work(ctx, lane));
    libxl__workers *workers = &ctx->workers;
    bool follows = workers->any_gone;
    pthread_t before = workers->last_gone;
    workers->last_gone = pthread_self();
    workers->any_gone = true;
    lane->threads--;
    pthread_cond_signal(&workers->thread_gone);
    libxl__ctx_unlock(ctx);
    if (follows)
        pthread_join(before, NULL);
    return NULL;
}

/* The application's signals are for its own threads. */
static int start_thread(struct libxl__lane_state *lane)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, NULL, worker, lane);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        lane->threads++;
    return error;
}

static int no_thread(libxl_ctx *ctx, libxl__ao *ao, int error)
{
    errno = error;
    return ao ? libxl__ao_fail(ao, ERROR_FAIL, "starting a worker thread: %s", strerror(error))
              : libxl__log_errno(ctx, ERROR_FAIL, "starting a worker thread");
}

int libxl__lane_reserve(libxl__ao *ao, libxl__lane lane_number)
{
    struct libxl__lane_state *lane = &ao->ctx->workers.lanes[lane_number];
    int error = lane->threads ? 0 : start_thread(lane);
    if (error)
        return no_thread(ao->ctx, ao, error);
    lane->reserved++;
    return 0;
}

void libxl__lane_release(libxl_ctx *ctx, libxl__lane lane_number)
{
    ctx->workers.lanes[lane_number].reserved--;
}

int libxl__job_submit(libxl_ctx *ctx, libxl__ao *ao, libxl__job *job, libxl__lane lane_number)
{
    struct libxl__lane_state *lane = &ctx->workers.lanes[lane_number];
    assert(job->state == LIBXL__JOB_IDLE || job->state == LIBXL__JOB_DONE);
    if (lane->idle > lane->queued) {
        pthread_cond_signal(&lane->work_to_do);
    } else if (lane->threads < lane->most_threads) {
        int error = start_thread(lane);
        if (error && !lane->threads)
            return no_thread(ctx, ao, error);
    }
    job->state = LIBXL__JOB_QUEUED;
    job->lane = lane_number;
    job->ao = ao;
    STAILQ_INSERT_TAIL(&lane->queue, job, link);
    lane->queued++;
    if (ao && !job->on_done)
        ao->jobs++;
    return 0;
}

bool libxl__job_withdraw(libxl_ctx *ctx, libxl__job *job)
{
    if (job->state != LIBXL__JOB_QUEUED)
        return false;
    struct libxl__lane_state *lane = &ctx->workers.lanes[job->lane];
    STAILQ_REMOVE(&lane->queue, job, libxl__job, link);
    lane->queued--;
    job->state = LIBXL__JOB_IDLE;
    libxl__ao *ao = job->ao;
    job->ao = NULL;
    if (ao && !job->on_done)
        libxl__ao_job_ended(ao);
    return true;
}

void libxl__job_detach(libxl_ctx *ctx, libxl__job *job)
{
    assert(job->on_done);
    job->ao = NULL;
    if (job->state == LIBXL__JOB_RUNNING)
        return; /* the worker frees it */
    libxl__job_withdraw(ctx, job);
    job->on_done(ctx, job);
}

/* How many threads that compute: as there are processors for us, but one that waits for once must not hold up all. */
static uint32_t most_computing(void)
{
    cpu_set_t set;
    const int count = sched_getaffinity(0, sizeof(set), &set) ? CPU_SETSIZE : CPU_COUNT(&set);
    return count > 2 ? (uint32_t)count : 2;
}

void libxl__workers_open(libxl_ctx *ctx)
{
    const uint32_t most = most_computing();
    pthread_cond_init(&ctx->workers.thread_gone, NULL);
    for (int i = 0; i < LIBXL__LANE_COUNT; i++) {
        struct libxl__lane_state *lane = &ctx->workers.lanes[i];
        lane->ctx = ctx;
        lane->name = lane_table[i].name;
        lane->most_threads = lane_table[i].most_threads;
        if (lane_table[i].computes && lane->most_threads > most)
            lane->most_threads = most;
        STAILQ_INIT(&lane->queue);
        pthread_cond_init(&lane->work_to_do, NULL);
    }
}

void libxl__workers_close(libxl_ctx *ctx)
{
    libxl__workers *workers = &ctx->workers;
    libxl__ctx_lock(ctx);
    workers->closing = true;
    for (int i = 0; i < LIBXL__LANE_COUNT; i++) {
        pthread_cond_broadcast(&workers->lanes[i].work_to_do);
        while (workers->lanes[i].threads)
            libxl__ctx_sleep(ctx, &workers->thread_gone, 0);
    }
    libxl__ctx_unlock(ctx);
    if (workers->any_gone)
        pthread_join(workers->last_gone, NULL);
    for (int i = 0; i < LIBXL__LANE_COUNT; i++)
        pthread_cond_destroy(&workers->lanes[i].work_to_do);
    pthread_cond_destroy(&workers->thread_gone);
}

void libxl__workers_count(libxl_ctx *ctx, libxl_counters *out)
{
    for (int i = 0; i < LIBXL__LANE_COUNT; i++) {
        const struct libxl__lane_state *lane = &ctx->workers.lanes[i];
        out->jobs += lane->queued + lane->running;
        out->threads += lane->threads;
    }
}
