/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * set_vcpuonline: tells a guest which virtual processors must be online. The guest watches the nodes
 * ~/cpu/N/availability and starts or stops its processors.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "setting.h"

#include <libxl_utils.h>

typedef libxl__setting set_vcpuonline_state;

/* Checks that the domain has all vcpus of the set. */
static int check_cpumap(libxl__ao *ao, const libxl_bitmap *map, uint32_t vcpus)
{
    for (int i = (int)vcpus; i < (int)map->size * 8; i++)
        if (libxl_bitmap_test(map, i))
            return libxl__ao_fail(ao, ERROR_INVAL, "cpumap: domain %u has no vcpu %d", ao->subject.number, i);
    if (!libxl_bitmap_test(map, 0))
        return libxl__ao_fail(ao, ERROR_INVAL, "cpumap: vcpu 0 is always online");
    return 0;
}

static int tell_start(libxl__ao *ao, libxl__setting *s)
{
    const libxl__set_vcpuonline_args *args = libxl__ao_args(ao);
    xc_domaininfo_t info;
    int rc = libxl__hv_info(ao, ao->subject.number, &info);
    const uint32_t vcpus = rc ? 0 : info.max_vcpu_id + 1;
    if (!rc)
        rc = check_cpumap(ao, &args->in.cpumap, vcpus);
    if (!rc)
        rc = libxl__setting_new(ao, s);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < vcpus; i++)
        libxl__xs_write(s->batch, LIBXL__XS_INHERITS,
                        libxl_bitmap_test(&args->in.cpumap, (int)i) ? "online" : "offline",
                        "/local/domain/%u/cpu/%u/availability", ao->subject.number, i);
    return libxl__setting_run(ao, s);
}

static int tell_poll(libxl__ao *ao, libxl__setting *s)
{
    return libxl__setting_poll(ao, s);
}

static void tell_stop(libxl__ao *ao, libxl__setting *s)
{
    (void)ao;
    libxl__setting_stop(s);
}

#include "_libxl_phases_set_vcpuonline.h"
