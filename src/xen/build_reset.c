/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resets a PVH or HVM domain that has stopped (XEN_DOMCTL_soft_reset). The hypervisor closes all event channels of the
 * domain, and replaces the page with the shared information. The memory, the vcpus, the grant table and all
 * settings stay as they are. Then the domain gets new event channels, whose ports are in its HVM parameters.
 *
 * Owns: nothing. Called on the build's worker, unlocked.
 */
#include "build_parts.h"

#include <errno.h>
#include <string.h>

#include <xen/hvm/params.h>

/* The parameters of the domain that are read before the reset, or set after it. */
typedef struct parameters {
    uint64_t store_gfn, console_gfn, console_port;
} parameters;

static int fail(libxl__builder *b, const char *what)
{
    return libxl__build_fail_errno(b->build, LIBXL__CALL_DOMAIN, what);
}

/* Checks that the domain is still the one that the operation has found. The job may have been queued for some time. */
static int check(libxl__builder *b)
{
    const libxl__build *build = b->build;
    xc_domaininfo_t info;
    const int count = xc_domain_getinfolist(b->xch, build->domid, 1, &info);
    if (count < 0)
        return fail(b, "looking up the domain");
    errno = ESRCH;
    return count && info.domain == build->domid &&
                   memcmp(info.handle, build->handle.uuid, sizeof(info.handle)) == 0
               ? 0
               : fail(b, "looking up the domain");
}

static int read_parameters(libxl__builder *b, parameters *found)
{
    const uint32_t domid = b->build->domid;
    return xc_hvm_param_get(b->xch, domid, HVM_PARAM_STORE_PFN, &found->store_gfn) ||
                   xc_hvm_param_get(b->xch, domid, HVM_PARAM_CONSOLE_PFN, &found->console_gfn) ||
                   xc_hvm_param_get(b->xch, domid, HVM_PARAM_CONSOLE_EVTCHN, &found->console_port)
               ? fail(b, "reading the domain's parameters")
               : 0;
}

/*
 * Makes the two event channels. xenconsoled takes the new channel of the console only if its port differs from that of
 * the former one. So a port with the former number is left unused, until the next reset closes it.
 */
static int make_channels(libxl__builder *b, uint64_t former)
{
    libxl__build *build = b->build;
    const int store = xc_evtchn_alloc_unbound(b->xch, build->domid, 0);
    int console = store < 0 ? -1 : xc_evtchn_alloc_unbound(b->xch, build->domid, 0);
    if (console >= 0 && (uint64_t)console == former)
        console = xc_evtchn_alloc_unbound(b->xch, build->domid, 0);
    if (console < 0)
        return fail(b, "making event channels");
    build->store_port = (uint32_t)store;
    build->console_port = (uint32_t)console;
    return xc_hvm_param_set(b->xch, build->domid, HVM_PARAM_STORE_EVTCHN, build->store_port) ||
                   xc_hvm_param_set(b->xch, build->domid, HVM_PARAM_CONSOLE_EVTCHN, build->console_port)
               ? fail(b, "setting the domain's parameters")
               : 0;
}

int libxl__build_reset(libxl__builder *b)
{
    libxl__build *build = b->build;
    parameters found = {.store_gfn = 0};
    int rc = check(b);
    if (!rc)
        rc = read_parameters(b, &found);
    if (!rc)
        rc = libxl__build_cancelled(build);
    if (!rc && xc_domain_pause(b->xch, build->domid))
        rc = fail(b, "pausing the domain");
    if (!rc && xc_domain_soft_reset(b->xch, build->domid))
        rc = fail(b, "resetting the domain");
    if (!rc)
        rc = make_channels(b, found.console_port);
    build->store_gfn = (unsigned long)found.store_gfn;
    build->console_gfn = (unsigned long)found.console_gfn;
    return rc ? rc : libxl__build_cancelled(build);
}
