/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What only PV domains have: the table that translates machine frames to a guest's frames, and the types of page
 * tables. Owns: m2p, which lies behind the machine's memory in the same file, and frame_type. Lock: machine->lock.
 */
#include "machine.h"

#include <unistd.h>

#define PRESENT   1ull
#define SUPERPAGE 0x80ull
#define ENTRIES   512
#define EXTENT    512 /* the number of frames in 2 MB */

/* A value of frame_type: the level of the page table, and whether it is pinned. */
#define LEVEL_MASK 7
#define PINNED     0x80

uint64_t pv_max_gfn(const struct domain *d)
{
    uint64_t count = 0;
    const off_t at = ((off_t)d->shared_info << XC_PAGE_SHIFT) + (off_t)offsetof(shared_info_t, arch.max_pfn);
    return d->shared_info && pread(memory_fd, &count, sizeof count, at) == sizeof count && count ? count - 1
                                                                                                 : 0;
}

uint32_t m2p_frames(uint32_t nr_frames)
{
    const uint64_t size = (nr_frames + 1ull) * sizeof *m2p;
    const uint32_t pages = (uint32_t)((size + XC_PAGE_SIZE - 1) >> XC_PAGE_SHIFT);
    return (pages + EXTENT - 1) / EXTENT * EXTENT;
}

uint32_t m2p_frame(uint64_t number)
{
    const uint32_t first = machine->nr_frames + 1;
    return number >= first && number < first + m2p_frames(machine->nr_frames) ? (uint32_t)number : NO_FRAME;
}

long m2p_list(struct xen_machphys_mfn_list *list)
{
    const uint32_t extents = m2p_frames(machine->nr_frames) / EXTENT;
    list->nr_extents = extents < list->max_extents ? extents : list->max_extents;
    for (uint32_t i = 0; i < list->nr_extents; i++)
        list->extent_start.p[i] = machine->nr_frames + 1 + i * EXTENT;
    return 0;
}

long do_mmu_update(const mmu_update_t *updates, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t frame = updates[i].ptr >> XC_PAGE_SHIFT;
        if ((updates[i].ptr & 3) == MMU_MACHPHYS_UPDATE && frame <= machine->nr_frames)
            m2p[frame] = updates[i].val;
    }
    return 0;
}

/* Sets the types of a page table and of all page tables below it. */
static void mark(uint64_t frame, int level, uint16_t owner)
{
    uint64_t entries[ENTRIES];
    if (!frame || frame > machine->nr_frames || frame_owner[frame] != owner ||
        (frame_type[frame] & LEVEL_MASK) == level)
        return;
    frame_type[frame] = (uint8_t)level;
    if (level == 1 ||
        pread(memory_fd, entries, sizeof entries, (off_t)frame << XC_PAGE_SHIFT) != sizeof entries)
        return;
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i] & PRESENT && !(entries[i] & SUPERPAGE))
            mark(entries[i] >> XC_PAGE_SHIFT & 0xffffffffffull, level - 1, owner);
}

long do_mmuext_op(const struct mmuext_op *ops, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t frame = ops[i].arg1.mfn;
        /* Only pinning and unpinning are simulated. Other subcommands and wrong frames succeed without effect. */
        if (ops[i].cmd > MMUEXT_UNPIN_TABLE || !frame || frame > machine->nr_frames)
            continue;
        if (ops[i].cmd == MMUEXT_UNPIN_TABLE) {
            frame_type[frame] &= LEVEL_MASK;
            continue;
        }
        mark(frame, (int)(ops[i].cmd - MMUEXT_PIN_L1_TABLE) + 1, frame_owner[frame]);
        frame_type[frame] |= PINNED;
    }
    return 0;
}

uint64_t frame_info(uint32_t frame)
{
    const uint8_t type = frame_type[frame];
    return (uint64_t)(type & LEVEL_MASK) << XEN_DOMCTL_PFINFO_LTAB_SHIFT |
           (type & PINNED ? XEN_DOMCTL_PFINFO_LPINTAB : 0);
}
