/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the machine's memory. For each frame it stores the owner. For a guest with its own physical address
 * space it also stores the machine frame of each guest frame, in a tree of nodes (machine.h). Lock:
 * machine->lock; frames_map needs no lock.
 *
 * Lifetime: a domain owns a frame until the frame is freed or the domain is destroyed. The content of a freed
 * frame is discarded, so the next owner reads zeros.
 */
#include "machine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void forget_content(uint32_t first, uint32_t count)
{
    fallocate(memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)first << XC_PAGE_SHIFT,
              (off_t)count << XC_PAGE_SHIFT);
}

static uint32_t find_free(uint32_t from, uint32_t to, uint32_t count)
{
    for (uint64_t first = from, n; first + count <= to; first += n + 1) {
        for (n = 0; n < count && !frame_owner[first + n]; n++)
            ;
        if (n == count)
            return first;
    }
    return NO_FRAME;
}

static bool note_run(struct domain *d, uint32_t first, uint32_t count)
{
    struct run *last = &runs[d->runs];
    if (d->runs && last->first + last->count == first) {
        last->count += count;
        return true;
    }
    uint32_t index = machine->free_run;
    if (index)
        machine->free_run = runs[index].next;
    else if (machine->next_run < machine->nr_runs)
        index = machine->next_run++;
    else
        return false;
    runs[index] = (struct run){.first = first, .count = count, .next = d->runs};
    d->runs = index;
    return true;
}

uint32_t frames_alloc(struct domain *d, uint32_t count)
{
    if (machine->free_frames < count)
        return NO_FRAME;
    uint32_t end = machine->nr_frames + 1;
    uint32_t first = find_free(machine->next_frame, end, count);
    if (!first)
        first = find_free(1, end, count);
    if (!first || !note_run(d, first, count))
        return NO_FRAME;
    for (uint32_t i = 0; i < count; i++)
        frame_owner[first + i] = d->domid + 1;
    machine->next_frame = first + count;
    machine->free_frames -= count;
    return first;
}

void frame_free(struct domain *d, uint32_t frame)
{
    if (!frame || frame > machine->nr_frames || frame_owner[frame] != d->domid + 1)
        return;
    frame_owner[frame] = 0;
    frame_type[frame] = 0;
    machine->free_frames++;
    forget_content(frame, 1);
}

static void free_run(struct domain *d, struct run *run)
{
    for (uint32_t i = 0, n; i < run->count; i += n + 1) {
        for (n = 0; i + n < run->count && frame_owner[run->first + i + n] == d->domid + 1; n++)
            frame_owner[run->first + i + n] = frame_type[run->first + i + n] = 0;
        if (n)
            forget_content(run->first + i, n);
        machine->free_frames += n;
    }
}

static void free_tree(uint32_t node, int level)
{
    if (!node)
        return;
    for (uint32_t i = 0; level > 1 && i < NODE_SLOTS; i++)
        free_tree(nodes[node].slot[i], level - 1);
    nodes[node].slot[0] = machine->free_node;
    machine->free_node = node;
}

void frames_free_all(struct domain *d)
{
    while (d->runs) {
        uint32_t index = d->runs;
        free_run(d, &runs[index]);
        d->runs = runs[index].next;
        runs[index].next = machine->free_run;
        machine->free_run = index;
    }
    free_tree(d->tree, TREE_LEVEL);
    pod_free(d);
    machine->free_frames += (uint32_t)d->ballooned;
    d->ballooned = 0;
    d->tree = d->shared_info = 0;
    d->tot_pages = d->max_gfn = d->claimed = 0;
}

/*
 * Simulates the guest's balloon driver. Only the number of the guest's pages changes; no data is moved. Does nothing
 * for a guest that has pages without frames (on_demand.c), because such a guest gives back these pages.
 */
void frames_balloon(struct domain *d, uint64_t pages)
{
    uint64_t most = d->tot_pages + machine->free_frames;
    if (pages > d->max_pages)
        pages = d->max_pages;
    if (pages > most)
        pages = most;
    if (!pages || d->pod_entries)
        return;
    int64_t more = (int64_t)pages - (int64_t)d->tot_pages;
    d->ballooned += more;
    d->tot_pages = pages;
    machine->free_frames -= (uint32_t)more;
}

static uint32_t new_node(void)
{
    uint32_t node = machine->free_node;
    if (node)
        machine->free_node = nodes[node].slot[0];
    else if (machine->next_node < machine->nr_nodes)
        node = machine->next_node++;
    else
        return 0;
    memset(&nodes[node], 0, sizeof nodes[node]);
    return node;
}

int gfn_set(struct domain *d, uint64_t gfn, uint32_t frame)
{
    if (gfn >> TREE_LEVEL * NODE_BITS)
        return -EINVAL;
    uint32_t *slot = &d->tree;
    for (int level = TREE_LEVEL; level > 0; level--) {
        if (!*slot && !(*slot = new_node()))
            return -ENOMEM;
        slot = &nodes[*slot].slot[gfn >> (level - 1) * NODE_BITS & (NODE_SLOTS - 1)];
    }
    *slot = frame;
    if (frame && gfn > d->max_gfn)
        d->max_gfn = gfn;
    return 0;
}

uint32_t gfn_get(const struct domain *d, uint64_t gfn)
{
    if (gfn >> TREE_LEVEL * NODE_BITS)
        return NO_FRAME;
    uint32_t slot = d->tree;
    for (int level = TREE_LEVEL; slot && level > 0; level--)
        slot = nodes[slot].slot[gfn >> (level - 1) * NODE_BITS & (NODE_SLOTS - 1)];
    return slot;
}

uint32_t frame_of(struct domain *d, uint64_t number)
{
    if (domain_is_hvm(d)) {
        uint32_t frame = gfn_get(d, number);
        return frame == ON_DEMAND ? pod_populate(d, number) : frame;
    }
    return number && number <= machine->nr_frames && frame_owner[number] == d->domid + 1 ? number : NO_FRAME;
}

void *frames_map(void *addr, int prot, int flags, size_t count, const uint32_t *frames)
{
    char *p = mmap(addr, count << XC_PAGE_SHIFT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    for (size_t i = 0, n; i < count; i += n) {
        for (n = 1; frames[i] && i + n < count && frames[i + n] == frames[i] + n; n++)
            ;
        if (frames[i] && mmap(p + (i << XC_PAGE_SHIFT), n << XC_PAGE_SHIFT, prot, MAP_SHARED | MAP_FIXED,
                              memory_fd, (off_t)frames[i] << XC_PAGE_SHIFT) == MAP_FAILED) {
            int error = errno;
            munmap(p, count << XC_PAGE_SHIFT);
            errno = error;
            return NULL;
        }
    }
    return p;
}
