/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory map of a PV guest that sees the host's holes (e820_host). A guest with PCI devices needs this map:
 * it must not have RAM where a device has its memory.
 *
 * Owns: nothing. Called on the build's worker, unlocked.
 */
#include "build_parts.h"

#include <errno.h>

#include <xenguest.h>

enum { MOST_ENTRIES = 128, ENTRY_RAM = 1, ENTRY_UNUSABLE = 5 };

#define ONE_MIB  (1ull << 20)
#define FOUR_GIB (1ull << 32)

/* Returns the end of the RAM of the host that begins at 1 MiB, but at most 4 GiB. */
static uint64_t end_of_low_ram(const struct e820entry *host, int count)
{
    uint64_t end = ONE_MIB;
    bool grows = true;
    while (grows) {
        grows = false;
        for (int i = 0; i < count; i++)
            if (host[i].type == ENTRY_RAM && host[i].addr <= end && host[i].addr + host[i].size > end) {
                end = host[i].addr + host[i].size;
                grows = true;
            }
    }
    return end < FOUR_GIB ? end : FOUR_GIB;
}

/*
 * Makes the guest's map. RAM begins at 0 and ends at the host's first hole. Up to 4 GiB the host's entries
 * follow; the host's RAM among them is unusable for the guest. The rest of the guest's RAM begins at 4 GiB.
 */
static uint32_t make_map(const struct e820entry *host, int count, uint64_t octets, struct e820entry *map)
{
    const uint64_t hole = end_of_low_ram(host, count), low = octets < hole ? octets : hole;
    uint32_t made = 0;
    map[made++] = (struct e820entry){.addr = 0, .size = low, .type = ENTRY_RAM};
    for (int i = 0; i < count; i++) {
        const uint64_t end = host[i].addr + host[i].size;
        const uint64_t from = host[i].addr > hole ? host[i].addr : hole, to = end < FOUR_GIB ? end : FOUR_GIB;
        if (from < to)
            map[made++] =
                (struct e820entry){.addr = from,
                                   .size = to - from,
                                   .type = host[i].type == ENTRY_RAM ? ENTRY_UNUSABLE : host[i].type};
    }
    if (octets > low)
        map[made++] = (struct e820entry){.addr = FOUR_GIB, .size = octets - low, .type = ENTRY_RAM};
    return made;
}

int libxl__build_e820(libxl__builder *b)
{
    struct e820entry host[MOST_ENTRIES], map[MOST_ENTRIES + 2];
    const int count = xc_get_machine_memory_map(b->xch, host, MOST_ENTRIES);
    if (count < 0)
        return libxl__build_fail_errno(b->build, LIBXL__CALL_HOST,
                                       "d_config.b_info.u.pv.e820_host: the host's map");
    const uint32_t made = make_map(host, count, b->build->max_kb << 10, map);
    if (xc_domain_set_memory_map(b->xch, b->build->domid, map, made))
        return libxl__build_fail_errno(b->build, LIBXL__CALL_NEW_DOMAIN,
                                       "d_config.b_info.u.pv.e820_host: setting the memory map");
    return 0;
}
