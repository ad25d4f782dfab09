/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the lane (worker.h) of the destructions. destroy_work runs on a worker, unlocked, and uses only the job's data.
 * All other functions are called with the context locked.
 */
#include "destroy.h"
#include "xen.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { MOST_AT_ONCE = 16 };

/*
 * Removes the stored configuration a second time. The teardown has removed the domain's files before. But
 * until the domain is dying, another program can store the configuration again, for example when it adds a
 * device.
 */
static void forget_configuration(const libxl__hv_destroy *destroy)
{
    libxl__userdata_files files = {.domid = destroy->domid, .uuid = destroy->uuid};
    libxl__userdata_drop(&files, LIBXL__USERDATA_JSON);
}

/*
 * Destroys the domain. Compares the UUID first, because another domain may have got the domid while the job
 * was queued.
 */
static void destroy_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__hv_destroy *destroy = LIBXL__CONTAINER(job, libxl__hv_destroy, job);
    xc_interface *xch = libxl__xch(ctx);
    xc_domaininfo_t info;
    int count = xc_domain_getinfolist(xch, destroy->domid, 1, &info);
    if (count < 0)
        destroy->errnoval = errno;
    else if (!count || info.domain != destroy->domid ||
             memcmp(info.handle, destroy->uuid.uuid, sizeof(info.handle)) != 0)
        destroy->errnoval = ESRCH;
    else
        destroy->errnoval = xc_domain_destroy(xch, destroy->domid) ? errno : 0;
    if (!destroy->errnoval)
        forget_configuration(destroy);
}

void libxl__hv_destroy_open(libxl_ctx *ctx)
{
    libxl__lane_open(ctx, &ctx->xen->destroy_lane, "xl-destroy", MOST_AT_ONCE, false);
}

int libxl__hv_destroy_reserve(libxl__ao *ao, libxl__hv_destroy *destroy)
{
    return libxl__worker_reserve(ao, &destroy->worker, &ao->ctx->xen->destroy_lane);
}

void libxl__hv_destroy_start(libxl__ao *ao, libxl__hv_destroy *destroy, uint32_t domid,
                             const libxl_uuid *uuid)
{
    destroy->domid = domid;
    destroy->uuid = *uuid;
    destroy->job.work = destroy_work;
    const int rc = libxl__job_submit(&ao->ctx->xen->destroy_lane, ao, &destroy->job);
    assert(!rc); /* a worker is reserved, so submitting cannot fail */
    (void)rc;
}

bool libxl__hv_destroy_done(const libxl__hv_destroy *destroy)
{
    return destroy->job.state == LIBXL__JOB_DONE;
}
