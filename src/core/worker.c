/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the worker threads, until libxl__workers_close, and the queues of the lanes. The jobs and the lanes
 * belong to their users. The context's lock guards all of them. A worker releases the lock only while it
 * sleeps or does a job's work.
 *
 * Each thread that ends joins the thread that ended before it. libxl__workers_close joins the last one.
 */
#include "libxl_internal.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

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

/* Sleeps until a job is queued. Returns true if a job is queued, or false if the thread must end. */
static bool wait_for_work(libxl_ctx *ctx, libxl__lane *lane)
{
    if (ctx->workers.closing)
        return false;
    lane->idle++;
    int error = libxl__ctx_sleep(ctx, &lane->work_to_do, libxl__now() + LIBXL__SECONDS(IDLE_SECONDS));
    lane->idle--;
    return error != ETIMEDOUT || !TAILQ_EMPTY(&lane->queue) || (lane->reservations && lane->threads == 1);
}

static void do_jobs(libxl_ctx *ctx, libxl__lane *lane)
{
    libxl__job *job;
    while ((job = TAILQ_FIRST(&lane->queue))) {
        TAILQ_REMOVE(&lane->queue, job, link);
        lane->queued--;
        lane->running++;
        job->state = LIBXL__JOB_RUNNING;
        if (job->ao)
            libxl__log_set_about(job->ao->cls->name, job->ao->subject.number);
        libxl__ctx_unlock(ctx);
        job->work(ctx, job);
        libxl__log_set_about(NULL, UINT32_MAX);
        libxl__ctx_lock(ctx);
        lane->running--;
        end_job(ctx, job);
    }
}

static void *worker(void *argument)
{
    libxl__lane *lane = argument;
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

/*
 * Starts a thread. The thread blocks all signals, so that the application's signal handlers run only on the
 * application's threads. Returns 0 or an errno.
 */
static int start_thread(libxl__lane *lane)
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
    if (ao)
        return libxl__ao_fail(ao, ERROR_FAIL, "starting a worker thread: %s", strerror(error));
    libxl__log(ctx, XTL_ERROR, error, "starting a worker thread");
    return ERROR_FAIL;
}

int libxl__lane_reserve(libxl__ao *ao, libxl__lane *lane)
{
    int error = lane->threads ? 0 : start_thread(lane);
    if (error)
        return no_thread(lane->ctx, ao, error);
    lane->reservations++;
    return 0;
}

void libxl__lane_release(libxl__lane *lane)
{
    lane->reservations--;
}

int libxl__job_submit(libxl__lane *lane, libxl__ao *ao, libxl__job *job)
{
    assert(job->state == LIBXL__JOB_IDLE || job->state == LIBXL__JOB_DONE);
    if (lane->idle > lane->queued) {
        pthread_cond_signal(&lane->work_to_do);
    } else if (lane->threads < lane->most_threads) {
        int error = start_thread(lane);
        if (error && !lane->threads)
            return no_thread(lane->ctx, ao, error);
    }
    job->state = LIBXL__JOB_QUEUED;
    job->lane = lane;
    job->ao = ao;
    TAILQ_INSERT_TAIL(&lane->queue, job, link);
    lane->queued++;
    if (ao && !job->on_done)
        ao->jobs++;
    return 0;
}

bool libxl__job_withdraw(libxl__job *job)
{
    if (job->state != LIBXL__JOB_QUEUED)
        return false;
    libxl__lane *lane = job->lane;
    TAILQ_REMOVE(&lane->queue, job, link);
    lane->queued--;
    job->state = LIBXL__JOB_IDLE;
    libxl__ao *ao = job->ao;
    job->ao = NULL;
    if (ao && !job->on_done)
        libxl__ao_job_ended(ao);
    return true;
}

void libxl__job_detach(libxl__job *job)
{
    libxl_ctx *ctx = job->lane->ctx;
    assert(job->on_done);
    job->ao = NULL;
    if (job->state == LIBXL__JOB_RUNNING)
        return; /* a worker is running the job, and calls on_done when the work is done */
    libxl__job_withdraw(job);
    job->on_done(ctx, job);
}

/*
 * Returns the number of processors that this process may use. Returns at least 2, so that a blocked job does
 * not delay all other jobs.
 */
static uint32_t most_computing(void)
{
    cpu_set_t set;
    const int count = sched_getaffinity(0, sizeof(set), &set) ? CPU_SETSIZE : CPU_COUNT(&set);
    return count > 2 ? (uint32_t)count : 2;
}

void libxl__lane_open(libxl_ctx *ctx, libxl__lane *lane, const char *name, uint32_t most_threads,
                      bool computes)
{
    const uint32_t most = computes ? most_computing() : most_threads;
    *lane =
        (libxl__lane){.ctx = ctx, .name = name, .most_threads = most_threads < most ? most_threads : most};
    TAILQ_INIT(&lane->queue);
    pthread_cond_init(&lane->work_to_do, NULL);
    SLIST_INSERT_HEAD(&ctx->workers.lanes, lane, link);
}

void libxl__workers_open(libxl_ctx *ctx)
{
    SLIST_INIT(&ctx->workers.lanes);
    pthread_cond_init(&ctx->workers.thread_gone, NULL);
}

void libxl__workers_close(libxl_ctx *ctx)
{
    libxl__workers *workers = &ctx->workers;
    libxl__lane *lane;
    libxl__ctx_lock(ctx);
    workers->closing = true;
    SLIST_FOREACH(lane, &workers->lanes, link)
    {
        pthread_cond_broadcast(&lane->work_to_do);
        while (lane->threads)
            libxl__ctx_sleep(ctx, &workers->thread_gone, 0);
    }
    libxl__ctx_unlock(ctx);
    if (workers->any_gone)
        pthread_join(workers->last_gone, NULL);
    while ((lane = SLIST_FIRST(&workers->lanes))) {
        SLIST_REMOVE_HEAD(&workers->lanes, link);
        pthread_cond_destroy(&lane->work_to_do);
    }
    pthread_cond_destroy(&workers->thread_gone);
}

void libxl__workers_count(libxl_ctx *ctx, libxl_counters *out)
{
    const libxl__lane *lane;
    SLIST_FOREACH(lane, &ctx->workers.lanes, link)
    {
        out->jobs += lane->queued + lane->running;
        out->threads += lane->threads;
    }
}
