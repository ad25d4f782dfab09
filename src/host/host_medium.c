/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens the medium of a CD drive, by a job.
 *
 * Owns: each libxl__medium_opener, with its descriptor, until the operation and the job have ended. open_work runs
 * on a worker, unlocked. All other functions are called with the context locked.
 */
#include "host_medium.h"

#include "ao.h"
#include "libxl_internal.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct libxl__medium_opener {
    libxl__job job;
    int fd;       /* the descriptor of the medium; -1: the medium is not open */
    int errnoval; /* the result: 0 or an errno */
    bool odd;     /* the path is not the path of a file or a block device */
    char path[];
};

/* Opens the path. Without O_NONBLOCK, opening a pipe would wait, and opening a drive without a medium would fail. */
static void open_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__medium_opener *at = LIBXL__CONTAINER(job, libxl__medium_opener, job);
    struct stat st;
    (void)ctx;
    at->fd = open(at->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (at->fd < 0 || fstat(at->fd, &st) != 0)
        at->errnoval = errno;
    else
        at->odd = !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode);
}

static void forget(libxl_ctx *ctx, libxl__job *job)
{
    libxl__medium_opener *at = LIBXL__CONTAINER(job, libxl__medium_opener, job);
    (void)ctx;
    if (at->fd >= 0)
        close(at->fd);
    free(at);
}

static void stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__medium *medium = LIBXL__CONTAINER(source, libxl__medium, source);
    (void)ctx;
    libxl__job_detach(&medium->at->job);
    medium->at = NULL;
}

int libxl__medium_start(libxl__ao *ao, libxl__medium *medium)
{
    const size_t size = strlen(medium->path) + 1;
    libxl__medium_opener *at = calloc(1, sizeof(*at) + size);
    if (!at)
        return ERROR_NOMEM;
    memcpy(at->path, medium->path, size);
    at->job = (libxl__job){.work = open_work, .on_done = forget};
    at->fd = -1;
    const int rc = libxl__job_submit(&ao->ctx->host->lane, ao, &at->job);
    if (rc) {
        free(at);
        return rc;
    }
    medium->at = at;
    libxl__source_attach(ao, &medium->source, stop);
    return LIBXL__AO_WAIT;
}

int libxl__medium_poll(libxl__ao *ao, libxl__medium *medium, const char *name)
{
    const libxl__medium_opener *at = medium->at;
    if (at->job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    if (at->errnoval)
        return libxl__ao_fail(ao, libxl__host_errno_rc(at->errnoval), "%s: %s: %s", name, at->path,
                              strerror(at->errnoval));
    if (at->odd)
        return libxl__ao_fail(ao, ERROR_INVAL, "%s: %s: neither a file nor a block device", name, at->path);
    medium->fd = at->fd;
    return 0;
}
