/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing that outlives a job, except the lane of the builds. All functions but those at the end run on a worker,
 * unlocked, and touch only the job's own data; only fail() takes the context's lock, because it allocates the message
 * in the operation's memory. Each
 * build opens a hypervisor handle of its own, because libxenguest keeps the reason of a failure in the handle.
 *
 * The order of the steps is that of libxenguest's builder (xenguest.h): image, memory, build, boot.
 */
#include "build.h"
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen/hvm/params.h>
#include <xenguest.h>

enum {
    SLACK_KB = 1024, /* added to the guest's memory limit, as libxl does, for pages of the toolstack */
    MAX_EVENT_CHANNELS = 1023,
    /* What the hypervisor needs for the page tables of a PVH guest; xl.cfg(5), shadow_memory: */
    VCPU_PAGING_KB = 1024, /* for each vcpu */
    MB_PAGING_KB = 8,      /* for each MiB of memory */
};

static bool is_pvh(const libxl__build *build)
{
    return build->config->c_info.type == LIBXL_DOMAIN_TYPE_PVH;
}

/* Records why the build failed. The message lies in the operation's memory, which the context's lock guards. */
__attribute__((format(printf, 3, 4))) static int fail(libxl__build *build, int rc, const char *fmt, ...)
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

static int fail_errno(libxl__build *build, const char *what)
{
    int saved = errno;
    return fail(build, libxl__errno_rc(saved), "%s: %s", what, strerror(saved));
}

/* Records a failure of libxenguest. Its reason is a text, "panic: file.c:123: reason"; the message keeps the last part. */
static int fail_builder(libxl__build *build, xc_interface *xch, int rc, const char *field,
                        const char *subject)
{
    const char *reason = xc_get_last_error(xch)->message;
    const char *after = strstr(reason, ".c:");
    if (after && (after = strstr(after, ": ")))
        reason = after + 2;
    return fail(build, rc, "%s: %s: %s", field, subject, *reason ? reason : strerror(errno));
}

/* Checked here because libxenguest's message for a file that cannot be opened does not name the field. */
static int check_file(libxl__build *build, const char *field, const char *path)
{
    struct stat status = {.st_size = 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail(build, ERROR_KERNEL, "%s: %s: %s", field, path, strerror(errno));
    int rc = 0;
    if (fstat(fd, &status))
        rc = fail(build, ERROR_KERNEL, "%s: %s: %s", field, path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        rc = fail(build, ERROR_KERNEL, "%s: %s: not a regular file", field, path);
    else if (status.st_size == 0)
        rc = fail(build, ERROR_KERNEL, "%s: %s: the file is empty", field, path);
    close(fd);
    return rc;
}

static int check_host(libxl__build *build, xc_interface *xch)
{
    xc_physinfo_t host = {.max_cpu_id = 0};
    if (xc_physinfo(xch, &host))
        return fail_errno(build, "asking about the host");
    const uint32_t needed = is_pvh(build) ? XEN_SYSCTL_PHYSCAP_hvm : XEN_SYSCTL_PHYSCAP_pv;
    if (!(host.capabilities & needed))
        return fail(build, ERROR_NI, "d_config.c_info.type: this host cannot run %s domains",
                    is_pvh(build) ? "PVH" : "PV");
    uint64_t free_kb = (host.free_pages + host.scrub_pages - host.outstanding_pages) * 4;
    if (build->target_kb > free_kb)
        return fail(build, ERROR_NO_MEMORY_FOR_GUEST,
                    "d_config.b_info.target_memkb: %llu KiB, but the host has %llu KiB free",
                    (unsigned long long)build->target_kb, (unsigned long long)free_kb);
    return 0;
}

static int make_domain(libxl__build *build, xc_interface *xch)
{
    struct xen_domctl_createdomain create = {
        .flags = is_pvh(build) ? XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap : 0,
        .max_vcpus = (uint32_t)build->config->b_info.max_vcpus,
        .max_evtchn_port = MAX_EVENT_CHANNELS,
        .max_grant_frames = -1,
        .max_maptrack_frames = -1,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch = {.emulation_flags = is_pvh(build) ? XEN_X86_EMU_LAPIC : 0},
    };
    memcpy(create.handle, build->uuid.uuid, sizeof(create.handle));
    if (xc_domain_create(xch, &build->domid, &create))
        return fail_errno(build, "making the domain");
    build->made = true;
    return 0;
}

static int set_limits(libxl__build *build, xc_interface *xch)
{
    const uint32_t domid = build->domid;
    const uint32_t vcpus = (uint32_t)build->config->b_info.max_vcpus;
    if (xc_domain_max_vcpus(xch, domid, vcpus))
        return fail_errno(build, "d_config.b_info.max_vcpus");
    if (xc_domain_setmaxmem(xch, domid, build->target_kb + SLACK_KB))
        return fail_errno(build, "d_config.b_info.max_memkb");
    if (is_pvh(build)) {
        uint64_t kb = (uint64_t)vcpus * VCPU_PAGING_KB + (build->max_kb + 1023) / 1024 * MB_PAGING_KB;
        uint64_t mb = (kb + 1023) / 1024;
        if (xc_set_paging_mempool_size(xch, domid, mb << 20))
            return fail_errno(build, "setting the size of the pool for the domain's page tables");
    } else if (xc_domain_set_memmap_limit(xch, domid, (unsigned long)build->max_kb)) {
        return fail_errno(build, "setting the size of the memory map");
    }
    if (xc_cpuid_apply_policy(xch, domid, false, NULL, 0, true, false, false, NULL, NULL))
        return fail_errno(build, "setting the CPUID policy");
    return 0;
}

static int make_channels(libxl__build *build, xc_interface *xch)
{
    int store = xc_evtchn_alloc_unbound(xch, build->domid, 0);
    int console = store < 0 ? -1 : xc_evtchn_alloc_unbound(xch, build->domid, 0);
    if (console < 0)
        return fail_errno(build, "making event channels");
    build->store_port = (uint32_t)store;
    build->console_port = (uint32_t)console;
    return 0;
}

static int load_image(libxl__build *build, xc_interface *xch, struct xc_dom_image *dom)
{
    const libxl_domain_build_info *info = &build->config->b_info;
    dom->container_type = is_pvh(build) ? XC_DOM_HVM_CONTAINER : XC_DOM_PV_CONTAINER;
    dom->max_vcpus = (unsigned)info->max_vcpus;
    dom->xenstore_evtchn = build->store_port;
    dom->console_evtchn = build->console_port;
    if (xc_dom_kernel_file(dom, info->kernel))
        return fail_builder(build, xch, ERROR_KERNEL, "d_config.b_info.kernel", info->kernel);
    if (info->ramdisk && xc_dom_module_file(dom, info->ramdisk, NULL))
        return fail_builder(build, xch, ERROR_KERNEL, "d_config.b_info.ramdisk", info->ramdisk);
    if (xc_dom_boot_xen_init(dom, xch, build->domid))
        return fail_builder(build, xch, ERROR_FAIL, "building", "hypervisor");
    if (xc_dom_parse_image(dom))
        return fail_builder(build, xch, ERROR_KERNEL, "d_config.b_info.kernel", info->kernel);
    return 0;
}

static int fill_memory(libxl__build *build, xc_interface *xch, struct xc_dom_image *dom)
{
    const libxl_domain_build_info *info = &build->config->b_info;
    if (is_pvh(build)) {
        errno = libxl__build_pvh_memory(xch, dom, build->domid, build->target_kb, build->target_kb,
                                        info->max_vcpus);
        if (errno)
            return fail_errno(build, "laying out the memory");
    }
    if (xc_dom_mem_init(dom, (unsigned)(build->target_kb / 1024)))
        return fail_builder(build, xch, ERROR_NO_MEMORY_FOR_GUEST, "d_config.b_info.target_memkb", "memory");
    if (xc_dom_boot_mem_init(dom))
        return fail_builder(build, xch, ERROR_NO_MEMORY_FOR_GUEST, "d_config.b_info.target_memkb", "memory");
    if (xc_dom_build_image(dom))
        return fail_builder(build, xch, ERROR_KERNEL, "d_config.b_info.kernel", info->kernel);
    if (xc_dom_boot_image(dom))
        return fail_builder(build, xch, ERROR_KERNEL, "d_config.b_info.kernel", info->kernel);
    if (xc_dom_gnttab_init(dom))
        return fail_builder(build, xch, ERROR_FAIL, "building", "grant table");
    return 0;
}

/* Notes the frames of the xenstore and console rings. A PVH guest also learns its event channels from its parameters. */
static int note_rings(libxl__build *build, xc_interface *xch, struct xc_dom_image *dom)
{
    if (!is_pvh(build)) {
        build->store_gfn = xc_dom_p2m(dom, dom->xenstore_pfn);
        build->console_gfn = xc_dom_p2m(dom, dom->console_pfn);
        return 0;
    }
    uint64_t store, console;
    if (xc_hvm_param_get(xch, build->domid, HVM_PARAM_STORE_PFN, &store) ||
        xc_hvm_param_get(xch, build->domid, HVM_PARAM_CONSOLE_PFN, &console) ||
        xc_hvm_param_set(xch, build->domid, HVM_PARAM_STORE_EVTCHN, build->store_port) ||
        xc_hvm_param_set(xch, build->domid, HVM_PARAM_CONSOLE_EVTCHN, build->console_port))
        return fail_errno(build, "setting the guest's xenstore and console parameters");
    build->store_gfn = store;
    build->console_gfn = console;
    return 0;
}

/* Returns ABORTED if the operation has asked the build to stop. Called between two steps. */
static int cancelled(libxl__build *build)
{
    return atomic_load(&build->cancel) ? fail(build, ERROR_ABORTED, "stopped on request") : 0;
}

static int build_image(libxl__build *build, xc_interface *xch)
{
    struct xc_dom_image *dom = xc_dom_allocate(xch, build->config->b_info.cmdline, NULL);
    if (!dom)
        return fail(build, ERROR_NOMEM, "out of memory");
    int rc = load_image(build, xch, dom);
    if (!rc)
        rc = cancelled(build);
    if (!rc)
        rc = fill_memory(build, xch, dom);
    if (!rc)
        rc = note_rings(build, xch, dom);
    free(dom->e820); /* allocated by libxl__build_pvh_memory, like the ACPI module */
    free(dom->acpi_modules[0].data);
    xc_dom_release(dom);
    return rc;
}

/* All steps, in order. Returns 0 or the job's error. */
static int build_all(libxl__build *build, xc_interface *xch)
{
    const libxl_domain_build_info *info = &build->config->b_info;
    int rc = check_file(build, "d_config.b_info.kernel", info->kernel);
    if (!rc && info->ramdisk)
        rc = check_file(build, "d_config.b_info.ramdisk", info->ramdisk);
    if (!rc)
        rc = check_host(build, xch);
    if (!rc)
        rc = cancelled(build);
    if (!rc)
        rc = make_domain(build, xch);
    if (!rc)
        rc = set_limits(build, xch);
    if (!rc)
        rc = make_channels(build, xch);
    if (!rc)
        rc = build_image(build, xch);
    return rc ? rc : cancelled(build);
}

static void build_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__build *build = (libxl__build *)job;
    xentoollog_logger *logger = libxl__xen_logger(ctx);
    xc_interface *xch = xc_interface_open(logger, logger, 0);
    if (!xch) {
        build->rc = fail_errno(build, "opening the hypervisor's interface");
        return;
    }
    build->rc = build_all(build, xch);
    xc_interface_close(xch);
}

/* ---- called with the context locked */

void libxl__build_open(libxl_ctx *ctx)
{
    libxl__lane_open(ctx, &ctx->xen->build_lane, "xl-build", 4, true);
}

int libxl__build_start(libxl__ao *ao, libxl__build *build)
{
    build->job.work = build_work;
    return libxl__job_submit(&ao->ctx->xen->build_lane, ao, &build->job);
}

bool libxl__build_done(const libxl__build *build)
{
    return build->job.state == LIBXL__JOB_DONE;
}
