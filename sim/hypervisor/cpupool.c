/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cpupools: the sysctl cpupool_op. Pool 0 exists always, and has all processors at first. The errors are
 * those in the comment of struct xen_sysctl_cpupool_op in Xen's headers. Lock: machine->lock.
 */
#include "machine.h"

#include <string.h>
#include <xen/sysctl.h>

struct cpupool *cpupool_get(uint32_t id)
{
    for (int i = 0; i < MAX_CPUPOOLS; i++)
        if (machine->cpupools[i].used && machine->cpupools[i].id == id)
            return &machine->cpupools[i];
    return NULL;
}

/* Returns the pool with this number or the next higher number, or NULL if there is none. */
static struct cpupool *next_pool(uint32_t id)
{
    struct cpupool *next = NULL;
    for (int i = 0; i < MAX_CPUPOOLS; i++) {
        struct cpupool *pool = &machine->cpupools[i];
        if (pool->used && pool->id >= id && (!next || pool->id < next->id))
            next = pool;
    }
    return next;
}

static uint32_t free_cpus(void)
{
    uint32_t cpus = ALL_CPUS;
    for (int i = 0; i < MAX_CPUPOOLS; i++)
        if (machine->cpupools[i].used)
            cpus &= ~machine->cpupools[i].cpus;
    return cpus;
}

static uint32_t domains_of(const struct cpupool *pool)
{
    uint32_t n = 0;
    for (const struct domain *d = domain_next(0); d; d = domain_next(d->domid + 1))
        n += d->cpupool == pool->id;
    return n;
}

static long create(struct xen_sysctl_cpupool_op *o)
{
    const uint32_t sched = o->sched_id ? o->sched_id : XEN_SCHEDULER_CREDIT2;
    uint32_t id = o->cpupool_id;
    if (id == XEN_SYSCTL_CPUPOOL_PAR_ANY)
        for (id = 1; cpupool_get(id); id++)
            ;
    if (cpupool_get(id))
        return -EEXIST;
    if (sched < XEN_SCHEDULER_CREDIT || sched > XEN_SCHEDULER_NULL)
        return -ENOENT;
    for (int i = 0; i < MAX_CPUPOOLS; i++)
        if (!machine->cpupools[i].used) {
            machine->cpupools[i] = (struct cpupool){.used = true, .id = id, .sched = sched};
            o->cpupool_id = id;
            return 0;
        }
    return -ENOMEM;
}

static long destroy(struct cpupool *pool)
{
    if (pool->cpus || domains_of(pool))
        return -EBUSY;
    *pool = (struct cpupool){.used = false};
    return 0;
}

static long add(struct cpupool *pool, uint32_t cpu)
{
    if (cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY)
        cpu = free_cpus() ? (uint32_t)__builtin_ctz(free_cpus()) : NR_CPUS - 1;
    if (cpu >= NR_CPUS)
        return -EINVAL;
    if (!(free_cpus() >> cpu & 1))
        return -ENODEV;
    pool->cpus |= 1u << cpu;
    return 0;
}

static long take(struct cpupool *pool, uint32_t cpu)
{
    if (cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY)
        cpu = pool->cpus ? 31 - (uint32_t)__builtin_clz(pool->cpus) : 0;
    if (cpu >= NR_CPUS)
        return -EINVAL;
    if (!(pool->cpus >> cpu & 1))
        return -ENODEV;
    if (pool->cpus == 1u << cpu && domains_of(pool))
        return -EBUSY;
    pool->cpus &= ~(1u << cpu);
    return 0;
}

static long move(struct cpupool *pool, uint32_t domid)
{
    struct domain *d = domain_get(domid);
    if (!domid)
        return -EINVAL;
    if (!d)
        return -ESRCH;
    if (!pool->cpus)
        return -ENOENT;
    d->cpupool = pool->id;
    return 0;
}

static void put_map(struct xenctl_bitmap *map, uint32_t cpus)
{
    if (!map->bitmap.p || !map->nr_bits)
        return;
    memset(map->bitmap.p, 0, (map->nr_bits + 7) / 8);
    memcpy(map->bitmap.p, &cpus, 1);
}

long do_cpupool(struct xen_sysctl_cpupool_op *o)
{
    struct cpupool *pool = cpupool_get(o->cpupool_id);
    switch (o->op) {
    case XEN_SYSCTL_CPUPOOL_OP_CREATE: return create(o);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO: put_map(&o->cpumap, free_cpus()); return 0;
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        pool = next_pool(o->cpupool_id);
        if (!pool)
            return -ENOENT;
        o->cpupool_id = pool->id;
        o->sched_id = pool->sched;
        o->n_dom = domains_of(pool);
        put_map(&o->cpumap, pool->cpus);
        return 0;
    }
    if (!pool)
        return -ENOENT;
    switch (o->op) {
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY: return destroy(pool);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU: return add(pool, o->cpu);
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU: return take(pool, o->cpu);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN: return move(pool, o->domid);
    default: return -ENOSYS;
    }
}
