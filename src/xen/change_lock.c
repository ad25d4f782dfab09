/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes and releases the lock that libxl holds while it changes a domain's devices. The lock is a file, and a file call
 * can block. So jobs of a worker make these calls.
 *
 * Owns: each libxl__change_lock_work, with the lock's descriptor, until the lock is released. The operation
 * does not wait for the release. The functions named *_work run on a worker, unlocked. All other functions are
 * called with the context locked.
 */
#include "change_lock.h"
#include "userdata_files.h"
#include "xen.h"

#include <stdlib.h>

enum { LONGEST_PAUSE_MS = 16 };

struct libxl__change_lock_work {
    libxl__job job;
    libxl__userdata_files files;
    int rc; /* the result of the last attempt to take the lock */
    int fd; /* the lock's descriptor; -1: the lock is not held */
};

static void take_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__change_lock_work *w = LIBXL__CONTAINER(job, libxl__change_lock_work, job);
    (void)ctx;
    w->rc = libxl__userdata_try_lock(&w->files, LIBXL__USERDATA_CHANGES_LOCK, &w->fd);
}

static void release_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__change_lock_work *w = LIBXL__CONTAINER(job, libxl__change_lock_work, job);
    (void)ctx;
    libxl__userdata_release(&w->files, LIBXL__USERDATA_CHANGES_LOCK, w->fd);
    w->fd = -1;
}

/* Called when the operation has no more use for the lock and no job runs. Releases the lock, then frees `w`. */
static void finish(libxl_ctx *ctx, libxl__job *job)
{
    libxl__change_lock_work *w = LIBXL__CONTAINER(job, libxl__change_lock_work, job);
    if (w->fd >= 0) {
        job->work = release_work;
        if (!libxl__job_submit(&ctx->xen->userdata_lane, NULL, job))
            return; /* `finish` is called again after the job */
        release_work(ctx, job);
    }
    free(w);
}

static void stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__change_lock *lock = LIBXL__CONTAINER(source, libxl__change_lock, source);
    libxl__job *job = &lock->work->job;
    lock->work = NULL;
    if (job->state == LIBXL__JOB_QUEUED || job->state == LIBXL__JOB_RUNNING)
        libxl__job_detach(job);
    else
        finish(ctx, job);
}

static int attempt(libxl__ao *ao, const libxl__change_lock *lock)
{
    const int rc = libxl__job_submit(&ao->ctx->xen->userdata_lane, ao, &lock->work->job);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int begin(libxl__ao *ao, libxl__change_lock *lock)
{
    libxl__change_lock_work *w = calloc(1, sizeof(*w));
    if (!w)
        return ERROR_NOMEM;
    w->job = (libxl__job){.work = take_work, .on_done = finish};
    if (!lock->of_host)
        w->files = (libxl__userdata_files){.domid = ao->subject.number, .uuid = ao->subject.uuid};
    w->fd = -1;
    lock->work = w;
    lock->pause_ms = 1;
    libxl__source_attach(ao, &lock->source, stop);
    return attempt(ao, lock);
}

int libxl__change_lock_take(libxl__ao *ao, libxl__change_lock *lock)
{
    libxl__change_lock_work *w = lock->work;
    if (!w)
        return begin(ao, lock);
    if (w->job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    if (w->rc != ERROR_LOCK_FAIL)
        return w->rc ? libxl__ao_fail(ao, w->rc, "%s", w->files.why) : 0;
    if (lock->pausing && !lock->alarm.rang)
        return LIBXL__AO_WAIT;
    lock->pausing = !lock->pausing;
    if (!lock->pausing)
        return attempt(ao, lock);
    const int rc = libxl__alarm_set(ao, &lock->alarm, LIBXL__MILLISECONDS(lock->pause_ms));
    lock->pause_ms = lock->pause_ms < LONGEST_PAUSE_MS ? lock->pause_ms * 2 : LONGEST_PAUSE_MS;
    return rc ? rc : LIBXL__AO_WAIT;
}

void libxl__change_lock_leave(libxl_ctx *ctx, libxl__change_lock *lock)
{
    libxl__source_stop(ctx, &lock->source);
}
