/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the lane (worker.h) of the resumptions and, during a job, the job's handle. `work` runs on a worker, unlocked,
 * and uses only the job's data. All other functions are called with the context locked.
 */
#include "resume.h"
#include "xen.h"

#include <assert.h>
#include <errno.h>

#include <xenguest.h>

enum { MOST_AT_ONCE = 4 };

static bool is_suspended(const xc_domaininfo_t *info)
{
    const unsigned code = (info->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
    return info->flags & XEN_DOMINF_shutdown && code == SHUTDOWN_suspend;
}

/* Resumes the domain, if it is suspended. Returns 0 or an errno. */
static int resume(xc_interface *xch, libxl__resume *r)
{
    xc_domaininfo_t info;
    if (xc_domain_getinfolist(xch, r->domid, 1, &info) != 1 || info.domain != r->domid)
        return ESRCH;
    if (!is_suspended(&info))
        return 0;
    if (xc_domain_resume(xch, r->domid, r->cancelled))
        return errno ? errno : EIO;
    r->resumed = true;
    return 0;
}

static void work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__resume *r = LIBXL__CONTAINER(job, libxl__resume, job);
    xc_interface *xch = xc_interface_open(libxl__xen_logger(ctx), libxl__xen_logger(ctx), 0);
    if (!xch) {
        r->errnoval = errno;
        return;
    }
    if (r->saved)
        /* This fails if the domain is not in log-dirty mode. Then there is no mode to end. */
        (void)xc_shadow_control(xch, r->domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0);
    if (r->suspended)
        r->errnoval = resume(xch, r);
    xc_interface_close(xch);
}

void libxl__resume_open(libxl_ctx *ctx)
{
    libxl__lane_open(ctx, &ctx->xen->resume_lane, "xl-resume", MOST_AT_ONCE, false);
}

int libxl__resume_reserve(libxl__ao *ao, libxl__resume *resume)
{
    return libxl__worker_reserve(ao, &resume->worker, &ao->ctx->xen->resume_lane);
}

void libxl__resume_start(libxl__ao *ao, libxl__resume *resume)
{
    resume->job.work = work;
    const int rc = libxl__job_submit(&ao->ctx->xen->resume_lane, ao, &resume->job);
    assert(!rc); /* a worker is reserved, so submitting cannot fail */
    (void)rc;
}

bool libxl__resume_done(const libxl__resume *resume)
{
    return resume->job.state == LIBXL__JOB_DONE;
}
