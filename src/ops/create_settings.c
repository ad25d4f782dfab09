/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks the settings of a domain's configuration that the builder passes to the hypervisor. Applies the
 * settings that can be applied only after the build. Each message begins with the path of the field.
 *
 * Owns: nothing. The caller holds the context's lock.
 */
#include "create.h"
#include "running.h"

#include <libxl_utils.h>

enum { LAST_PORT = 65535, MOST_SHARE = 65535, MOST_GRANT_VERSION = 2 };

/* Returns the name of a field with an invalid value, or NULL if there is none. */
static const char *wrong_field(const libxl_domain_config *config)
{
    const libxl_domain_build_info *info = &config->b_info;
    const libxl_domain_sched_params *sched = &info->sched_params;
    if (info->num_vcpu_hard_affinity > info->max_vcpus)
        return "vcpu_hard_affinity: more elements than vcpus";
    if (info->num_vcpu_soft_affinity > info->max_vcpus)
        return "vcpu_soft_affinity: more elements than vcpus";
    if (info->avail_vcpus.size && !libxl_bitmap_test(&info->avail_vcpus, 0))
        return "avail_vcpus: vcpu 0 is always online";
    for (int i = info->max_vcpus; i < (int)info->avail_vcpus.size * 8; i++)
        if (libxl_bitmap_test(&info->avail_vcpus, i))
            return "avail_vcpus: has a vcpu that is not below max_vcpus";
    if (sched->weight != -1 && (sched->weight < 1 || sched->weight > MOST_SHARE))
        return "sched_params.weight: not between 1 and 65535";
    if (sched->cap != -1 && (sched->cap < 0 || sched->cap > MOST_SHARE))
        return "sched_params.cap: not between 0 and 65535";
    if (info->max_grant_version != -1 &&
        (info->max_grant_version < 1 || info->max_grant_version > MOST_GRANT_VERSION))
        return "max_grant_version: not 1 or 2";
    for (int i = 0; i < info->num_ioports; i++)
        if (!info->ioports[i].number || info->ioports[i].first > LAST_PORT ||
            info->ioports[i].number > LAST_PORT + 1 - info->ioports[i].first)
            return "ioports: not a range of ports";
    for (int i = 0; i < info->num_iomem; i++)
        if (!info->iomem[i].number || info->iomem[i].start + info->iomem[i].number < info->iomem[i].start)
            return "iomem: not a range of pages";
    return NULL;
}

int libxl__create_check_settings(libxl__ao *ao, const libxl_domain_config *config)
{
    const char *wrong = wrong_field(config);
    if (wrong)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.%s", wrong);
    bool found = true;
    /* libxl__create_pool_start checks a cpupool that the configuration names. So only a number is checked here. */
    const bool checks = config->c_info.poolid && !config->c_info.pool_name;
    const int rc = checks ? libxl__hv_has_cpupool(ao, config->c_info.poolid, &found) : 0;
    if (rc)
        return rc;
    if (!found)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.poolid: there is no cpupool %u",
                              config->c_info.poolid);
    return 0;
}

int libxl__create_apply_settings(libxl__ao *ao, uint32_t domid, const libxl_domain_config *config)
{
    const libxl_domain_sched_params *p = &config->b_info.sched_params;
    if (p->sched == LIBXL_SCHEDULER_UNKNOWN && p->weight == -1 && p->cap == -1 && p->period == -1 &&
        p->budget == -1 && p->extratime == -1)
        return 0;
    return libxl__hv_set_sched(ao, "d_config.b_info.sched_params", domid, p);
}
