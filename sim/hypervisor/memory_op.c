/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hypercall memory_op: allocates, frees and maps a domain's memory. Lock: machine->lock. */
#include "machine.h"

#include <string.h>

#include <xen/memory.h>

static long populate(struct domain *d, xen_memory_reservation_t *r, bool at_gfn)
{
    uint64_t size = 1ull << r->extent_order;
    bool on_demand = at_gfn && domain_is_hvm(d) && r->mem_flags & XENMEMF_populate_on_demand;
    unsigned long done;
    for (done = 0; done < r->nr_extents; done++) {
        xen_pfn_t gfn = at_gfn ? r->extent_start.p[done] : 0;
        uint32_t first;
        if (on_demand) {
            for (uint64_t i = 0; i < size; i++)
                if (pod_mark(d, gfn + i))
                    return done;
            continue;
        }
        if (d->tot_pages + size > d->max_pages || !(first = frames_alloc(d, size)))
            break;
        d->tot_pages += size;
        if (!at_gfn || !domain_is_hvm(d)) {
            for (uint64_t i = 0; at_gfn && i < size; i++)
                m2p[first + i] = gfn + i;
            if (r->extent_start.p)
                r->extent_start.p[done] = first;
            continue;
        }
        for (uint64_t i = 0; i < size; i++)
            if (gfn_set(d, gfn + i, first + i))
                return done;
    }
    return done;
}

static long decrease(struct domain *d, xen_memory_reservation_t *r)
{
    for (unsigned long done = 0; done < r->nr_extents; done++)
        for (uint64_t i = 0; i < 1ull << r->extent_order; i++) {
            uint64_t number = r->extent_start.p[done] + i;
            if (domain_is_hvm(d) && gfn_get(d, number) == ON_DEMAND) {
                gfn_set(d, number, NO_FRAME);
                d->pod_entries--;
                continue;
            }
            uint32_t frame = frame_of(d, number);
            if (!frame)
                return done;
            if (domain_is_hvm(d))
                gfn_set(d, number, NO_FRAME);
            frame_free(d, frame);
            d->tot_pages--;
        }
    return r->nr_extents;
}

static long reservation(unsigned int cmd, xen_memory_reservation_t *r)
{
    struct domain *d = domain_get(r->domid);
    if (!d)
        return -ESRCH;
    if (r->extent_order > 18)
        return -EPERM;
    if (cmd == XENMEM_decrease_reservation)
        return decrease(d, r);
    if (cmd == XENMEM_claim_pages) {
        if (r->nr_extents > machine->free_frames)
            return -ENOMEM;
        d->claimed = r->nr_extents;
        return 0;
    }
    return d->state == DOMAIN_DYING ? 0 : populate(d, r, cmd == XENMEM_populate_physmap);
}

static long add_to_physmap(const struct xen_add_to_physmap *a)
{
    struct domain *d = domain_get(a->domid);
    if (!d)
        return -ESRCH;
    uint32_t frame = NO_FRAME;
    if (a->space == XENMAPSPACE_shared_info)
        frame = d->shared_info;
    else if (a->space == XENMAPSPACE_grant_table && a->idx < GRANT_FRAMES)
        frame = d->grant_frame[a->idx];
    else if (a->space == XENMAPSPACE_gmfn && (frame = frame_of(d, a->idx)))
        gfn_set(d, a->idx, NO_FRAME);
    return frame ? gfn_set(d, a->gpfn, frame) : -EINVAL;
}

static long size_of_domain(unsigned int cmd, domid_t domid)
{
    const struct domain *d = domain_get(domid);
    if (!d)
        return -ESRCH;
    return cmd == XENMEM_current_reservation   ? d->tot_pages
           : cmd == XENMEM_maximum_reservation ? d->max_pages
           : domain_is_hvm(d)                  ? d->max_gfn
                                               : pv_max_gfn(d);
}

/* The memory map of the host: RAM up to 3 GiB and from 4 GiB on, with the usual reserved pages. */
static long machine_memory_map(struct xen_memory_map *map)
{
    static const struct {
        uint64_t addr, size;
        uint32_t type;
    } __attribute__((packed)) all[] = {
        {0, 0x9fc00, 1},
        {0x9fc00, 0x400, 2},
        {0xf0000, 0x10000, 2},
        {0x100000, 0xbfef0000, 1},
        {0xbfff0000, 0x10000, 3},
        {0xfec00000, 0x1400000, 2},
        {0x100000000, 0x740000000, 1},
    };
    const uint32_t count = sizeof all / sizeof *all;
    if (map->nr_entries < count)
        return -EINVAL;
    memcpy(map->buffer.p, all, sizeof all);
    map->nr_entries = count;
    return 0;
}

long do_memory_op(unsigned int cmd, void *arg)
{
    struct domain *d;

    switch (cmd) {
    case XENMEM_populate_physmap:
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_claim_pages: return reservation(cmd, arg);
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn: return size_of_domain(cmd, *(domid_t *)arg);
    case XENMEM_add_to_physmap: return add_to_physmap(arg);
    case XENMEM_remove_from_physmap:
        d = domain_get(((struct xen_remove_from_physmap *)arg)->domid);
        return d ? gfn_set(d, ((struct xen_remove_from_physmap *)arg)->gpfn, NO_FRAME) : -ESRCH;
    case XENMEM_set_pod_target:
    case XENMEM_get_pod_target:
        if (!(d = domain_get(((xen_pod_target_t *)arg)->domid)))
            return -ESRCH;
        return cmd == XENMEM_set_pod_target ? pod_set_target(d, arg) : pod_get_target(d, arg);
    case XENMEM_machine_memory_map: return machine_memory_map(arg);
    case XENMEM_set_memory_map: return domain_get(((struct xen_foreign_memory_map *)arg)->domid) ? 0 : -ESRCH;
    case XENMEM_machphys_mfn_list: return m2p_list(arg);
    case XENMEM_maximum_ram_page: return machine->nr_frames;
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages: return 0;
    case XENMEM_get_vnumainfo: return -EOPNOTSUPP;
    default: return -ENOSYS;
    }
}
