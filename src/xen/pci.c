/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the lane (worker.h) of the jobs on PCI devices. pci_work and the functions that it calls run on a worker,
 * unlocked, and use only the job's data. All other functions are called with the context locked.
 */
#include "pci.h"
#include "xen.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AT_ONCE = 4, PAGE_SHIFT = 12 };

static int fail(libxl__pci_job *p, int rc, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail(libxl__pci_job *p, int rc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->why, sizeof(p->why), format, args);
    va_end(args);
    return rc;
}

/* Returns the error of a hypercall on `f` that has failed with errno. `what` says what was tried, for the message. */
static int fail_call(libxl__pci_job *p, const libxl__pci_function *f, const char *what)
{
    const int error = errno;
    const bool of_host = p->verb == LIBXL__PCI_TAKE || p->verb == LIBXL__PCI_GIVE_BACK;
    return fail(p, libxl__errno_rc(of_host ? LIBXL__CALL_HOST : LIBXL__CALL_DOMAIN, error),
                LIBXL__PCI_FORMAT ": %s: %s", LIBXL__PCI_PARTS(f->sbdf), what, strerror(error));
}

/* Like fail_call, for xc_assign_device and xc_deassign_device. */
static int fail_assign(libxl__pci_job *p, const libxl__pci_function *f, const char *what)
{
    switch (errno) {
    case EOPNOTSUPP:
    case ENOSYS:
        return fail(p, ERROR_NO_IOMMU,
                    LIBXL__PCI_FORMAT
                    ": this host has no IOMMU, or the domain was created without `passthrough`",
                    LIBXL__PCI_PARTS(f->sbdf));
    case EBUSY:
        return fail(p, ERROR_BUSY, LIBXL__PCI_FORMAT ": another domain has the device",
                    LIBXL__PCI_PARTS(f->sbdf));
    default: return fail_call(p, f, what);
    }
}

/* ---- the devices of this host */

static int look(libxl__pci_job *p)
{
    int rc = 0;
    for (uint32_t i = 0; i < p->count && !rc; i++)
        rc = libxl__pci_look(p->functions[i].sbdf, &p->functions[i].facts, p->why);
    return rc;
}

static int take(xc_interface *xch, libxl__pci_job *p)
{
    int rc = 0;
    for (uint32_t i = 0; i < p->count && !rc; i++) {
        libxl__pci_function *f = &p->functions[i];
        /* A device that was already bound to pciback stays bound. */
        if (!f->facts.assignable) {
            rc = libxl__pci_take(f->sbdf, f->facts.driver, p->why);
            f->taken = !rc;
        }
        if (!rc && xc_assign_device(xch, DOMID_IO, f->sbdf, 0))
            rc = fail_assign(p, f, "giving the device to the quarantine domain");
    }
    return rc;
}

/* Gives each taken function back, also after an error. Returns the first error. */
static int give_back(xc_interface *xch, libxl__pci_job *p)
{
    char why[LIBXL__SYSFS_WHY] = "";
    int first = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        libxl__pci_function *f = &p->functions[i];
        if (!f->taken)
            continue;
        f->taken = false;
        /* ENODEV: the device is not in quarantine. */
        if (xc_deassign_device(xch, DOMID_IO, f->sbdf) && errno != ENODEV && errno != EOPNOTSUPP &&
            errno != ENOSYS && !first)
            first = fail_assign(p, f, "taking the device from the quarantine domain");
        const int rc = libxl__pci_give_back(f->sbdf, f->facts.driver, first ? why : p->why);
        first = first ? first : rc;
    }
    return first;
}

/* ---- the access of a domain */

/*
 * Gives the domain the access to the function's ports, memory and interrupt if `allow` is true. Otherwise takes the
 * access away, and continues after an error. Returns 0 or an error.
 */
static int permit(xc_interface *xch, libxl__pci_job *p, const libxl__pci_function *f, bool allow)
{
    int rc = 0;
    for (int i = 0; i < LIBXL__PCI_REGIONS; i++) {
        const libxl__pci_region *region = &f->facts.regions[i];
        const unsigned long first = (unsigned long)(region->start >> PAGE_SHIFT);
        const unsigned long last = (unsigned long)((region->start + region->size - 1) >> PAGE_SHIFT);
        if (!region->size)
            continue;
        if (region->ports ? xc_domain_ioport_permission(xch, p->domid, (uint32_t)region->start,
                                                        (uint32_t)region->size, allow)
                          : xc_domain_iomem_permission(xch, p->domid, first, last - first + 1, allow))
            rc = fail_call(p, f, region->ports ? "access to its ports" : "access to its memory");
        if (rc && allow)
            return rc;
    }
    if (!f->facts.irq)
        return rc;
    int pirq = (int)f->facts.irq;
    if (allow ? xc_physdev_map_pirq(xch, p->domid, pirq, &pirq) : xc_physdev_unmap_pirq(xch, p->domid, pirq))
        rc = fail_call(p, f, "mapping its interrupt");
    if ((!rc || !allow) && xc_domain_irq_permission(xch, p->domid, (uint32_t)pirq, allow))
        rc = fail_call(p, f, "access to its interrupt");
    return rc;
}

static int reset(xc_interface *xch, libxl__pci_job *p)
{
    int rc = 0;
    for (uint32_t i = 0; i < p->count && !rc; i++) {
        const libxl__pci_function *f = &p->functions[i];
        /* A function of another domain must not be reset. */
        if (xc_test_assign_device(xch, p->domid, f->sbdf)) {
            if (errno == EINVAL)
                errno = EBUSY;
            return fail_assign(p, f, "asking whether the device is free");
        }
        rc = libxl__pci_reset(f->sbdf, p->why);
    }
    return rc;
}

/*
 * Gives the domain access to each function. The hypervisor assigns a function to only one domain, so each function is
 * assigned first. If two jobs want the same function, the assignment of the second job fails before this job has
 * changed anything. So its REVOKE does not take away the access that the first job has given.
 */
static int grant_access(xc_interface *xch, libxl__pci_job *p)
{
    int rc = 0;
    for (uint32_t i = 0; i < p->count && !rc; i++) {
        libxl__pci_function *f = &p->functions[i];
        if (xc_assign_device(xch, p->domid, f->sbdf, f->relaxed ? XEN_DOMCTL_DEV_RDM_RELAXED : 0))
            return fail_assign(p, f, "giving the device to the domain");
        f->granted = true;
        rc = permit(xch, p, f, true);
        if (!rc && f->permissive)
            rc = libxl__pci_permit_all(f->sbdf, p->why);
    }
    return rc;
}

/*
 * Takes each granted function from the domain, also after an error. Returns an error only if the domain may still use
 * a function. It is no error if the domain is gone or does not have the function.
 */
static int revoke_access(xc_interface *xch, libxl__pci_job *p)
{
    char ignored[LIBXL__SYSFS_WHY], why[LIBXL__SYSFS_WHY] = "";
    int first = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        libxl__pci_function *f = &p->functions[i];
        if (!f->granted)
            continue;
        f->granted = false;
        permit(xch, p, f, false);
        libxl__pci_reset(f->sbdf, ignored);
        if (xc_deassign_device(xch, p->domid, f->sbdf) && errno != ESRCH && errno != ENODEV &&
            errno != EOPNOTSUPP && errno != ENOSYS && !first) {
            first = fail_assign(p, f, "taking the device from the domain");
            memcpy(why, p->why, sizeof(why)); /* the next function overwrites p->why */
        }
    }
    memcpy(p->why, why, sizeof(why));
    return first;
}

static void pci_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__pci_job *p = LIBXL__CONTAINER(job, libxl__pci_job, job);
    xc_interface *xch = libxl__xch(ctx);
    *p->why = 0;
    switch (p->verb) {
    case LIBXL__PCI_LOOK: p->rc = look(p); break;
    case LIBXL__PCI_LIST: p->rc = libxl__pci_list(&p->list, &p->list_count, p->why); break;
    case LIBXL__PCI_TAKE: p->rc = take(xch, p); break;
    case LIBXL__PCI_GIVE_BACK: p->rc = give_back(xch, p); break;
    case LIBXL__PCI_RESET: p->rc = reset(xch, p); break;
    case LIBXL__PCI_GRANT: p->rc = grant_access(xch, p); break;
    case LIBXL__PCI_REVOKE: p->rc = revoke_access(xch, p); break;
    }
}

/* ---- functions that are called with the context locked */

void libxl__pci_open(libxl_ctx *ctx)
{
    libxl__lane_open(ctx, &ctx->xen->pci_lane, "xl-pci", MOST_AT_ONCE, false);
}

int libxl__pci_reserve(libxl__ao *ao, libxl__pci_job *job)
{
    return libxl__worker_reserve(ao, &job->worker, &ao->ctx->xen->pci_lane);
}

int libxl__pci_start(libxl__ao *ao, libxl__pci_job *job, libxl__pci_verb verb)
{
    job->verb = verb;
    job->job.work = pci_work;
    const int rc = libxl__job_submit(&ao->ctx->xen->pci_lane, ao, &job->job);
    return rc ? rc : LIBXL__AO_WAIT;
}

bool libxl__pci_busy(const libxl__pci_job *job)
{
    return job->job.state == LIBXL__JOB_QUEUED || job->job.state == LIBXL__JOB_RUNNING;
}

int libxl__pci_poll(libxl__ao *ao, const libxl__pci_job *job)
{
    if (libxl__pci_busy(job))
        return LIBXL__AO_WAIT;
    return job->rc && *job->why ? libxl__ao_fail(ao, job->rc, "%s", job->why) : job->rc;
}

int libxl__pci_undo(libxl__ao *ao, libxl__pci_job *job, libxl__pci_verb done, libxl__pci_verb undo)
{
    if (libxl__pci_busy(job))
        return LIBXL__AO_WAIT;
    if (job->job.state == LIBXL__JOB_IDLE || (job->verb != done && job->verb != undo))
        return 0;
    return job->verb == undo ? libxl__pci_poll(ao, job) : libxl__pci_start(ao, job, undo);
}
