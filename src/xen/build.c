/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the lane (worker.h) of the builds and, during a job, the job's handle and files. The functions at the end of
 * the file are called with the context locked. All other functions run on a worker, unlocked, and use only the job's
 * data. libxl__build_fail takes the context's lock for a short time, to allocate the message in the operation's
 * memory. Each build opens its own hypervisor handle, because the handle's logger keeps the reason of a failure.
 */
#include "boot_loader.h"
#include "build_parts.h"
#include "release.h"
#include "xen.h"

#include <errno.h>
#include <string.h>

#include <xenguest.h>

enum {
    /*
     * The difference between the guest's memory limit and its memory, in KiB. The toolstack needs some pages.
     * libxl uses the same difference.
     */
    SLACK_KB = 1024,
};

/* This function takes the context's lock, because the lock guards the operation's memory. */
int libxl__build_fail(libxl__build *build, int rc, const char *fmt, ...)
{
    libxl__ao *ao = build->job.ao;
    va_list args;
    va_start(args, fmt);
    libxl__ctx_lock(ao->ctx);
    build->message = libxl__gc_vprintf(&ao->gc, fmt, args);
    libxl__ctx_unlock(ao->ctx);
    va_end(args);
    return rc;
}

int libxl__build_cancelled(libxl__build *build)
{
    return atomic_load(&build->cancel) ? libxl__build_fail(build, ERROR_ABORTED, "stopped on request") : 0;
}

int libxl__build_fail_errno(libxl__build *build, libxl__call call, const char *what)
{
    int saved = errno;
    return libxl__build_fail(build, libxl__errno_rc(call, saved), "%s: %s", what, strerror(saved));
}

/*
 * Makes the domain in the hypervisor. libxl__build_ask_host must have set the members of `create` that depend
 * on the host.
 */
static int make_domain(libxl__builder *b, struct xen_domctl_createdomain *create)
{
    libxl__build *build = b->build;
    libxl__build_set_limits(build, create);
    memcpy(create->handle, build->handle.uuid, sizeof(create->handle));
    uint32_t domid = LIBXL__DOMID_ANY;
    if (xc_domain_create(b->xch, &domid, create))
        return libxl__build_fail_errno(build, LIBXL__CALL_MAKE_DOMAIN, "making the domain");
    build->domid = domid;
    build->made = true;
    return 0;
}

static int set_limits(libxl__builder *b)
{
    libxl__build *build = b->build;
    xc_interface *xch = b->xch;
    const uint32_t domid = build->domid;
    const uint32_t vcpus = (uint32_t)build->config->b_info.max_vcpus;
    if (xc_domain_max_vcpus(xch, domid, vcpus))
        return libxl__build_fail_errno(build, LIBXL__CALL_NEW_DOMAIN, "d_config.b_info.max_vcpus");
    if (xc_domain_setmaxmem(xch, domid, build->target_kb + SLACK_KB))
        return libxl__build_fail_errno(build, LIBXL__CALL_NEW_DOMAIN, "d_config.b_info.max_memkb");
    if (b->translated) {
        const uint64_t kb = libxl__build_paging_kb(&build->config->b_info, vcpus, build->max_kb);
        const uint64_t mb = (kb + 1023) / 1024;
        if (xc_set_paging_mempool_size(xch, domid, mb << 20))
            return libxl__build_fail_errno(build, LIBXL__CALL_NEW_DOMAIN,
                                           "setting the size of the pool for the domain's page tables");
    } else if (xc_domain_set_memmap_limit(xch, domid, (unsigned long)build->max_kb)) {
        return libxl__build_fail_errno(build, LIBXL__CALL_NEW_DOMAIN, "setting the size of the memory map");
    }
    return 0;
}

static int make_channels(libxl__builder *b)
{
    libxl__build *build = b->build;
    xc_interface *xch = b->xch;
    int store = xc_evtchn_alloc_unbound(xch, build->domid, 0);
    int console = store < 0 ? -1 : xc_evtchn_alloc_unbound(xch, build->domid, 0);
    if (console < 0)
        return libxl__build_fail_errno(build, LIBXL__CALL_NEW_DOMAIN, "making event channels");
    build->store_port = (uint32_t)store;
    build->console_port = (uint32_t)console;
    return 0;
}

/* Checks the host and makes the domain. */
static int make(libxl__builder *b)
{
    struct xen_domctl_createdomain create = {.flags = 0};
    int rc = libxl__build_ask_host(b, &create);
    if (!rc)
        rc = libxl__build_cancelled(b->build);
    return rc ? rc : make_domain(b, &create);
}

/* Records the boot loader's error message after a failure, if it has left a message. Returns rc. */
static int fail_loader(libxl__build *build, int rc)
{
    return rc && *build->loader->why ? libxl__build_fail(build, rc, "%s", build->loader->why) : rc;
}

static int make_only(libxl__builder *b)
{
    libxl__build *build = b->build;
    const int rc = make(b);
    return rc || !build->loader
               ? rc
               : fail_loader(build, libxl__boot_loader_prepare(
                                        build->loader, build->config->b_info.bootloader, build->domid));
}

/* Reads the kernel and the ramdisk that the boot loader has chosen. Then removes the boot loader's files. */
static int read_chosen(libxl__builder *b)
{
    libxl__build *build = b->build;
    libxl__boot_loader *loader = build->loader;
    int rc = fail_loader(build, libxl__boot_loader_read(loader));
    /* The kernel and the ramdisk are open, so they can still be read after their files are removed. */
    libxl__boot_loader_clean(loader);
    b->kernel = (libxl__build_file){.field = "d_config.b_info.bootloader", .path = loader->kernel};
    b->ramdisk = (libxl__build_file){.field = "d_config.b_info.bootloader", .path = loader->ramdisk};
    if (!rc)
        rc = libxl__build_file_read_open(build, &b->kernel, loader->kernel_fd);
    if (!rc && loader->ramdisk)
        rc = libxl__build_file_read_open(build, &b->ramdisk, loader->ramdisk_fd);
    if (loader->cmdline)
        b->cmdline = loader->cmdline;
    if (!rc && !b->translated && b->cmdline && strlen(b->cmdline) >= MAX_GUEST_CMDLINE)
        rc = libxl__build_fail(
            build, ERROR_KERNEL,
            "d_config.b_info.bootloader: the command line that it has chosen is longer than %d octets",
            MAX_GUEST_CMDLINE - 1);
    return rc;
}

static int read_configured(libxl__builder *b)
{
    const libxl_domain_build_info *info = &b->build->config->b_info;
    if (b->hvm)
        return libxl__build_hvm_read(b);
    const int rc = libxl__build_file_read(b->build, &b->kernel, "d_config.b_info.kernel", info->kernel);
    return rc || !info->ramdisk
               ? rc
               : libxl__build_file_read(b->build, &b->ramdisk, "d_config.b_info.ramdisk", info->ramdisk);
}

/* Carries out all steps of the part ALL, in order. Returns 0 or the job's error. */
static int build_all(libxl__builder *b)
{
    libxl__build *build = b->build;
    /* The device model passes the command line of an HVM domain to its kernel. */
    b->cmdline = b->hvm ? NULL : build->config->b_info.cmdline;
    int rc = build->restores ? 0 : build->loader ? read_chosen(b) : read_configured(b);
    if (!rc && !build->made)
        rc = make(b);
    if (!rc)
        rc = set_limits(b);
    if (!rc)
        rc = libxl__build_place(b);
    if (!rc)
        rc = libxl__build_settings(b);
    if (!rc)
        rc = make_channels(b);
    if (!rc && b->hvm)
        rc = libxl__build_hvm_params(b);
    if (!rc && !build->restores)
        rc = libxl__build_image(b);
    return rc ? rc : libxl__build_cancelled(build);
}

static int run_step(libxl__builder *b)
{
    switch (b->build->step) {
    case LIBXL__BUILD_MAKE: return make_only(b);
    case LIBXL__BUILD_RESET: return libxl__build_reset(b);
    default: return build_all(b);
    }
}

static void build_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__build *build = (libxl__build *)job;
    if (build->step == LIBXL__BUILD_CLEAN) {
        libxl__boot_loader_clean(build->loader);
        return;
    }
    const libxl_domain_type type = build->config->c_info.type;
    libxl__builder b = {
        .build = build, .translated = type != LIBXL_DOMAIN_TYPE_PV, .hvm = type == LIBXL_DOMAIN_TYPE_HVM};
    libxl__build_log_open(&b.log, libxl__xen_logger(ctx));
    b.xch = xc_interface_open(&b.log.logger, &b.log.logger, 0);
    if (!b.xch) {
        build->rc =
            libxl__build_fail_errno(build, LIBXL__CALL_OPEN_HANDLE, "opening the hypervisor's interface");
        return;
    }
    build->rc = run_step(&b);
    libxl__build_file_free(&b.kernel);
    libxl__build_file_free(&b.ramdisk);
    libxl__build_file_free(&b.firmware);
    libxl__build_file_free(&b.acpi);
    libxl__build_file_free(&b.smbios);
    xc_interface_close(b.xch);
}

/* ---- functions that are called with the context locked */

void libxl__build_open(libxl_ctx *ctx)
{
    libxl__lane_open(ctx, &ctx->xen->build_lane, "xl-build", 4, true);
}

int libxl__build_start(libxl__ao *ao, libxl__build *build, libxl__build_step step)
{
    build->step = step;
    build->job.work = build_work;
    return libxl__job_submit(&ao->ctx->xen->build_lane, ao, &build->job);
}

int libxl__build_reserve(libxl__ao *ao)
{
    return libxl__lane_reserve(ao, &ao->ctx->xen->build_lane);
}

void libxl__build_release(libxl_ctx *ctx)
{
    libxl__lane_release(&ctx->xen->build_lane);
}

bool libxl__build_done(const libxl__build *build)
{
    return build->job.state == LIBXL__JOB_DONE;
}
