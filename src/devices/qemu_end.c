/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The search for the process of a QEMU, and the end of a QEMU.
 *
 * Owns: the job that searches the process, with the pidfd that it opens, until libxl__qemu_search_take. If the
 * operation ends before, the job closes the pidfd. The caller holds the context's lock.
 */
#include "device.h"
#include "host.h"
#include "libxl_internal.h"
#include "qemu.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE LIBXL__SECONDS(10)

static int submit(libxl__ao *ao, libxl__qemu_job *q)
{
    const int rc = libxl__job_submit(&ao->ctx->host->lane, ao, &q->job);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* ---- the search */

static void free_search(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    libxl__qemu_job *q = LIBXL__CONTAINER(job, libxl__qemu_job, job);
    if (q->fd >= 0)
        close(q->fd);
    free(q);
}

static void stop_search(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__qemu_search *search = (libxl__qemu_search *)source;
    libxl__job_detach(&search->job->job);
    search->job = NULL;
}

int libxl__qemu_search_start(libxl__ao *ao, libxl__qemu_search *search, uint32_t domid, pid_t pid)
{
    libxl__source_stop(ao->ctx, &search->source);
    libxl__qemu_job *q = calloc(1, sizeof(*q));
    if (!q)
        return ERROR_NOMEM;
    *q = (libxl__qemu_job){
        .job = {.work = libxl__qemu_find, .on_done = free_search}, .domid = domid, .pid = pid, .fd = -1};
    const int rc = submit(ao, q);
    if (rc != LIBXL__AO_WAIT) {
        free(q);
        return rc;
    }
    search->job = q;
    libxl__source_attach(ao, &search->source, stop_search);
    return rc;
}

int libxl__qemu_search_take(libxl_ctx *ctx, libxl__qemu_search *search)
{
    const int fd = search->job->fd;
    search->job->fd = -1;
    libxl__source_stop(ctx, &search->source);
    return fd;
}

/* ---- the steps */

int libxl__qemu_end_begin(libxl__ao *ao, libxl__qemu_end *e, uint32_t domid, pid_t pid)
{
    /* This structure may have ended another QEMU before. */
    libxl__source_stop(ao->ctx, &e->process.source);
    e->killed = false;
    e->step = LIBXL__QEMU_SEARCHED;
    e->job.domid = domid;
    /*
     * As in libxl, QEMU's folder in xenstore is removed before QEMU is ended. If QEMU has ended and the folder is
     * missing, other programs conclude that a toolstack has ended QEMU.
     */
    e->batch = libxl__xs_batch_new(ao, domid);
    if (e->batch) {
        libxl__xs_remove(e->batch, LIBXL__QEMU_NODES_IN, e->server, domid);
        libxl__xs_run_anyway(e->batch, LIBXL__XS_ONE_BY_ONE);
    }
    return libxl__qemu_search_start(ao, &e->search, domid, pid);
}

static int sweep(libxl__ao *ao, libxl__qemu_end *e)
{
    char path[LIBXL__QEMU_PATH];
    e->step = LIBXL__QEMU_SWEPT;
    if (e->batch)
        libxl__xs_batch_free(e->batch);
    e->batch = libxl__xs_batch_new(ao, e->job.domid);
    if (!e->batch)
        return ERROR_NOMEM;
    libxl__xs_remove(e->batch, LIBXL__QEMU_NODES_IN, e->server, e->job.domid);
    libxl__qemu_pid_path(path, e->server, e->job.domid);
    if (e->server)
        *strrchr(path, '/') = 0; /* the folder has no other node, so the folder is removed */
    libxl__xs_remove(e->batch, "%s", path);
    libxl__xs_run_anyway(e->batch, LIBXL__XS_ONE_BY_ONE);
    e->job.job = (libxl__job){.work = libxl__qemu_clean};
    return submit(ao, &e->job);
}

/* Sends SIGHUP. QEMU then writes its cached data and ends. Other toolstacks send the same signal. */
static int ask(libxl__ao *ao, libxl__qemu_end *e)
{
    e->process.group = e->search.job->group;
    const int fd = libxl__qemu_search_take(ao->ctx, &e->search);
    if (fd < 0)
        return sweep(ao, e);
    e->step = LIBXL__QEMU_ENDING;
    int rc = libxl__process_follow(ao, &e->process, fd);
    if (!rc)
        rc = libxl__alarm_set(ao, &e->patience, PATIENCE);
    if (rc)
        return rc;
    libxl__process_signal(&e->process, SIGHUP);
    return LIBXL__AO_WAIT;
}

static int ended(libxl__ao *ao, libxl__qemu_end *e)
{
    if (!e->process.running)
        return sweep(ao, e);
    if (e->patience.rang && !e->killed) {
        e->killed = true;
        libxl__process_signal(&e->process, SIGKILL);
    }
    return LIBXL__AO_WAIT;
}

int libxl__qemu_end_poll(libxl__ao *ao, libxl__qemu_end *e)
{
    if (e->step == LIBXL__QEMU_ENDING)
        return ended(ao, e);
    if (e->step == LIBXL__QEMU_SEARCHED ? !libxl__qemu_search_done(&e->search)
                                        : e->job.job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    if (e->batch && !libxl__xs_done(e->batch))
        return LIBXL__AO_WAIT;
    return e->step == LIBXL__QEMU_SEARCHED ? ask(ao, e) : libxl__xs_result(e->batch);
}
