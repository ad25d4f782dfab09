/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the lane (worker.h) of the dumps. During a job also owns the job's handle and open file. The worker runs
 * unlocked and uses only the job's data. Each dump opens its own hypervisor handle, because the handle's
 * logger keeps the reason of a failure.
 */
#include "core_dump.h"
#include "build_parts.h"
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { MOST_AT_ONCE = 2 };

typedef struct target {
    libxl__core_dump *dump;
    int fd;
    int error; /* the errno of a failed write; ECANCELED: the operation has cancelled the dump */
} target;

/* Writes a part of the dump. libxenguest calls this for each part. Returns 0, or -1 to end the dump. */
static int write_part(xc_interface *xch, void *arg, char *buffer, unsigned int length)
{
    target *t = arg;
    (void)xch;
    while (length) {
        if (atomic_load(&t->dump->cancel)) {
            t->error = errno = ECANCELED;
            return -1;
        }
        const ssize_t wrote = write(t->fd, buffer, length);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            t->error = errno = wrote ? errno : ENOSPC;
            return -1;
        }
        buffer += wrote;
        length -= (unsigned)wrote;
        atomic_fetch_add(&t->dump->written, (uint64_t)wrote);
    }
    return 0;
}

/* Writes the dump to the open file. Returns 0 or an errno. */
static int dump_to(libxl_ctx *ctx, target *t)
{
    libxl__core_dump *dump = t->dump;
    libxl__build_log log;
    libxl__build_log_open(&log, libxl__xen_logger(ctx));
    xc_interface *xch = xc_interface_open(&log.logger, &log.logger, 0);
    if (!xch)
        return errno;
    errno = 0;
    const int failed = xc_domain_dumpcore_via_callback(xch, dump->domid, t, write_part);
    const int error = !failed ? 0 : t->error ? t->error : errno ? errno : EIO;
    xc_interface_close(xch);
    snprintf(dump->words, sizeof(dump->words), "%s", log.first);
    return error;
}

static void work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__core_dump *dump = LIBXL__CONTAINER(job, libxl__core_dump, job);
    target t = {.dump = dump,
                .fd = open(dump->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (t.fd < 0) {
        dump->errnoval = errno;
        dump->of_file = true;
        return;
    }
    dump->errnoval = dump_to(ctx, &t);
    dump->of_file = t.error;
    if (close(t.fd) && !dump->errnoval) {
        dump->errnoval = errno;
        dump->of_file = true;
    }
    if (dump->errnoval)
        unlink(dump->path);
}

void libxl__core_dump_open(libxl_ctx *ctx)
{
    libxl__lane_open(ctx, &ctx->xen->dump_lane, "xl-dump", MOST_AT_ONCE, false);
}

int libxl__core_dump_start(libxl__ao *ao, libxl__core_dump *dump)
{
    dump->job.work = work;
    return libxl__job_submit(&ao->ctx->xen->dump_lane, ao, &dump->job);
}
