/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Log-dirty mode: which pages a guest has written since a toolstack last read this set. Only two kinds of pages are
 * recorded: the pages from DIRTY_FIRST on, into which sim/guests/dirty.c writes while a guest runs, and the page with
 * the start information, into which a PV guest writes before it suspends itself.
 *
 * Owns: log_dirty and dirty_page of each domain, and `dirty` of each struct domain_big. Lock: machine->lock.
 */
#include "machine.h"

#include <string.h>

void log_dirty_note(struct domain *d, uint64_t gfn)
{
    if (!d->log_dirty)
        return;
    if (gfn < DIRTY_FIRST || gfn >= DIRTY_FIRST + DIRTY_PAGES)
        d->dirty_page = (uint32_t)gfn;
    else
        domain_big(d)->dirty[(gfn - DIRTY_FIRST) / 8] |= (uint8_t)(1u << (gfn - DIRTY_FIRST) % 8);
}

static long begin(struct domain *d)
{
    if (d->log_dirty)
        return -EINVAL;
    memset(domain_big(d)->dirty, 0, sizeof domain_big(d)->dirty);
    d->dirty_page = 0;
    d->log_dirty = true;
    return 0;
}

/* Copies the set of pages into the caller's bitmap. The bitmap may have fewer bits than the domain has pages. */
static long look(struct domain *d, struct xen_domctl_shadow_op *o, bool clean)
{
    _Static_assert(DIRTY_FIRST % 8 == 0, "the set begins with an octet of the caller's set");
    uint8_t *set = domain_big(d)->dirty;
    if (!d->log_dirty)
        return -EINVAL;
    o->stats = (struct xen_domctl_shadow_op_stats){0};
    if (o->dirty_bitmap.p)
        memset(o->dirty_bitmap.p, 0, (o->pages + 7) / 8);
    for (size_t i = 0; i < sizeof domain_big(d)->dirty; i++) {
        o->stats.dirty_count += (uint32_t)__builtin_popcount(set[i]);
        if (o->dirty_bitmap.p && DIRTY_FIRST + 8 * i < o->pages)
            o->dirty_bitmap.p[DIRTY_FIRST / 8 + i] = set[i];
    }
    if (d->dirty_page) {
        o->stats.dirty_count++;
        if (o->dirty_bitmap.p && d->dirty_page < o->pages)
            o->dirty_bitmap.p[d->dirty_page / 8] |= (uint8_t)(1u << d->dirty_page % 8);
    }
    o->stats.fault_count = o->stats.dirty_count;
    if (clean) {
        memset(set, 0, sizeof domain_big(d)->dirty);
        d->dirty_page = 0;
    }
    return 0;
}

long do_shadow_op(struct domain *d, struct xen_domctl_shadow_op *o)
{
    switch (o->op) {
    case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION: d->shadow_mb = o->mb; return 0;
    case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION: o->mb = d->shadow_mb; return 0;
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY: return begin(d);
    case XEN_DOMCTL_SHADOW_OP_CLEAN: return look(d, o, true);
    case XEN_DOMCTL_SHADOW_OP_PEEK: return look(d, o, false);
    case XEN_DOMCTL_SHADOW_OP_OFF: d->log_dirty = false; return 0;
    default: return -EINVAL;
    }
}
