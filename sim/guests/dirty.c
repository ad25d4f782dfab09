/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest with the word dirty=N writes into N pages of its memory each 10 ms, one after the other, and starts again
 * with the first one. Each write stores its number in the page. So a restored guest can check its memory: the first
 * page has the number of the last write, and each other page has the number of the last write into this page. The
 * guest writes "dirty: continues after N" or "dirty: page P has N and not M" to its console.
 *
 * Owns: the pages from DIRTY_FIRST on of such a guest, which must have 16 MB. Lock: machine->lock.
 */
#include "guests.h"

#include <stdio.h>
#include <unistd.h>

#define MAGIC   0x79747269645f6d69ull
#define WRITTEN (DIRTY_PAGES - 1) /* the number of pages after the first one */

struct first_page {
    uint64_t magic, last;
};

static bool transfer(struct domain *d, uint64_t page, void *data, size_t size, bool writes)
{
    const uint32_t frame =
        domain_is_hvm(d) ? frame_of(d, DIRTY_FIRST + page) : pv_frame(d, DIRTY_FIRST + page);
    const off_t at = (off_t)frame << XC_PAGE_SHIFT;
    if (!frame)
        return false;
    if (writes)
        log_dirty_note(d, DIRTY_FIRST + page);
    return (writes ? pwrite(memory_fd, data, size, at) : pread(memory_fd, data, size, at)) == (ssize_t)size;
}

bool dirty_check(struct domain *d, char text[64])
{
    struct first_page first;
    if (!transfer(d, 0, &first, sizeof first, false) || first.magic != MAGIC)
        return false;
    snprintf(text, 64, "dirty: continues after %llu\n", (unsigned long long)first.last);
    for (uint64_t page = 1; page <= WRITTEN; page++) {
        /*
         * `wanted`: the number of the last write into this page; 0: there was none. `before`: how many writes came
         * after it.
         */
        const uint64_t before = first.last < page ? 0 : (first.last - page) % WRITTEN;
        const uint64_t wanted = first.last < page ? 0 : first.last - before;
        uint64_t found = 0;
        if (transfer(d, page, &found, sizeof found, false) && found == wanted)
            continue;
        snprintf(text, 64, "dirty: page %llu has %llu and not %llu\n", (unsigned long long)page,
                 (unsigned long long)found, (unsigned long long)wanted);
        break;
    }
    return true;
}

void dirty_write(struct domain *d, uint32_t pages)
{
    struct first_page first;
    if (!transfer(d, 0, &first, sizeof first, false) || first.magic != MAGIC)
        first = (struct first_page){.magic = MAGIC};
    for (uint32_t i = 0; i < pages; i++) {
        first.last++;
        transfer(d, 1 + (first.last - 1) % WRITTEN, &first.last, sizeof first.last, true);
    }
    transfer(d, 0, &first, sizeof first, true);
}
