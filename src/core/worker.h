/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Workers: threads for calls that block. They never run application code.
 *
 * Jobs are submitted to a lane: a queue with a bounded number of threads. Each user of workers opens a lane of its own, so a
 * slow job delays only jobs of its own kind. A lane starts a thread when a job is submitted while no thread is idle. A thread
 * that has been idle for one second ends.
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

/* A job. Embed it in the state that its work needs. Zero-initialise it, then set `work`, and `on_done` if needed. */
struct libxl__job {
    /* Called on a worker, unlocked. Does the work. May access only the job's own data. */
    void (*work)(libxl_ctx *ctx, libxl__job *job);
    /* Called with the context locked when the job has ended and no operation waits for it. The worker or
     * libxl__job_detach calls it. May free the job. NULL: the job cannot be detached. */
    void (*on_done)(libxl_ctx *ctx, libxl__job *job);
    struct libxl__ao *ao; /* the operation that is woken when the work is done; NULL: none */
    enum { LIBXL__JOB_IDLE, LIBXL__JOB_QUEUED, LIBXL__JOB_RUNNING, LIBXL__JOB_DONE } state;
    libxl__lane *lane; /* set by libxl__job_submit */
    TAILQ_ENTRY(libxl__job) link;
};

TAILQ_HEAD(libxl__jobs, libxl__job);

/* A lane. Embed it in its owner's state, which must live until libxl__workers_close. */
struct libxl__lane {
    libxl_ctx *ctx;
    const char *name; /* the name of its threads; static */
    uint32_t most_threads;
    struct libxl__jobs queue;
    pthread_cond_t work_to_do;               /* signalled when a job is queued, and when the context closes */
    uint32_t threads, idle, queued, running; /* all threads; idle threads; queued jobs; running jobs */
    uint32_t reservations; /* operations that will submit a job; one thread stays if this is not 0 */
    SLIST_ENTRY(libxl__lane) link;
};

typedef struct libxl__workers {
    SLIST_HEAD(, libxl__lane) lanes;
    pthread_cond_t thread_gone; /* signalled when a thread ends */
    pthread_t last_gone; /* the last thread that ended; the next thread that ends, or the close, joins it */
    bool any_gone, closing;
} libxl__workers;

/* Called once, while the context is created. */
void libxl__workers_open(libxl_ctx *ctx);
/* Called once, unlocked, while the context is drained. Workers must not call it. Waits until all queued jobs are
 * done, then ends and joins all threads and closes all lanes. */
void libxl__workers_close(libxl_ctx *ctx);
/* Call it with the context locked. Adds the jobs and threads of all lanes to `out`. */
void libxl__workers_count(libxl_ctx *ctx, libxl_counters *out);

/*
 * Call it with the context locked, or before other threads use the context. Opens a lane with at most `most_threads`
 * threads called `name` (15 characters at most; not copied). `computes`: the jobs of the lane use the processor. Such a
 * lane has at most as many threads as there are processors, or two if there is only one processor. Cannot fail.
 */
void libxl__lane_open(libxl_ctx *ctx, libxl__lane *lane, const char *name, uint32_t most_threads,
                      bool computes);

/*
 * Call it with the context locked. Queues an idle or finished job. When the job's work is done, the operation `ao` is
 * woken (NULL: no operation). The operation does not complete before the job is done, unless the job has `on_done`:
 * such a job may be detached. Errors: FAIL (no thread can be started), recorded in ao if ao is not NULL; the job is
 * unchanged then.
 */
int libxl__job_submit(libxl__lane *lane, struct libxl__ao *ao, libxl__job *job);

/*
 * Call it with the context locked. Keeps at least one thread in the lane until libxl__lane_release, so that
 * libxl__job_submit cannot fail. An operation calls this if it must later submit a job without a failure. Errors: FAIL
 * (no thread can be started), recorded in ao.
 */
int libxl__lane_reserve(struct libxl__ao *ao, libxl__lane *lane);
/* Call it with the context locked. Ends one successful reservation. */
void libxl__lane_release(libxl__lane *lane);

/* Call it with the context locked. Removes a queued job from its queue. The job is then idle. Returns false if the
 * job is not queued. */
bool libxl__job_withdraw(libxl__job *job);

/*
 * Call it with the context locked. Separates a submitted job that has `on_done` from its operation. If a worker runs
 * the job, the worker calls `on_done` at its end. Otherwise this function removes the job from its queue if it is
 * queued, and calls `on_done` before it returns.
 */
void libxl__job_detach(libxl__job *job);

#endif
