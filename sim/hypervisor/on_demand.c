/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guest memory that is populated on demand. A page has no frame until the guest first accesses it. The domain
 * owns a pool of frames for these pages. The frames in the pool count as the domain's memory.
 *
 * Owns: pod_entries (the number of pages without a frame) and pod_cache (the size of the pool) of each
 * domain. The pool is only a number, which is subtracted from machine->free_frames. Lock: machine->lock.
 */
#include "machine.h"

int pod_mark(struct domain *d, uint64_t gfn)
{
    int r = gfn_set(d, gfn, ON_DEMAND);
    d->pod_entries += !r;
    return r;
}

uint32_t pod_populate(struct domain *d, uint64_t gfn)
{
    if (!d->pod_cache)
        return NO_FRAME; /* the pool is empty; Xen would crash the guest in this case */
    machine->free_frames++;
    uint32_t frame = frames_alloc(d, 1);
    if (!frame || gfn_set(d, gfn, frame)) {
        machine->free_frames--;
        return NO_FRAME;
    }
    d->pod_cache--;
    d->pod_entries--;
    return frame;
}

static void resize(struct domain *d, uint64_t frames)
{
    machine->free_frames += d->pod_cache;
    machine->free_frames -= frames;
    d->tot_pages += frames - d->pod_cache;
    d->pod_cache = frames;
}

void pod_free(struct domain *d)
{
    resize(d, 0);
    d->pod_entries = 0;
}

long pod_set_target(struct domain *d, xen_pod_target_t *t)
{
    uint64_t populated = d->tot_pages - d->pod_cache;
    /*
     * The guest needs no pool any more when all its pages have frames. A guest that has no pages is still being
     * built, so it needs a pool.
     */
    bool useful = d->pod_entries || !populated;
    if (useful && t->target_pages > d->tot_pages) {
        uint64_t frames = t->target_pages - populated;
        if (populated && frames > d->pod_entries)
            frames = d->pod_entries;
        if (populated + frames > d->max_pages || frames > machine->free_frames + d->pod_cache)
            return -ENOMEM;
        resize(d, frames);
    }
    return pod_get_target(d, t);
}

long pod_get_target(const struct domain *d, xen_pod_target_t *t)
{
    t->tot_pages = d->tot_pages;
    t->pod_cache_pages = d->pod_cache;
    t->pod_entries = d->pod_entries;
    return 0;
}
