/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bodies of the instant operations on running domains, and of the queries about the host's processors,
 * nodes and schedulers. Each body calls one function of src/xen/running.h. A synchronous call takes no lock
 * (ao.h). This file owns nothing.
 */
#include "cpupools.h"
#include "ops.h"
#include "running.h"

/* Defines the body of an instant operation that makes one call. */
#define BODY(name, call)                                                                                     \
    int libxl__##name##_body(libxl__ao *ao, libxl__##name##_args *args)                                      \
    {                                                                                                        \
        return call;                                                                                         \
    }

BODY(domain_list_vcpus, libxl__hv_list_vcpus(ao, args->in.domid, args->out.list))
BODY(domain_set_vcpu_affinity,
     libxl__hv_set_affinity(ao, args->in.domid, args->in.vcpuid, args->in.has_hard ? &args->in.hard : NULL,
                            args->in.has_soft ? &args->in.soft : NULL, args->in.force))
BODY(domain_set_node_affinity, libxl__hv_set_nodes(ao, args->in.domid, &args->in.nodemap))
BODY(domain_get_node_affinity, libxl__hv_get_nodes(ao, args->in.domid, args->out.nodemap))
BODY(domain_get_sched_params, libxl__hv_get_sched(ao, args->in.domid, args->out.params))
BODY(domain_set_sched_params, libxl__hv_set_sched(ao, "params", args->in.domid, &args->in.params))
BODY(domain_get_vcpu_sched_params, libxl__hv_get_vcpu_sched(ao, args->in.domid, args->out.params))
BODY(domain_set_vcpu_sched_params, libxl__hv_set_vcpu_sched(ao, args->in.domid, &args->in.params))
BODY(host_scheduler, libxl__hv_scheduler(ao, args->out.sched))
BODY(sched_get_credit_params, libxl__hv_get_credit(ao, args->in.poolid, args->out.params))
BODY(sched_set_credit_params, libxl__hv_set_credit(ao, args->in.poolid, &args->in.params))
BODY(sched_get_credit2_params, libxl__hv_get_credit2(ao, args->in.poolid, args->out.params))
BODY(sched_set_credit2_params, libxl__hv_set_credit2(ao, args->in.poolid, &args->in.params))
BODY(send_trigger, libxl__hv_trigger(ao, args->in.domid, args->in.trigger, args->in.vcpuid))
BODY(host_send_debug_keys, libxl__hv_debug_keys(ao, args->in.keys))
BODY(host_free_memory, libxl__hv_free_memory(ao, args->out.memkb))
/* The memory that libxl 4.17 adds to the target of a domain when it computes the memory needed, in KiB. */
enum { PV_EXTRA_KB = 1024, PVH_EXTRA_KB = 2048, VCPU_KB = 1024, MB_KB = 4, ROUNDED_TO_KB = 2048 };

static bool is_given(uint64_t memkb)
{
    return memkb && memkb != LIBXL_MEMKB_DEFAULT;
}

int libxl__host_memory_needed_body(libxl__ao *ao, libxl__host_memory_needed_args *args)
{
    const libxl_domain_build_info *info = &args->in.d_config.b_info;
    const libxl_domain_type type = args->in.d_config.c_info.type;
    if (type == LIBXL_DOMAIN_TYPE_INVALID)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.type: missing");
    const uint64_t target = is_given(info->target_memkb) ? info->target_memkb : info->max_memkb;
    const uint64_t max = is_given(info->max_memkb) ? info->max_memkb : target;
    if (!is_given(target))
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.target_memkb: missing");
    const uint64_t paging = info->shadow_memkb != LIBXL_MEMKB_DEFAULT
                                ? info->shadow_memkb
                                : (uint64_t)info->max_vcpus * VCPU_KB + max / 1024 * MB_KB;
    const uint64_t kb = target + paging + (type == LIBXL_DOMAIN_TYPE_PV ? PV_EXTRA_KB : PVH_EXTRA_KB);
    *args->out.memkb = (kb + ROUNDED_TO_KB - 1) / ROUNDED_TO_KB * ROUNDED_TO_KB;
    return 0;
}

BODY(host_cpu_topology, libxl__hv_topology(ao, args->out.list))
BODY(host_numa, libxl__hv_numa(ao, args->out.list))
BODY(host_pci_topology, libxl__hv_pci_topology(ao, args->out.list))
BODY(host_add_cpupool_cpus, libxl__hv_change_cpus(ao, args->in.poolid, &args->in.cpumap, true))
BODY(host_remove_cpupool_cpus, libxl__hv_change_cpus(ao, args->in.poolid, &args->in.cpumap, false))
BODY(host_free_cpus, libxl__hv_free_cpus(ao, args->out.cpumap))
BODY(domain_set_cpupool, libxl__hv_move_domain(ao, args->in.poolid, args->in.domid))
