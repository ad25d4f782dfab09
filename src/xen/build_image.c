/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loads a kernel and a ramdisk into a domain, with libxenguest. xenguest.h gives the order of the steps: image,
 * memory, build, boot.
 *
 * Owns: libxenguest's image, during the call. Called on the build's worker, unlocked.
 */
#include "build_parts.h"
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/hvm/params.h>
#include <xenguest.h>

/*
 * The greatest size of a decompressed kernel, in octets. Distributions' kernels take 40 to 80 MiB. Without
 * this limit a small file could take 1 GiB of memory in each worker.
 */
enum { MOST_DECOMPRESSED = 256 << 20 };

/*
 * Returns libxenguest's reason for a failure, which is the first error that libxenguest has logged. If it has
 * logged no error, returns the last error of the handle. If the handle has no error, returns errno's text.
 */
static const char *reason(const libxl__builder *b)
{
    const char *last = *b->log.first ? b->log.first : xc_get_last_error(b->xch)->message;
    return *last ? last : strerror(errno);
}

static int fail_file(libxl__builder *b, const libxl__build_file *file, const char *why)
{
    return libxl__build_fail(b->build, ERROR_KERNEL, "%s: %s: %s", file->field, file->path, why);
}

/*
 * Records the failure of a step, with errno. `what` names the step, for the message. The caller sets errno to 0 before
 * the step. If errno is still 0, no hypercall has failed, so the cause is the image or the memory.
 */
static int fail_step(libxl__builder *b, libxl__call call, const char *what)
{
    const int rc = libxl__errno_rc(call, errno);
    return libxl__build_fail(b->build, rc, "%s: %s", what, reason(b));
}

static int fail_memory(libxl__builder *b)
{
    return fail_step(b, LIBXL__CALL_FILL_MEMORY, "d_config.b_info.target_memkb");
}

/*
 * Like fail_step, for a step that also fails if libxenguest cannot use the file. In that case the message
 * names the file.
 */
static int fail_file_step(libxl__builder *b, libxl__call call, const libxl__build_file *file)
{
    return libxl__errno_rc(call, errno) == ERROR_KERNEL ? fail_file(b, file, reason(b))
                                                        : fail_step(b, call, "loading the kernel");
}

/*
 * Records why libxenguest cannot parse the kernel. libxenguest's messages in `empty` name no cause. After
 * such a message, the cause is found in the kernel's headers (build_kernel.c).
 */
static int fail_parse(libxl__builder *b, const struct xc_dom_image *dom)
{
    static const char *const empty[] = {"no loader found", "ELF image is not 32bit", "image is not"};
    char text[128];
    const char *why = reason(b);
    if (strstr(why, "kernel image too large"))
        return fail_file(b, &b->kernel, "larger than 256 MiB when it is decompressed");
    for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++)
        if (strstr(why, empty[i]))
            return fail_file(
                b, &b->kernel,
                libxl__build_why_refused(dom->kernel_blob, dom->kernel_size, b->translated, text));
    return fail_file(b, &b->kernel, why);
}

/*
 * Records why the image could not be built. If a part of the image does not fit into memory, libxenguest's
 * message is "segment NAME too large". In all other cases libxenguest cannot use the kernel, or a hypercall
 * has failed.
 */
static int fail_build(libxl__builder *b)
{
    static const char segment[] = "segment ";
    const char *why = reason(b), *name = strstr(why, segment);
    if (!name || !strstr(name, "too large"))
        return fail_file_step(b, LIBXL__CALL_PLACE_IMAGE, &b->kernel);
    errno = 0;
    name += sizeof(segment) - 1;
    const bool ramdisk = strncmp(name, "module", 6) == 0 || strncmp(name, "ramdisk", 7) == 0;
    /* The segment is neither of the two files, but a table that is made behind them. */
    if (!ramdisk && strncmp(name, "kernel", 6) != 0)
        return fail_memory(b);
    const libxl__build_file *file = ramdisk ? &b->ramdisk : &b->kernel;
    return libxl__build_fail(b->build, ERROR_KERNEL, "%s: %s: does not fit into %llu KiB of memory: %s",
                             file->field, file->path, (unsigned long long)b->build->target_kb, why);
}

static int load(libxl__builder *b, struct xc_dom_image *dom)
{
    const libxl__build *build = b->build;
    dom->container_type = b->translated ? XC_DOM_HVM_CONTAINER : XC_DOM_PV_CONTAINER;
    dom->max_vcpus = (unsigned)build->config->b_info.max_vcpus;
    dom->xenstore_evtchn = build->store_port;
    dom->console_evtchn = build->console_port;
    dom->claim_enabled = libxl_defbool_val(build->config->b_info.claim_mode);
    const size_t most = b->kernel.size > MOST_DECOMPRESSED ? b->kernel.size : MOST_DECOMPRESSED;
    errno = 0;
    if (xc_dom_kernel_max_size(dom, most))
        return fail_step(b, LIBXL__CALL_LOAD_IMAGE, "limiting the kernel's size");
    if (xc_dom_kernel_mem(dom, b->kernel.data, b->kernel.size))
        return fail_file_step(b, LIBXL__CALL_LOAD_IMAGE, &b->kernel);
    if (b->ramdisk.data && xc_dom_module_mem(dom, b->ramdisk.data, b->ramdisk.size, NULL))
        return fail_file_step(b, LIBXL__CALL_LOAD_IMAGE, &b->ramdisk);
    if (xc_dom_boot_xen_init(dom, b->xch, build->domid))
        return fail_step(b, LIBXL__CALL_NEW_DOMAIN, "preparing the domain");
    if (xc_dom_parse_image(dom))
        return fail_parse(b, dom);
    return 0;
}

static int fill_memory(libxl__builder *b, struct xc_dom_image *dom)
{
    const libxl__build *build = b->build;
    if (b->translated) {
        errno = b->hvm ? libxl__build_hvm_memory(b, dom)
                       : libxl__build_pvh_memory(b->xch, dom, build->domid, build->target_kb, build->max_kb,
                                                 build->config->b_info.max_vcpus);
        if (errno)
            return libxl__build_fail_errno(b->build, LIBXL__CALL_NEW_DOMAIN, "laying out the memory");
    }
    /*
     * At first a PV guest gets only the pages of its target. The memory map, which is set in build.c, contains the
     * maximum.
     */
    const uint64_t mapped_kb = b->translated ? build->max_kb - build->video_kb : build->target_kb;
    errno = 0;
    if (xc_dom_mem_init(dom, (unsigned)(mapped_kb / 1024)) || xc_dom_boot_mem_init(dom))
        return fail_memory(b);
    errno = 0;
    if (xc_dom_build_image(dom))
        return fail_build(b);
    /* If libxenguest cannot decompress the whole ramdisk, it logs an error but reports success. */
    if (b->ramdisk.data && strstr(b->log.first, "inflate"))
        return fail_file(b, &b->ramdisk, b->log.first);
    errno = 0;
    if (xc_dom_boot_image(dom))
        return fail_file_step(b, LIBXL__CALL_PLACE_IMAGE, &b->kernel);
    if (xc_dom_gnttab_init(dom))
        return fail_step(b, LIBXL__CALL_NEW_DOMAIN, "setting up the grant table");
    return 0;
}

/*
 * Stores the frames of the xenstore and console rings in the build. For a PVH or HVM guest, also sets the parameters
 * with the numbers of the rings' event channels.
 */
static int note_rings(libxl__builder *b, struct xc_dom_image *dom)
{
    libxl__build *build = b->build;
    if (!b->translated) {
        build->store_gfn = xc_dom_p2m(dom, dom->xenstore_pfn);
        build->console_gfn = xc_dom_p2m(dom, dom->console_pfn);
        return 0;
    }
    uint64_t store, console;
    if (xc_hvm_param_get(b->xch, build->domid, HVM_PARAM_STORE_PFN, &store) ||
        xc_hvm_param_get(b->xch, build->domid, HVM_PARAM_CONSOLE_PFN, &console) ||
        xc_hvm_param_set(b->xch, build->domid, HVM_PARAM_STORE_EVTCHN, build->store_port) ||
        xc_hvm_param_set(b->xch, build->domid, HVM_PARAM_CONSOLE_EVTCHN, build->console_port))
        return libxl__build_fail_errno(build, LIBXL__CALL_NEW_DOMAIN,
                                       "setting the guest's xenstore and console parameters");
    build->store_gfn = store;
    build->console_gfn = console;
    return 0;
}

int libxl__build_image(libxl__builder *b)
{
    struct xc_dom_image *dom = xc_dom_allocate(b->xch, b->cmdline, NULL);
    if (!dom)
        return libxl__build_fail(b->build, ERROR_NOMEM, "out of memory");
    int rc = load(b, dom);
    if (!rc)
        rc = libxl__build_cancelled(b->build);
    if (!rc)
        rc = fill_memory(b, dom);
    if (!rc)
        rc = note_rings(b, dom);
    if (!rc && b->hvm)
        rc = libxl__build_hvm_inform(b, dom);
    free(dom->e820); /* libxl__build_pvh_memory has allocated e820 and the ACPI module */
    if (!b->hvm)
        free(dom->acpi_modules[0].data);
    xc_dom_release(dom);
    return rc;
}
