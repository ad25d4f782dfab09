/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hypercalls about the resources that the processors of a socket share (Intel RDT: monitoring, CAT, MBA).
 * Owns nothing. Any thread may call the functions, locked or not.
 */
#include "host_calls.h"
#include "running.h"
#include "xen.h"

#include <errno.h>
#include <libxl_utils.h>
#include <stdlib.h>

_Static_assert((int)LIBXL_PSR_CBM_TYPE_L3_CBM == XC_PSR_CAT_L3_CBM &&
                   (int)LIBXL_PSR_CBM_TYPE_L3_CBM_CODE == XC_PSR_CAT_L3_CBM_CODE &&
                   (int)LIBXL_PSR_CBM_TYPE_L3_CBM_DATA == XC_PSR_CAT_L3_CBM_DATA &&
                   (int)LIBXL_PSR_CBM_TYPE_L2_CBM == XC_PSR_CAT_L2_CBM &&
                   (int)LIBXL_PSR_CBM_TYPE_MBA_THRTL == XC_PSR_MBA_THRTL,
               "the limits have libxenctrl's numbers");
_Static_assert((int)LIBXL_PSR_CMT_TYPE_CACHE_OCCUPANCY == XC_PSR_CMT_L3_OCCUPANCY + 1 &&
                   (int)LIBXL_PSR_CMT_TYPE_TOTAL_MEM_COUNT == XC_PSR_CMT_TOTAL_MEM_COUNT + 1 &&
                   (int)LIBXL_PSR_CMT_TYPE_LOCAL_MEM_COUNT == XC_PSR_CMT_LOCAL_MEM_COUNT + 1,
               "what is monitored has libxenctrl's numbers plus 1");

/*
 * Returns the error of a hypercall that has failed with errno. xen/sysctl.h and xen/domctl.h describe what each errno
 * means. `what` says what was tried, for the message.
 */
static int fail(libxl__ao *ao, const char *what)
{
    switch (errno) {
    case ENOSYS:
    case EOPNOTSUPP:
    case ENODEV: return libxl__ao_fail(ao, ERROR_NI, "%s: the processors do not have this feature", what);
    case ENOENT: return libxl__ao_fail(ao, ERROR_NI, "%s: the feature is off, or not in use", what);
    case EXDEV:
    case EINVAL:
    case ENOTSOCK:
    case EBADSLT: return libxl__ao_fail(ao, ERROR_INVAL, "%s: a wrong socket or value", what);
    case EEXIST: return libxl__ao_fail(ao, ERROR_INVAL, "%s: it is done already", what);
    case EUSERS: return libxl__ao_fail(ao, ERROR_FAIL, "%s: all numbers are in use", what);
    default: return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "%s: %m", what);
    }
}

/* Like fail, for a hypercall about a domain. */
static int fail_on(libxl__ao *ao, const char *what, uint32_t domid)
{
    if (errno == ESRCH)
        return libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, what, domid);
    return fail(ao, what);
}

/*
 * Stores an online processor of the socket. Errors: INVAL (there is no such socket), and those of the
 * hypercalls.
 */
static int find_cpu(libxl__ao *ao, uint32_t socket, uint32_t *cpu)
{
    libxl_cputopology_list list;
    int rc = libxl__hv_topology(ao, &list);
    if (rc)
        return rc;
    rc = ERROR_INVAL;
    for (int i = 0; rc && i < list.num_cpus; i++)
        if (list.cpus[i].core != LIBXL_CPUTOPOLOGY_INVALID_ENTRY && list.cpus[i].socket == socket) {
            *cpu = (uint32_t)i;
            rc = 0;
        }
    libxl_cputopology_list_dispose(&list);
    return rc ? libxl__ao_fail(ao, rc, "socket: socket %u has no processor online", socket) : 0;
}

int libxl__hv_psr_cmt(libxl__ao *ao, libxl_psr_cmt_info *out)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    libxl_psr_cmt_info info;
    const int enabled = xc_psr_cmt_enabled(xch);
    if (!enabled)
        errno = ENOENT;
    if (enabled <= 0 || xc_psr_cmt_get_total_rmid(xch, &info.total_rmid) ||
        xc_psr_cmt_get_l3_event_mask(xch, &info.types))
        return fail(ao, "asking how domains are monitored");
    *out = info;
    return 0;
}

int libxl__hv_psr_cache_size(libxl__ao *ao, uint32_t socket, uint32_t *kb)
{
    uint32_t cpu = 0, size;
    const int rc = find_cpu(ao, socket, &cpu);
    if (rc)
        return rc;
    if (xc_psr_cmt_get_l3_cache_size(libxl__xch(ao->ctx), cpu, &size))
        return fail(ao, "asking for the size of the cache");
    *kb = size;
    return 0;
}

/* Translates the capabilities of one socket. */
static libxl_psr_hw_info translate(uint32_t socket, libxl_psr_feat_type feature, const xc_psr_hw_info *xen)
{
    libxl_psr_hw_info info = {.id = socket, .type = feature};
    if (feature == LIBXL_PSR_FEAT_TYPE_MBA) {
        info.u.mba.cos_max = xen->mba.cos_max;
        info.u.mba.thrtl_max = xen->mba.thrtl_max;
        info.u.mba.linear = xen->mba.linear;
    } else {
        info.u.cat.cos_max = xen->cat.cos_max;
        info.u.cat.cbm_len = xen->cat.cbm_len;
        info.u.cat.cdp_enabled = xen->cat.cdp_enabled;
    }
    return info;
}

/* Makes the set of the sockets that have an online processor. */
static int online_sockets(libxl__ao *ao, libxl_bitmap *sockets)
{
    libxl_cputopology_list list;
    uint32_t most = 0;
    int rc = libxl__hv_topology(ao, &list);
    if (rc)
        return rc;
    for (int i = 0; i < list.num_cpus; i++)
        if (list.cpus[i].core != LIBXL_CPUTOPOLOGY_INVALID_ENTRY && list.cpus[i].socket > most)
            most = list.cpus[i].socket;
    rc = libxl_bitmap_alloc(NULL, sockets, (int)most + 1);
    for (int i = 0; !rc && i < list.num_cpus; i++)
        if (list.cpus[i].core != LIBXL_CPUTOPOLOGY_INVALID_ENTRY)
            libxl_bitmap_set(sockets, (int)list.cpus[i].socket);
    libxl_cputopology_list_dispose(&list);
    return rc ? libxl__ao_fail(ao, rc, "no memory for a set of sockets") : 0;
}

int libxl__hv_psr_hw_info(libxl__ao *ao, libxl_psr_feat_type feature, uint32_t level,
                          libxl_psr_hw_info_list *out)
{
    libxl_bitmap sockets;
    libxl_psr_hw_info_list list = {.num_sockets = 0};
    xc_psr_hw_info xen;
    int socket;
    if (feature == LIBXL_PSR_FEAT_TYPE_CAT && level != 2 && level != 3)
        return libxl__ao_fail(ao, ERROR_INVAL, "level: %u is neither 2 nor 3", level);
    const xc_psr_feat_type kind = feature == LIBXL_PSR_FEAT_TYPE_MBA ? XC_PSR_MBA
                                  : level == 2                       ? XC_PSR_CAT_L2
                                                                     : XC_PSR_CAT_L3;
    int rc = online_sockets(ao, &sockets);
    if (rc)
        return rc;
    list.sockets = calloc((size_t)libxl_bitmap_count_set(&sockets) + 1, sizeof(*list.sockets));
    if (!list.sockets) {
        libxl_bitmap_dispose(&sockets);
        return libxl__ao_fail(ao, ERROR_NOMEM, "no memory for a list of sockets");
    }
    for (socket = 0; !rc && socket < (int)sockets.size * 8; socket++) {
        if (!libxl_bitmap_test(&sockets, socket))
            continue;
        if (xc_psr_get_hw_info(libxl__xch(ao->ctx), (uint32_t)socket, kind, &xen))
            rc = fail(ao, "asking for the limits of domains");
        else
            list.sockets[list.num_sockets++] = translate((uint32_t)socket, feature, &xen);
    }
    libxl_bitmap_dispose(&sockets);
    if (rc)
        libxl_psr_hw_info_list_dispose(&list);
    else
        *out = list;
    return rc;
}

int libxl__hv_psr_attach(libxl__ao *ao, uint32_t domid, bool attach)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    if (!(attach ? xc_psr_cmt_attach(xch, domid) : xc_psr_cmt_detach(xch, domid)))
        return 0;
    return fail_on(ao, attach ? "monitoring a domain" : "ending the monitoring of a domain", domid);
}

int libxl__hv_psr_attached(libxl__ao *ao, uint32_t domid, bool *out)
{
    uint32_t rmid;
    if (xc_psr_cmt_get_domain_rmid(libxl__xch(ao->ctx), domid, &rmid))
        return fail_on(ao, "asking whether a domain is monitored", domid);
    *out = rmid != 0;
    return 0;
}

int libxl__hv_psr_sample(libxl__ao *ao, uint32_t domid, libxl_psr_cmt_type type, uint32_t socket,
                         libxl_psr_sample *out)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    libxl_psr_sample sample = {.value = 0};
    uint32_t cpu = 0, rmid, factor;
    const int rc = find_cpu(ao, socket, &cpu);
    if (rc)
        return rc;
    if (xc_psr_cmt_get_domain_rmid(xch, domid, &rmid))
        return fail_on(ao, "asking whether a domain is monitored", domid);
    if (!rmid)
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain %u is not monitored", domid);
    const bool of_cache = type == LIBXL_PSR_CMT_TYPE_CACHE_OCCUPANCY;
    if (xc_psr_cmt_get_data(xch, rmid, cpu, (xc_psr_cmt_type)(type - 1), &sample.value,
                            of_cache ? NULL : &sample.tsc) ||
        xc_psr_cmt_get_l3_upscaling_factor(xch, &factor))
        return fail_on(ao, "reading a count", domid);
    sample.value *= factor;
    *out = sample;
    return 0;
}

int libxl__hv_psr_get(libxl__ao *ao, uint32_t domid, libxl_psr_cbm_type type, uint32_t socket,
                      uint64_t *value)
{
    uint64_t found;
    if (type == LIBXL_PSR_CBM_TYPE_UNKNOWN)
        return libxl__ao_fail(ao, ERROR_INVAL, "type: unknown");
    if (xc_psr_get_domain_data(libxl__xch(ao->ctx), domid, (xc_psr_type)type, socket, &found))
        return fail_on(ao, "asking for a limit", domid);
    *value = found;
    return 0;
}

int libxl__hv_psr_set(libxl__ao *ao, uint32_t domid, libxl_psr_cbm_type type, const libxl_bitmap *sockets,
                      uint64_t value)
{
    if (type == LIBXL_PSR_CBM_TYPE_UNKNOWN)
        return libxl__ao_fail(ao, ERROR_INVAL, "type: unknown");
    for (int socket = 0; socket < (int)sockets->size * 8; socket++)
        if (libxl_bitmap_test(sockets, socket) &&
            xc_psr_set_domain_data(libxl__xch(ao->ctx), domid, (xc_psr_type)type, (uint32_t)socket, value))
            return fail_on(ao, "setting a limit", domid);
    return 0;
}
