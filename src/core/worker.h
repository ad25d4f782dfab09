/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Workers: threads for calls that block. They never run application code.
 *
 * Jobs are submitted to a lane: a queue with a bounded number of threads. Each user of workers opens a
 * separate lane. So a slow job delays only jobs of the same kind. A lane starts a thread when a job is
 * submitted while no thread is idle. A thread that has been idle for one second ends.
 *
 * "Locked" means that the caller holds the context's lock. Any thread may call these functions, unless the comment says
 * otherwise.
 */
#ifndef LIBXL__WORKER_H
#define LIBXL__WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libxl.h>

struct libxl__ao;

typedef struct libxl__job libxl__job;
typedef struct libxl__lane libxl__lane;

/*
 * A job: a call on a worker. Embed it in the structure with the call's data. Zero-initialise it. Then set `work`. If
 * the job may be detached, set `on_done`, too.
 */
struct libxl__job {
    /* Does the work. Called on a worker, unlocked. May use only the job's data. */
    void (*work)(libxl_ctx *ctx, libxl__job *job);
    /*
     * Called with the context locked when a detached job has ended. The caller is the worker or
     * libxl__job_detach. The function may free the job. NULL: the job cannot be detached.
     */
    void (*on_done)(libxl_ctx *ctx, libxl__job *job);
    /* The operation that is woken when the work is done; NULL: no operation waits for the job. */
    struct libxl__ao *ao;
    enum { LIBXL__JOB_IDLE, LIBXL__JOB_QUEUED, LIBXL__JOB_RUNNING, LIBXL__JOB_DONE } state;
    libxl__lane *lane; /* the lane of the job; set by libxl__job_submit */
    TAILQ_ENTRY(libxl__job) link;
};

TAILQ_HEAD(libxl__jobs, libxl__job);

/* A lane. Embed it in its owner's state, which must live until libxl__workers_close. */
struct libxl__lane {
    libxl_ctx *ctx;
    const char *name; /* the name of the lane's threads; a static string */
    uint32_t most_threads;
    struct libxl__jobs queue;
    /* Signalled when a job is queued, and when the context is closing. */
    pthread_cond_t work_to_do;
    /* The numbers of the lane's threads, of its idle threads, of its queued jobs and of its running jobs. */
    uint32_t threads, idle, queued, running;
    /* The number of operations that will submit a job; while it is not 0, at least one thread stays. */
    uint32_t reservations;
    SLIST_ENTRY(libxl__lane) link;
};

typedef struct libxl__workers {
    SLIST_HEAD(, libxl__lane) lanes;
    pthread_cond_t thread_gone; /* this condition is signalled when a thread ends */
    /*
     * The last thread that has ended. The next thread that ends joins it. If no other thread ends,
     * libxl__workers_close joins it.
     */
    pthread_t last_gone;
    bool any_gone, closing;
} libxl__workers;

/* Prepares the empty list of lanes. Called once, while the context is created. */
void libxl__workers_open(libxl_ctx *ctx);
/*
 * Called once, unlocked, while the context is drained. Workers must not call it. Waits until all queued jobs
 * are done. Then ends and joins all threads and closes all lanes.
 */
void libxl__workers_close(libxl_ctx *ctx);
/* Call it with the context locked. Adds the jobs and threads of all lanes to `out`. */
void libxl__workers_count(libxl_ctx *ctx, libxl_counters *out);

/*
 * Opens a lane with at most `most_threads` threads. Call it with the context locked, or before other threads
 * use the context. `name` is the name of the threads: a static string of 15 characters at most. `computes`
 * true: the jobs of the lane use the processor. Such a lane has at most as many threads as the machine has
 * processors. On a machine with one processor it has at most two threads. Cannot fail.
 */
void libxl__lane_open(libxl_ctx *ctx, libxl__lane *lane, const char *name, uint32_t most_threads,
                      bool computes);

/*
 * Call it with the context locked. Queues an idle or finished job. When the job's work is done, the operation
 * `ao` is woken; NULL: no operation is woken. The operation does not complete before the job is done or
 * detached. Returns 0 if the job was queued. Returns FAIL if no thread can be started. The job is then
 * unchanged, and the error is recorded in ao if ao is not NULL.
 */
int libxl__job_submit(libxl__lane *lane, struct libxl__ao *ao, libxl__job *job);

/*
 * Call it with the context locked. Keeps at least one thread in the lane until libxl__lane_release.
 * libxl__job_submit cannot fail while the thread is kept. An operation reserves a thread if it must later
 * submit a job without a failure, for example in an undo. Returns 0, or FAIL if no thread can be started. The
 * error is recorded in ao.
 */
int libxl__lane_reserve(struct libxl__ao *ao, libxl__lane *lane);
/* Call it with the context locked. Ends one successful reservation. */
void libxl__lane_release(libxl__lane *lane);

/*
 * Call it with the context locked. Removes a queued job from its queue. The job is then idle. Returns true if
 * the job was queued, otherwise false.
 */
bool libxl__job_withdraw(libxl__job *job);

/*
 * Call it with the context locked. Separates a submitted job from its operation. The job must have `on_done`.
 * If a worker runs the job, that worker calls `on_done` when the work is done. Otherwise this function
 * removes the job from its queue, and calls `on_done` before it returns.
 */
void libxl__job_detach(libxl__job *job);

#endif
