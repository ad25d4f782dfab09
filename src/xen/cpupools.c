/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hypercalls about cpupools, and the PCI devices of the host. Owns nothing. Any thread may call the
 * functions, locked or not.
 */
#include "cpupools.h"

#include "xen.h"

#include <errno.h>
#include <libxl_utils.h>
#include <stdlib.h>
#include <string.h>

static int fail(libxl__ao *ao, const char *what, uint32_t poolid)
{
    if (errno == ENOENT || errno == ESRCH)
        return libxl__ao_fail(ao, ERROR_INVAL, "poolid: there is no cpupool %u", poolid);
    return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_POOL, errno), "%s cpupool %u: %m", what, poolid);
}

/*
 * Copies a set of processors from the hypervisor's map, which has room for all processors of the host. Returns 0 or
 * NOMEM.
 */
static int copy_map(libxl__ao *ao, libxl_bitmap *out, const uint8_t *map)
{
    const int octets = xc_get_cpumap_size(libxl__xch(ao->ctx));
    libxl_bitmap_init(out);
    if (octets < 0)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "asking for the processors: %m");
    if (libxl_bitmap_alloc(NULL, out, octets * 8))
        return libxl__ao_fail(ao, ERROR_NOMEM, "no memory for a set of processors");
    memcpy(out->map, map, (size_t)octets);
    return 0;
}

int libxl__hv_next_cpupool(libxl__ao *ao, uint32_t from, libxl_cpupoolinfo *out)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    xc_cpupoolinfo_t *next = xc_cpupool_getinfo(xch, from);
    if (!next)
        return errno == ENOENT ? ERROR_NOTFOUND
                               : libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno),
                                                "asking about the cpupools: %m");
    libxl_cpupoolinfo_init(out);
    out->poolid = next->cpupool_id;
    out->sched = (libxl_scheduler)next->sched_id;
    out->n_dom = next->n_dom;
    const int rc = copy_map(ao, &out->cpumap, next->cpumap);
    xc_cpupool_infofree(xch, next);
    return rc;
}

int libxl__hv_cpupool(libxl__ao *ao, uint32_t poolid, libxl_cpupoolinfo *out)
{
    int rc = libxl__hv_next_cpupool(ao, poolid, out);
    if (!rc && out->poolid != poolid) {
        libxl_cpupoolinfo_dispose(out);
        rc = ERROR_NOTFOUND;
    }
    return rc == ERROR_NOTFOUND ? libxl__ao_fail(ao, ERROR_INVAL, "poolid: there is no cpupool %u", poolid)
                                : rc;
}

int libxl__hv_free_cpus(libxl__ao *ao, libxl_bitmap *out)
{
    uint8_t *map = xc_cpupool_freeinfo(libxl__xch(ao->ctx));
    if (!map)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno),
                              "asking for the free processors: %m");
    const int rc = copy_map(ao, out, map);
    free(map);
    return rc;
}

int libxl__hv_make_cpupool(libxl__ao *ao, libxl_scheduler sched, uint32_t *poolid)
{
    const uint32_t wanted = *poolid;
    if (!xc_cpupool_create(libxl__xch(ao->ctx), poolid, (uint32_t)sched))
        return 0;
    switch (errno) {
    case EEXIST: return libxl__ao_fail(ao, ERROR_INVAL, "poolid: there is a cpupool %u already", wanted);
    case ENOENT:
    case EINVAL:
        return libxl__ao_fail(ao, ERROR_INVAL, "sched: the hypervisor has no scheduler %s",
                              libxl_scheduler_to_string(sched));
    default: return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_POOL, errno), "making a cpupool: %m");
    }
}

int libxl__hv_end_cpupool(libxl__ao *ao, uint32_t poolid)
{
    if (!xc_cpupool_destroy(libxl__xch(ao->ctx), poolid))
        return 0;
    if (errno == EBUSY)
        return libxl__ao_fail(ao, ERROR_BUSY, "poolid: cpupool %u has domains or processors", poolid);
    return fail(ao, "destroying", poolid);
}

static int change_cpu(libxl__ao *ao, uint32_t poolid, int cpu, bool add)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    if (!(add ? xc_cpupool_addcpu(xch, poolid, cpu) : xc_cpupool_removecpu(xch, poolid, cpu)))
        return 0;
    switch (errno) {
    case ENODEV:
    case EINVAL:
        return libxl__ao_fail(
            ao, ERROR_INVAL,
            add ? "cpumap: processor %d is not free" : "cpumap: processor %d is not in the cpupool", cpu);
    case EBUSY:
        return libxl__ao_fail(ao, ERROR_BUSY, "cpumap: processor %d is the last one of cpupool %u", cpu,
                              poolid);
    default: return fail(ao, add ? "adding a processor to" : "removing a processor from", poolid);
    }
}

int libxl__hv_change_cpus(libxl__ao *ao, uint32_t poolid, const libxl_bitmap *cpus, bool add)
{
    int cpu, rc = 0;
    libxl_for_each_set_bit(cpu, *cpus) if (!rc) rc = change_cpu(ao, poolid, cpu, add);
    return rc;
}

int libxl__hv_move_domain(libxl__ao *ao, uint32_t poolid, uint32_t domid)
{
    if (!xc_cpupool_movedomain(libxl__xch(ao->ctx), poolid, domid))
        return 0;
    if (errno == ENOENT)
        return libxl__ao_fail(ao, ERROR_INVAL, "poolid: there is no cpupool %u with processors", poolid);
    return libxl__hv_fail(ao, LIBXL__CALL_SETTING, "moving to a cpupool", domid);
}
