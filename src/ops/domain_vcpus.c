/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * set_vcpuonline: writes which of a guest's virtual processors must be online. The guest watches the nodes
 * ~/cpu/N/availability and starts or stops its processors.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "setting.h"

#include <libxl_utils.h>

typedef struct set_vcpus {
    libxl__setting setting;
    uint32_t vcpus; /* the number of vcpus that the domain has */
} set_vcpuonline_state;

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

static void fill(libxl__ao *ao, libxl__setting *setting)
{
    const struct set_vcpus *s = LIBXL__CONTAINER(setting, struct set_vcpus, setting);
    const libxl__set_vcpuonline_args *args = libxl__ao_args(ao);
    for (uint32_t i = 0; i < s->vcpus; i++)
        libxl__xs_write(setting->batch, LIBXL__XS_INHERITS,
                        libxl_bitmap_test(&args->in.cpumap, (int)i) ? "online" : "offline",
                        "/local/domain/%u/cpu/%u/availability", ao->subject.number, i);
}

static int tell_start(libxl__ao *ao, struct set_vcpus *s)
{
    const libxl__set_vcpuonline_args *args = libxl__ao_args(ao);
    xc_domaininfo_t info;
    int rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (!rc)
        rc = check_cpumap(ao, &args->in.cpumap, info.max_vcpu_id + 1);
    if (rc)
        return rc;
    s->vcpus = info.max_vcpu_id + 1;
    return libxl__setting_start(ao, &s->setting, fill);
}

static int tell_poll(libxl__ao *ao, struct set_vcpus *s)
{
    return libxl__setting_poll(ao, &s->setting);
}

static void tell_stop(libxl__ao *ao, struct set_vcpus *s)
{
    (void)ao;
    libxl__setting_stop(&s->setting);
}

#include "_libxl_phases_set_vcpuonline.h"
