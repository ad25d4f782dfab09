/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end of a QEMU.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "device.h"
#include "host.h"
#include "libxl_internal.h"
#include "qemu.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE LIBXL__SECONDS(10)

static int run_job(libxl__ao *ao, libxl__qemu_end *e, void (*work)(libxl_ctx *, libxl__job *))
{
    e->job.job = (libxl__job){.work = work};
    const int rc = libxl__job_submit(&ao->ctx->host->lane, ao, &e->job.job);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__qemu_end_begin(libxl__ao *ao, libxl__qemu_end *e, uint32_t domid, pid_t pid)
{
    e->step = LIBXL__QEMU_SEARCHED;
    e->job.domid = domid;
    e->job.pid = pid;
    /*
     * As in libxl, QEMU's folder in xenstore is removed before QEMU is ended. If QEMU has ended and the folder is
     * missing, other programs conclude that a toolstack has ended QEMU.
     */
    e->batch = libxl__xs_batch_new(ao, domid);
    if (e->batch) {
        libxl__xs_remove(e->batch, LIBXL__QEMU_NODES_IN, e->server, domid);
        libxl__xs_run_anyway(e->batch, LIBXL__XS_ONE_BY_ONE);
    }
    return run_job(ao, e, libxl__qemu_find);
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
    return run_job(ao, e, libxl__qemu_clean);
}

/* Sends SIGHUP. QEMU then writes its cached data and ends. Other toolstacks send the same signal. */
static int ask(libxl__ao *ao, libxl__qemu_end *e)
{
    if (e->job.fd < 0)
        return sweep(ao, e);
    e->step = LIBXL__QEMU_ENDING;
    e->process.group = e->job.group;
    int rc = libxl__process_follow(ao, &e->process, e->job.fd);
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

bool libxl__qemu_end_leave(libxl__qemu_end *e)
{
    if (e->step != LIBXL__QEMU_SEARCHED)
        return true;
    if (e->job.job.state != LIBXL__JOB_DONE)
        return false;
    if (e->job.fd >= 0)
        close(e->job.fd);
    e->job.fd = -1;
    return true;
}

int libxl__qemu_end_poll(libxl__ao *ao, libxl__qemu_end *e)
{
    if (e->step == LIBXL__QEMU_ENDING)
        return ended(ao, e);
    if (e->job.job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    if (e->batch && !libxl__xs_done(e->batch))
        return LIBXL__AO_WAIT;
    return e->step == LIBXL__QEMU_SEARCHED ? ask(ao, e) : libxl__xs_result(e->batch);
}
