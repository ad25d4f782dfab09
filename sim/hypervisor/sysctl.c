/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hypercalls sysctl and xen_version, which describe the whole machine. Lock: machine->lock. */
#include "machine.h"

#include <string.h>
#include <xen/features.h>
#include <xen/sysctl.h>
#include <xen/version.h>

#define CPU_KHZ 2000000
#define CREDIT2 XEN_SCHEDULER_CREDIT2
/* The hypervisor's command line; with this option xl does not change dom0's memory. */
#define COMMAND_LINE "dom0_mem=512M"

static long physinfo(struct xen_sysctl_physinfo *p)
{
    *p = (struct xen_sysctl_physinfo){
        .threads_per_core = 1,
        .cores_per_socket = NR_CPUS,
        .nr_cpus = NR_CPUS,
        .max_cpu_id = NR_CPUS - 1,
        .nr_nodes = machine->nr_nodes_of_host,
        .cpu_khz = CPU_KHZ,
        .capabilities = machine->capabilities,
        .total_pages = machine->nr_frames + DOM0_PAGES,
        .free_pages = machine->free_frames,
        .max_mfn = machine->nr_frames,
    };
    return 0;
}

static long list(struct xen_sysctl_getdomaininfolist *l)
{
    uint32_t n = 0;
    const struct domain *next;
    for (const struct domain *d = domain_next(l->first_domain); d && n < l->max_domains; d = next) {
        next = domain_next(d->domid + 1);
        /* Prefetches two cache lines of the next domain, because domains are far apart in memory. */
        if (next) {
            __builtin_prefetch(next);
            __builtin_prefetch((const char *)next + 64);
        }
        domain_info(d, &l->buffer.p[n++]);
    }
    l->num_domains = n;
    return 0;
}

static long console(struct xen_sysctl_readconsole *r)
{
    static const char text[] = "(XEN) simulated by aioxen-sim\n";
    uint32_t n = r->index ? 0 : sizeof text - 1;
    if (n > r->count)
        n = r->count;
    memcpy(r->buffer.p, text, n);
    r->count = n;
    r->index += n;
    return 0;
}

static long cpu_topology(struct xen_sysctl_cputopoinfo *t)
{
    for (uint32_t i = 0; t->cputopo.p && i < t->num_cpus && i < NR_CPUS; i++)
        t->cputopo.p[i] = (struct xen_sysctl_cputopo){.core = i, .node = i % machine->nr_nodes_of_host};
    t->num_cpus = NR_CPUS;
    return 0;
}

/* Describes the NUMA nodes. All nodes have the same amount of memory. */
static long numa(struct xen_sysctl_numainfo *t)
{
    const uint32_t nodes = machine->nr_nodes_of_host;
    for (uint32_t i = 0; i < nodes && i < t->num_nodes; i++) {
        if (t->meminfo.p)
            t->meminfo.p[i] = (struct xen_sysctl_meminfo){
                .memsize = (uint64_t)machine->nr_frames / nodes << XC_PAGE_SHIFT,
                .memfree = (uint64_t)machine->free_frames / nodes << XC_PAGE_SHIFT};
        for (uint32_t j = 0; t->distance.p && j < nodes; j++)
            t->distance.p[i * t->num_nodes + j] = i == j ? 10 : 20;
    }
    t->num_nodes = nodes;
    return 0;
}

/* Every device is on node 0. A device of a segment above 0 is not known. */
static long pci_topology(struct xen_sysctl_pcitopoinfo *t)
{
    for (uint32_t i = 0; i < t->num_devs; i++)
        t->nodes.p[i] = t->devs.p[i].seg ? XEN_INVALID_DEV : 0;
    return 0;
}

static long scheduler(struct xen_sysctl_scheduler_op *o)
{
    const struct cpupool *pool = cpupool_get(o->cpupool_id);
    if (!pool)
        return -ESRCH;
    if (o->sched_id != pool->sched || o->sched_id != CREDIT2)
        return -EINVAL;
    uint32_t *us = &o->u.sched_credit2.ratelimit_us;
    if (o->cmd == XEN_SYSCTL_SCHEDOP_putinfo) {
        if (*us && (*us < XEN_SYSCTL_SCHED_RATELIMIT_MIN || *us > XEN_SYSCTL_SCHED_RATELIMIT_MAX))
            return -EINVAL;
        machine->ratelimit_us = *us;
    }
    *us = machine->ratelimit_us;
    return 0;
}

long do_sysctl(struct xen_sysctl *op)
{
    if (op->interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    switch (op->cmd) {
    case XEN_SYSCTL_physinfo: return physinfo(&op->u.physinfo);
    case XEN_SYSCTL_getdomaininfolist: return list(&op->u.getdomaininfolist);
    case XEN_SYSCTL_readconsole: return console(&op->u.readconsole);
    case XEN_SYSCTL_cputopoinfo: return cpu_topology(&op->u.cputopoinfo);
    case XEN_SYSCTL_pcitopoinfo: return pci_topology(&op->u.pcitopoinfo);
    case XEN_SYSCTL_numainfo: return numa(&op->u.numainfo);
    case XEN_SYSCTL_cpupool_op: return do_cpupool(&op->u.cpupool_op);
    case XEN_SYSCTL_get_cpu_policy: return policy_get_system(&op->u.cpu_policy);
    case XEN_SYSCTL_get_cpu_featureset: return policy_get_featureset(&op->u.cpu_featureset);
    case XEN_SYSCTL_scheduler_op: return scheduler(&op->u.scheduler_op);
    case XEN_SYSCTL_debug_keys: return 0;
    case XEN_SYSCTL_sched_id: op->u.sched_id.sched_id = CREDIT2; return 0;
    case XEN_SYSCTL_availheap:
        op->u.availheap.avail_bytes = (uint64_t)machine->free_frames << XC_PAGE_SHIFT;
        return 0;
    default: return -ENOSYS;
    }
}

long do_xen_version(unsigned int cmd, void *arg)
{
    static const char *const text[] = {
        [XENVER_extraversion] = ".0-sim",
        [XENVER_capabilities] = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ",
        [XENVER_changeset] = "unavailable",
        [XENVER_commandline] = COMMAND_LINE,
    };
    xen_feature_info_t *features = arg;

    switch (cmd) {
    case XENVER_version: return 4 << 16 | XEN_MINOR; /* the release of Xen's headers */
    case XENVER_pagesize: return XC_PAGE_SIZE;
    case XENVER_guest_handle: return 0;
    case XENVER_build_id: return -ENODATA;
    case XENVER_extraversion:
    case XENVER_capabilities:
    case XENVER_changeset:
    case XENVER_commandline: strcpy(arg, text[cmd]); return 0;
    case XENVER_compile_info:
        *(struct xen_compile_info *)arg = (struct xen_compile_info){
            .compiler = "none", .compile_by = "aioxen-sim", .compile_date = "never"};
        return 0;
    case XENVER_platform_parameters:
        ((xen_platform_parameters_t *)arg)->virt_start = 0xffff800000000000ul;
        return 0;
    case XENVER_get_features:
        features->submap = features->submap_idx
                               ? 0
                               : 1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |
                                     1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_dom0 |
                                     1u << XENFEAT_memory_op_vnode_supported;
        return 0;
    default: return -ENOSYS;
    }
}
