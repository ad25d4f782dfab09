/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the lane (worker.h) of the jobs on USB devices. usb_work runs on a worker, unlocked, and uses only the
 * job's data. All other functions are called with the context locked.
 */
#include "usb.h"
#include "xen.h"

#include <stdio.h>
#include <string.h>

enum { MOST_AT_ONCE = 4 };

static int work_on(libxl__usb_job *j, libxl__usb_device *device, char why[LIBXL__SYSFS_WHY])
{
    switch (j->verb) {
    case LIBXL__USB_LOOK: return libxl__usb_look(device, why);
    case LIBXL__USB_TAKE: return libxl__usb_take(device, why);
    case LIBXL__USB_GIVE_BACK: break;
    }
    return libxl__usb_give_back(device, why);
}

static void usb_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__usb_job *j = LIBXL__CONTAINER(job, libxl__usb_job, job);
    char ignored[LIBXL__SYSFS_WHY] = "";
    (void)ctx;
    j->rc = 0;
    *j->why = 0;
    for (uint32_t i = 0; i < j->count && (!j->rc || j->verb == LIBXL__USB_GIVE_BACK); i++) {
        const int rc = work_on(j, &j->devices[i], j->rc ? ignored : j->why);
        j->rc = j->rc ? j->rc : rc;
    }
}

void libxl__usb_open(libxl_ctx *ctx)
{
    libxl__lane_open(ctx, &ctx->xen->usb_lane, "xl-usb", MOST_AT_ONCE, false);
}

int libxl__usb_reserve(libxl__ao *ao, libxl__usb_job *job)
{
    return libxl__worker_reserve(ao, &job->worker, &ao->ctx->xen->usb_lane);
}

int libxl__usb_start(libxl__ao *ao, libxl__usb_job *job, libxl__usb_verb verb)
{
    job->verb = verb;
    job->job.work = usb_work;
    const int rc = libxl__job_submit(&ao->ctx->xen->usb_lane, ao, &job->job);
    return rc ? rc : LIBXL__AO_WAIT;
}

bool libxl__usb_busy(const libxl__usb_job *job)
{
    return job->job.state == LIBXL__JOB_QUEUED || job->job.state == LIBXL__JOB_RUNNING;
}

int libxl__usb_poll(libxl__ao *ao, const libxl__usb_job *job)
{
    if (libxl__usb_busy(job))
        return LIBXL__AO_WAIT;
    return job->rc && *job->why ? libxl__ao_fail(ao, job->rc, "%s", job->why) : job->rc;
}

/* Copies a name. Replaces each character that is in `from` by the character at the same position in `to`. */
static void replace(const char *text, char copy[LIBXL__USB_NAME], const char *from, const char *to)
{
    snprintf(copy, LIBXL__USB_NAME, "%s", text);
    for (char *at = copy; *at; at++)
        for (size_t i = 0; from[i]; i++)
            if (*at == from[i]) {
                *at = to[i];
                break;
            }
}

void libxl__usb_node_name(const char *name, char node[LIBXL__USB_NAME])
{
    replace(name, node, ":.", "@_");
}

void libxl__usb_name_of_node(const char *node, char name[LIBXL__USB_NAME])
{
    replace(node, name, "@_", ":.");
}
