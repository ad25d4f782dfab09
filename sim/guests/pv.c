/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel of a PV guest does so that the guest can be saved (Xen's public headers xen.h and arch-x86/xen.h).
 * The kernel publishes the table of the guest's frames by two lists. The first list has the numbers of the frames
 * that contain the table. The second list has the number of the frame that contains the first list. The shared
 * information has the number of the frame that contains the second list. The lists are in the last two frames of the
 * guest, which have no other use. The first list fills one frame, so a guest may have at most 1 GB.
 *
 * Owns: the last two frames of each PV guest. Lock: machine->lock.
 */
#include "guests.h"

#include <unistd.h>

enum { ENTRIES = XC_PAGE_SIZE / sizeof(uint64_t) };
/* The result of the hypercall with which a guest suspends itself, if the suspension was cancelled. */
enum { CANCELLED = 1 };

static bool move(uint32_t frame, uint64_t offset, void *data, size_t size, bool writes)
{
    const off_t at = ((off_t)frame << XC_PAGE_SHIFT) + (off_t)offset;
    if (!frame)
        return false;
    return (writes ? pwrite(memory_fd, data, size, at) : pread(memory_fd, data, size, at)) == (ssize_t)size;
}

/* Reads the start information. Returns its frame, or NO_FRAME. */
static uint32_t read_start(struct domain *d, start_info_t *start)
{
    const uint32_t frame = frame_of_virtual(d, d->start_info);
    return move(frame, d->start_info & ~XC_PAGE_MASK, start, sizeof *start, false) ? frame : NO_FRAME;
}

uint32_t pv_frame(struct domain *d, uint64_t pfn)
{
    start_info_t start;
    uint64_t frame = 0;
    if (!read_start(d, &start) || pfn >= start.nr_pages)
        return NO_FRAME;
    const uint64_t at = start.mfn_list + pfn * sizeof frame;
    move(frame_of_virtual(d, at), at & ~XC_PAGE_MASK, &frame, sizeof frame, false);
    return frame_of(d, frame);
}

void pv_publish_frames(struct domain *d)
{
    start_info_t start;
    uint64_t list[ENTRIES] = {0}, lists[ENTRIES] = {0};
    if (!read_start(d, &start) || start.nr_pages < 3 || start.nr_pages > (uint64_t)ENTRIES * ENTRIES)
        return;
    for (uint64_t i = 0; i * ENTRIES < start.nr_pages; i++)
        list[i] = frame_of_virtual(d, start.mfn_list + i * XC_PAGE_SIZE);
    const uint32_t frame_of_list = pv_frame(d, start.nr_pages - 1);
    uint64_t frame_of_lists = pv_frame(d, start.nr_pages - 2);
    lists[0] = frame_of_list;
    if (!move(frame_of_list, 0, list, sizeof list, true) ||
        !move((uint32_t)frame_of_lists, 0, lists, sizeof lists, true))
        return;
    move(d->shared_info, offsetof(shared_info_t, arch.max_pfn), &start.nr_pages, sizeof start.nr_pages, true);
    move(d->shared_info, offsetof(shared_info_t, arch.pfn_to_mfn_frame_list_list), &frame_of_lists,
         sizeof frame_of_lists, true);
}

void pv_suspend(struct domain *d)
{
    start_info_t start;
    const uint32_t frame = read_start(d, &start);
    if (!frame || start.store_mfn > machine->nr_frames || start.console.domU.mfn > machine->nr_frames)
        return;
    start.store_mfn = m2p[start.store_mfn];
    start.console.domU.mfn = m2p[start.console.domU.mfn];
    move(frame, d->start_info & ~XC_PAGE_MASK, &start, sizeof start, true);
    log_dirty_note(d, m2p[frame]);
    /* This register has the argument of the hypercall with which a guest suspends itself. */
    domain_big(d)->context.user_regs.rdx = frame;
    /* This register has the result of that hypercall, unless the toolstack changes it. */
    domain_big(d)->context.user_regs.rax = 0;
}

bool pv_continue(struct domain *d)
{
    start_info_t start;
    const uint32_t frame = read_start(d, &start);
    if (domain_big(d)->context.user_regs.rax != CANCELLED)
        return false;
    if (!frame)
        return true;
    start.store_mfn = pv_frame(d, start.store_mfn);
    start.console.domU.mfn = pv_frame(d, start.console.domU.mfn);
    move(frame, d->start_info & ~XC_PAGE_MASK, &start, sizeof start, true);
    return true;
}
