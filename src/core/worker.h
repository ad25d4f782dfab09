/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Workers: threads for calls that really block. They are started when needed, bounded in number, gone when
 * idle; they run none of the application's code.
 *
 * Jobs stand in lanes by what they block on, so that a slow one of a kind only holds up its own kind.
 */
#ifndef LIBXL__WORKER_H
#define LIBXL__WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libxl.h>

struct libxl__ao;

typedef enum libxl__lane {
    LIBXL__LANE_XENSTORE, /* round trips to xenstored: in order, one at a time */
    LIBXL__LANE_BUILD,    /* domain builds: processor and memory */
    LIBXL__LANE_DESTROY,  /* destroying domains: the hypervisor's time */
    LIBXL__LANE_COUNT
} libxl__lane;

typedef struct libxl__job libxl__job;

struct libxl__job { /* all zero: idle */
    /* On a worker, not locked: does the work, touches only the job's own data. */
    void (*work)(libxl_ctx *ctx, libxl__job *job);
    /* Locked, on the worker: the operation has been given up meanwhile, or there is none. Frees the job. */
    void (*on_done)(libxl_ctx *ctx, libxl__job *job);
    struct libxl__ao *ao; /* is woken when the work is done */
    enum { LIBXL__JOB_IDLE, LIBXL__JOB_QUEUED, LIBXL__JOB_RUNNING, LIBXL__JOB_DONE } state;
    libxl__lane lane;
    STAILQ_ENTRY(libxl__job) link;
};

STAILQ_HEAD(libxl__jobs, libxl__job);

struct libxl__lane_state {
    libxl_ctx *ctx;
    const char *name;
    uint32_t most_threads;
    struct libxl__jobs queue;
    pthread_cond_t work_to_do;
    uint32_t threads, idle, queued, running;
    uint32_t reserved; /* by operations that will have a job for it */
};

typedef struct libxl__workers {
    struct libxl__lane_state lanes[LIBXL__LANE_COUNT];
    pthread_cond_t thread_gone;
    pthread_t last_gone; /* to be joined: by the next worker that goes, or by the closing thread */
    bool any_gone, closing;
} libxl__workers;

void libxl__workers_open(libxl_ctx *ctx);
/* Ends all workers after the jobs that are queued. Not locked. */
void libxl__workers_close(libxl_ctx *ctx);
/* Locked: jobs and threads. */
void libxl__workers_count(libxl_ctx *ctx, libxl_counters *out);

/*
 * Locked. Has job->work called on a worker, then wakes the operation `ao` (NULL: none). The operation does
 * not complete before the job is done, unless the job has `on_done`: then the operation may leave it behind.
 * Errors: FAIL (no thread can be had), noted in ao, and the job is idle.
 */
int libxl__job_submit(libxl_ctx *ctx, struct libxl__ao *ao, libxl__job *job, libxl__lane lane);

/*
 * Locked. For an operation that must not find, when much has been done, that no thread can be had: from here on the lane
 * has one, and libxl__job_submit does not fail, until it is let go. Errors: FAIL, noted in ao.
 */
int libxl__lane_reserve(struct libxl__ao *ao, libxl__lane lane);
void libxl__lane_release(libxl_ctx *ctx, libxl__lane lane);

/* Locked. Takes back a job that no worker has begun; whether it was so. */
bool libxl__job_withdraw(libxl_ctx *ctx, libxl__job *job);

/* Locked. The operation gives up a job that has `on_done`; in whatever state it is. */
void libxl__job_detach(libxl_ctx *ctx, libxl__job *job);

#endif
