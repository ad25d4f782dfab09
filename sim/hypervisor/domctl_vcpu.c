/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The subcommands of the hypercall domctl about vcpus. Owns nothing. Lock: machine->lock. */
#include "machine.h"

#include <string.h>
#include <xen/domctl.h>

static void fill(struct xenctl_bitmap *map)
{
    memset(map->bitmap.p, 0xff, (map->nr_bits + 7) / 8);
}

static long affinity(const struct domain *d, bool get, struct xen_domctl_vcpuaffinity *v)
{
    if (v->vcpu >= d->max_vcpus)
        return -EINVAL;
    if (get && v->flags & XEN_VCPUAFFINITY_HARD)
        fill(&v->cpumap_hard);
    if (get && v->flags & XEN_VCPUAFFINITY_SOFT)
        fill(&v->cpumap_soft);
    return 0;
}

static long info(const struct domain *d, struct xen_domctl_getvcpuinfo *v)
{
    uint32_t n = v->vcpu;
    if (n >= d->max_vcpus)
        return -EINVAL;
    bool online = n < d->online_vcpus, running = online && d->running;
    *v = (struct xen_domctl_getvcpuinfo){
        .vcpu = n, .online = online, .running = running, .blocked = online && !running, .cpu = n % NR_CPUS};
    return 0;
}

static long set_context(struct domain *d, const struct xen_domctl_vcpucontext *v)
{
    if (v->vcpu >= d->max_vcpus || !v->ctxt.p)
        return -EINVAL;
    if (!v->vcpu) {
        d->cr3 = v->ctxt.p->ctrlreg[3];
        d->start_info = v->ctxt.p->user_regs.rsi;
    }
    if (d->online_vcpus <= v->vcpu)
        d->online_vcpus = v->vcpu + 1;
    return 0;
}

long do_domctl_vcpu(struct domain *d, struct xen_domctl *op)
{
    switch (op->cmd) {
    case XEN_DOMCTL_max_vcpus: return op->u.max_vcpus.max == d->max_vcpus ? 0 : -EINVAL;
    case XEN_DOMCTL_getvcpuinfo: return info(d, &op->u.getvcpuinfo);
    case XEN_DOMCTL_getvcpuaffinity: return affinity(d, true, &op->u.vcpuaffinity);
    case XEN_DOMCTL_setvcpuaffinity: return affinity(d, false, &op->u.vcpuaffinity);
    case XEN_DOMCTL_getnodeaffinity: fill(&op->u.nodeaffinity.nodemap); return 0;
    case XEN_DOMCTL_setvcpucontext: return set_context(d, &op->u.vcpucontext);
    default: return -ENOSYS;
    }
}
