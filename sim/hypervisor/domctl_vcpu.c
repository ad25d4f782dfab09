/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The subcommands of the hypercall domctl about vcpus, scheduling and triggers. Owns nothing. Lock: machine->lock. */
#include "machine.h"

#include <string.h>
#include <xen/domctl.h>

#define DEFAULT_WEIGHT 256

void vcpus_reset(struct domain *d)
{
    struct domain_big *big = domain_big(d);
    memset(big->hard, 0xff, sizeof big->hard);
    memset(big->soft, 0xff, sizeof big->soft);
    d->weight = DEFAULT_WEIGHT;
    d->nodes = ALL_NODES;
}

/*
 * Writes a set of processors into the caller's bitmap. If the set has all processors, sets all bits of the
 * bitmap, as the hypervisor does.
 */
static void put(struct xenctl_bitmap *map, uint8_t set)
{
    uint32_t octets = (map->nr_bits + 7) / 8;
    if (!map->bitmap.p || !octets)
        return;
    memset(map->bitmap.p, set == 0xff ? 0xff : 0, octets);
    *(uint8_t *)map->bitmap.p = set;
}

static uint8_t get(const struct xenctl_bitmap *map)
{
    return map->bitmap.p && map->nr_bits ? *(const uint8_t *)map->bitmap.p : 0;
}

static uint8_t *affinity_of(uint8_t *table, uint32_t vcpu)
{
    return &table[vcpu % AFFINITIES];
}

static long get_affinity(struct domain *d, struct xen_domctl_vcpuaffinity *v)
{
    struct domain_big *big = domain_big(d);
    if (v->vcpu >= d->max_vcpus)
        return -EINVAL;
    if (v->flags & XEN_VCPUAFFINITY_HARD)
        put(&v->cpumap_hard, *affinity_of(big->hard, v->vcpu));
    if (v->flags & XEN_VCPUAFFINITY_SOFT)
        put(&v->cpumap_soft, *affinity_of(big->soft, v->vcpu));
    return 0;
}

/* Sets the affinities. Writes the affinities that have come into effect into the caller's bitmaps. */
static long set_affinity(struct domain *d, struct xen_domctl_vcpuaffinity *v)
{
    struct domain_big *big = domain_big(d);
    if (v->vcpu >= d->max_vcpus || !(v->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        return -EINVAL;
    uint8_t *hard = affinity_of(big->hard, v->vcpu), *soft = affinity_of(big->soft, v->vcpu);
    if (v->flags & XEN_VCPUAFFINITY_HARD) {
        if (!(get(&v->cpumap_hard) & ALL_CPUS))
            return -EINVAL;
        *hard = get(&v->cpumap_hard);
        put(&v->cpumap_hard, *hard & ALL_CPUS);
    }
    if (v->flags & XEN_VCPUAFFINITY_SOFT) {
        *soft = get(&v->cpumap_soft);
        put(&v->cpumap_soft, *soft & *hard & ALL_CPUS);
    }
    return 0;
}

static long set_nodes(struct domain *d, const struct xen_domctl_nodeaffinity *n)
{
    uint8_t nodes = get(&n->nodemap) & ALL_NODES;
    if (!nodes)
        return -EINVAL;
    d->nodes = nodes;
    return 0;
}

/* Gets or sets the parameters of credit2, the only simulated scheduler. A parameter with the value 0 is not set. */
static long scheduler(struct domain *d, struct xen_domctl_scheduler_op *o)
{
    const struct cpupool *pool = cpupool_get(d->cpupool);
    if (o->sched_id != XEN_SCHEDULER_CREDIT2 || !pool || pool->sched != o->sched_id)
        return -EINVAL;
    switch (o->cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        o->u.credit2.weight = d->weight;
        o->u.credit2.cap = d->cap;
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        if (o->u.credit2.cap > 100 * d->max_vcpus)
            return -EINVAL;
        d->weight = o->u.credit2.weight ? o->u.credit2.weight : d->weight;
        d->cap = o->u.credit2.cap;
        return 0;
    default: return -EINVAL;
    }
}

static long trigger(struct domain *d, const struct xen_domctl_sendtrigger *t)
{
    if (t->vcpu >= d->max_vcpus)
        return -ESRCH;
    switch (t->trigger) {
    case XEN_DOMCTL_SENDTRIGGER_NMI: break;
    case XEN_DOMCTL_SENDTRIGGER_POWER:
    case XEN_DOMCTL_SENDTRIGGER_SLEEP:
        if (!domain_is_hvm(d))
            return -EINVAL;
        break;
    default: return -ENOSYS;
    }
    d->triggers |= 1u << t->trigger;
    return 0;
}

/* Describes a vcpu. All processor time of the domain is attributed to the first vcpu. */
static long info(const struct domain *d, struct xen_domctl_getvcpuinfo *v)
{
    uint32_t n = v->vcpu;
    if (n >= d->max_vcpus)
        return -EINVAL;
    bool online = n < d->online_vcpus, running = online && d->running;
    *v = (struct xen_domctl_getvcpuinfo){
        .vcpu = n,
        .online = online,
        .running = running,
        .blocked = online && !running,
        .cpu = n % NR_CPUS,
        .cpu_time = n ? 0 : d->cpu_ns + (d->running ? now_ns() - d->run_since_ns : 0)};
    return 0;
}

/* Returns registers that are all 0, because a guest's registers are not simulated. */
static long get_context(const struct domain *d, const struct xen_domctl_vcpucontext *v)
{
    if (v->vcpu >= d->max_vcpus || !v->ctxt.p)
        return -EINVAL;
    if (v->vcpu >= d->online_vcpus)
        return -ENODATA;
    if (d->has_context && !v->vcpu) {
        *v->ctxt.p = domain_big(d)->context;
        return 0;
    }
    memset(v->ctxt.p, 0, sizeof *v->ctxt.p);
    v->ctxt.p->ctrlreg[3] = v->vcpu ? 0 : d->cr3;
    return 0;
}

static long set_context(struct domain *d, const struct xen_domctl_vcpucontext *v)
{
    if (v->vcpu >= d->max_vcpus || !v->ctxt.p)
        return -EINVAL;
    if (!v->vcpu) {
        domain_big(d)->context = *v->ctxt.p;
        d->has_context = true;
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
    case XEN_DOMCTL_max_vcpus:
        if (op->u.max_vcpus.max != d->max_vcpus)
            return -EINVAL;
        d->has_vcpus = true;
        return 0;
    case XEN_DOMCTL_getvcpuinfo: return info(d, &op->u.getvcpuinfo);
    case XEN_DOMCTL_getvcpuaffinity: return get_affinity(d, &op->u.vcpuaffinity);
    case XEN_DOMCTL_setvcpuaffinity: return set_affinity(d, &op->u.vcpuaffinity);
    case XEN_DOMCTL_getnodeaffinity: put(&op->u.nodeaffinity.nodemap, d->nodes); return 0;
    case XEN_DOMCTL_setnodeaffinity: return set_nodes(d, &op->u.nodeaffinity);
    case XEN_DOMCTL_scheduler_op: return scheduler(d, &op->u.scheduler_op);
    case XEN_DOMCTL_sendtrigger: return trigger(d, &op->u.sendtrigger);
    /* A vcpu has no state besides its context. */
    case XEN_DOMCTL_get_ext_vcpucontext: op->u.ext_vcpucontext.size = sizeof op->u.ext_vcpucontext; return 0;
    case XEN_DOMCTL_getvcpuextstate: op->u.vcpuextstate.size = 0; return 0;
    case XEN_DOMCTL_get_vcpu_msrs: op->u.vcpu_msrs.msr_count = 0; return 0;
    case XEN_DOMCTL_getvcpucontext: return get_context(d, &op->u.vcpucontext);
    case XEN_DOMCTL_setvcpucontext: return set_context(d, &op->u.vcpucontext);
    default: return -ENOSYS;
    }
}
