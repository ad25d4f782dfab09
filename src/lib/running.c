/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions for running domains (libxl_running.h). Each runs an operation of this
 * library. Owns nothing: arrays belong to the caller. Any thread may call these functions, without the
 * context's lock.
 */
#include "ops.h"
#include "running.h"

#include <limits.h>
#include <stdlib.h>

#include <libxl_utils.h>

/* ---- virtual processors */

libxl_vcpuinfo *libxl_list_vcpu(libxl_ctx *ctx, uint32_t domid, int *nb_vcpu, int *nr_cpus_out)
{
    libxl_vcpu_list list;
    *nb_vcpu = 0;
    *nr_cpus_out = libxl_get_max_cpus(ctx);
    if (*nr_cpus_out < 0 || libxl_domain_list_vcpus(ctx, domid, &list, NULL))
        return NULL;
    *nb_vcpu = list.num_vcpus;
    return list.vcpus;
}

int libxl_set_vcpuaffinity(libxl_ctx *ctx, uint32_t domid, uint32_t vcpuid, const libxl_bitmap *cpumap_hard,
                           const libxl_bitmap *cpumap_soft)
{
    return libxl_domain_set_vcpu_affinity(ctx, domid, cpumap_hard, cpumap_soft, vcpuid, false, NULL);
}

int libxl_set_vcpuaffinity_force(libxl_ctx *ctx, uint32_t domid, uint32_t vcpuid,
                                 const libxl_bitmap *cpumap_hard, const libxl_bitmap *cpumap_soft)
{
    return libxl_domain_set_vcpu_affinity(ctx, domid, cpumap_hard, cpumap_soft, vcpuid, true, NULL);
}

int libxl_set_vcpuaffinity_all(libxl_ctx *ctx, uint32_t domid, unsigned int max_vcpus,
                               const libxl_bitmap *cpumap_hard, const libxl_bitmap *cpumap_soft)
{
    int first = 0;
    for (unsigned i = 0; i < max_vcpus; i++) {
        const int rc = libxl_set_vcpuaffinity(ctx, domid, i, cpumap_hard, cpumap_soft);
        first = first ? first : rc;
    }
    return first;
}

int libxl_domain_set_nodeaffinity(libxl_ctx *ctx, uint32_t domid, libxl_bitmap *nodemap)
{
    return libxl_domain_set_node_affinity(ctx, domid, nodemap, NULL);
}

int libxl_domain_get_nodeaffinity(libxl_ctx *ctx, uint32_t domid, libxl_bitmap *nodemap)
{
    libxl_bitmap nodes;
    const int rc = libxl_domain_get_node_affinity(ctx, domid, &nodes, NULL);
    if (rc)
        return rc;
    libxl_bitmap_dispose(nodemap);
    *nodemap = nodes;
    return 0;
}

/* ---- schedulers */

int libxl_get_scheduler(libxl_ctx *ctx)
{
    libxl_scheduler sched;
    const int rc = libxl_host_scheduler(ctx, &sched, NULL);
    return rc ? rc : (int)sched;
}

int libxl_sched_credit_params_get(libxl_ctx *ctx, uint32_t poolid, libxl_sched_credit_params *scinfo)
{
    return libxl_sched_get_credit_params(ctx, poolid, scinfo, NULL);
}

int libxl_sched_credit_params_set(libxl_ctx *ctx, uint32_t poolid, libxl_sched_credit_params *scinfo)
{
    return libxl_sched_set_credit_params(ctx, poolid, scinfo, NULL);
}

int libxl_sched_credit2_params_get(libxl_ctx *ctx, uint32_t poolid, libxl_sched_credit2_params *scinfo)
{
    return libxl_sched_get_credit2_params(ctx, poolid, scinfo, NULL);
}

int libxl_sched_credit2_params_set(libxl_ctx *ctx, uint32_t poolid, libxl_sched_credit2_params *scinfo)
{
    return libxl_sched_set_credit2_params(ctx, poolid, scinfo, NULL);
}

int libxl_domain_sched_params_get(libxl_ctx *ctx, uint32_t domid, libxl_domain_sched_params *params)
{
    return libxl_domain_get_sched_params(ctx, domid, params, NULL);
}

int libxl_domain_sched_params_set(libxl_ctx *ctx, uint32_t domid, const libxl_domain_sched_params *params)
{
    return libxl_domain_set_sched_params(ctx, domid, params, NULL);
}

int libxl_vcpu_sched_params_get_all(libxl_ctx *ctx, uint32_t domid, libxl_vcpu_sched_params *params)
{
    libxl_vcpu_sched_params all;
    const int rc = libxl_domain_get_vcpu_sched_params(ctx, domid, &all, NULL);
    if (rc)
        return rc;
    libxl_vcpu_sched_params_dispose(params);
    *params = all;
    return 0;
}

int libxl_vcpu_sched_params_get(libxl_ctx *ctx, uint32_t domid, libxl_vcpu_sched_params *params)
{
    libxl_vcpu_sched_params all;
    if (!params->num_vcpus)
        return libxl_vcpu_sched_params_get_all(ctx, domid, params);
    int rc = libxl_domain_get_vcpu_sched_params(ctx, domid, &all, NULL);
    if (rc)
        return rc;
    for (int i = 0; !rc && i < params->num_vcpus; i++) {
        const int vcpuid = params->vcpus[i].vcpuid;
        if (vcpuid < 0 || vcpuid >= all.num_vcpus)
            rc = libxl__refuse(ERROR_INVAL, "params.vcpus[%d].vcpuid: there is no vcpu %d", i, vcpuid);
        else
            params->vcpus[i] = all.vcpus[vcpuid];
    }
    params->sched = all.sched;
    libxl_vcpu_sched_params_dispose(&all);
    return rc;
}

int libxl_vcpu_sched_params_set(libxl_ctx *ctx, uint32_t domid, const libxl_vcpu_sched_params *params)
{
    return libxl_domain_set_vcpu_sched_params(ctx, domid, params, NULL);
}

int libxl_vcpu_sched_params_set_all(libxl_ctx *ctx, uint32_t domid, const libxl_vcpu_sched_params *params)
{
    libxl_vcpu_sched_params all;
    if (params->num_vcpus != 1)
        return libxl__refuse(ERROR_INVAL, "params.vcpus: has %d elements and not one", params->num_vcpus);
    int rc = libxl_domain_get_vcpu_sched_params(ctx, domid, &all, NULL);
    if (rc)
        return rc;
    for (int i = 0; i < all.num_vcpus; i++) {
        all.vcpus[i] = params->vcpus[0];
        all.vcpus[i].vcpuid = i;
    }
    rc = libxl_domain_set_vcpu_sched_params(ctx, domid, &all, NULL);
    libxl_vcpu_sched_params_dispose(&all);
    return rc;
}

/* ---- names, memory, requests */

/* As in libxl, the error for a name that another domain has is INVAL. */
int libxl_domain_rename(libxl_ctx *ctx, uint32_t domid, const char *old_name, const char *new_name)
{
    const int rc = libxl_domain_set_name(ctx, domid, new_name, old_name, NULL);
    return rc == ERROR_DOMAIN_EXISTS ? ERROR_INVAL : rc;
}

int libxl_set_memory_target(libxl_ctx *ctx, uint32_t domid, int64_t target_memkb, int relative, int enforce)
{
    uint64_t unused;
    return libxl_domain_set_memory(ctx, domid, target_memkb, relative, enforce, false, &unused, NULL);
}

static int milliseconds(int seconds)
{
    return seconds < 0 ? 0 : seconds > INT_MAX / 1000 ? INT_MAX : seconds * 1000;
}

int libxl_get_memory_target(libxl_ctx *ctx, uint32_t domid, uint64_t *out_target)
{
    return libxl_domain_get_memory_target(ctx, domid, out_target, NULL);
}

int libxl_domain_setmaxmem(libxl_ctx *ctx, uint32_t domid, uint64_t target_memkb)
{
    return libxl_domain_set_max_memory(ctx, domid, target_memkb, NULL);
}

/* As in libxl, a guest that makes no progress gives FAIL. libxl_error_message has the reason. */
int libxl_wait_for_memory_target(libxl_ctx *ctx, uint32_t domid, int wait_secs)
{
    uint64_t unused;
    const int rc = libxl_domain_wait_memory(ctx, domid, milliseconds(wait_secs), &unused, NULL);
    return rc == ERROR_GUEST_TIMEDOUT ? ERROR_FAIL : rc;
}

/* As in libxl, a host with too little memory gives NOMEM. */
int libxl_wait_for_free_memory(libxl_ctx *ctx, uint32_t domid, uint64_t memory_kb, int wait_secs)
{
    uint64_t unused;
    (void)domid;
    const int rc = libxl_host_wait_free_memory(ctx, memory_kb, milliseconds(wait_secs), &unused, NULL);
    return rc == ERROR_NO_MEMORY_FOR_GUEST ? ERROR_NOMEM : rc;
}

int libxl_send_sysrq(libxl_ctx *ctx, uint32_t domid, char sysrq)
{
    const char text[] = {sysrq, '\0'};
    return libxl_domain_send_sysrq(ctx, domid, text, false, NULL);
}

/* ---- the host */

int libxl_send_debug_keys(libxl_ctx *ctx, char *keys)
{
    return libxl_host_send_debug_keys(ctx, keys, NULL);
}

int libxl_get_free_memory(libxl_ctx *ctx, uint64_t *memkb)
{
    return libxl_host_free_memory(ctx, memkb, NULL);
}

/* `domid_for_logging` is not used: in libxl it only appears in log lines. */
int libxl_domain_need_memory(libxl_ctx *ctx, libxl_domain_config *config, uint32_t domid_for_logging,
                             uint64_t *need_memkb)
{
    (void)domid_for_logging;
    return libxl_host_memory_needed(ctx, config, need_memkb, NULL);
}

int libxl_get_max_cpus(libxl_ctx *ctx)
{
    libxl_physinfo info;
    const int rc = libxl_host_info(ctx, &info, NULL);
    return rc ? rc : (int)info.max_cpu_id + 1;
}

int libxl_get_online_cpus(libxl_ctx *ctx)
{
    libxl_physinfo info;
    const int rc = libxl_host_info(ctx, &info, NULL);
    return rc ? rc : (int)info.nr_cpus;
}

int libxl_get_max_nodes(libxl_ctx *ctx)
{
    libxl_physinfo info;
    const int rc = libxl_host_info(ctx, &info, NULL);
    return rc ? rc : (int)info.nr_nodes;
}

/*
 * Makes an empty bitmap with `count` bits. If `count` is 0, the function `most` returns the number of bits.
 */
static int bitmap_for(libxl_ctx *ctx, libxl_bitmap *map, int count, int (*most)(libxl_ctx *ctx))
{
    if (count < 0)
        return libxl__refuse(ERROR_INVAL, "the number %d is negative", count);
    if (!count)
        count = most(ctx);
    return count < 0 ? count : libxl_bitmap_alloc(ctx, map, count);
}

int libxl_cpu_bitmap_alloc(libxl_ctx *ctx, libxl_bitmap *cpumap, int max_cpus)
{
    return bitmap_for(ctx, cpumap, max_cpus, libxl_get_max_cpus);
}

int libxl_node_bitmap_alloc(libxl_ctx *ctx, libxl_bitmap *nodemap, int max_nodes)
{
    return bitmap_for(ctx, nodemap, max_nodes, libxl_get_max_nodes);
}
