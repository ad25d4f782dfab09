/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The operation's state has the data; the context's lock guards them. */
#include "precopy.h"

#include "libxl_internal.h"

/* libxenguest's defaults, for values that the policy does not set. */
enum { FEW_DIRTY_PAGES = 50, MOST_ROUNDS = 5 };

enum { PAGE = 4096 };

void libxl__precopy_begin(libxl__precopy *p, const libxl_save_policy *policy, uint64_t pages)
{
    *p = (libxl__precopy){
        .most_rounds = policy && policy->most_rounds ? policy->most_rounds : MOST_ROUNDS,
        .pages = pages,
        .downtime_ms = policy ? policy->downtime_ms : 0,
    };
}

static uint64_t smaller(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}

/*
 * Updates the rate, if pages were sent since its last update. libxenguest's count of sent pages is limited to
 * the number of the domain's pages: in the first round libxenguest also counts frames without a page.
 */
static void measure(libxl__precopy *p, uint64_t counted)
{
    const uint64_t now = libxl__now();
    if (p->since && counted <= p->counted)
        return;
    const uint64_t sent = smaller(counted - p->counted, p->pages);
    if (p->since && now > p->since)
        p->seen.rate = (uint64_t)((double)sent * PAGE * 1e9 / (double)(now - p->since));
    p->since = now;
    p->counted = counted;
    p->seen.sent += sent;
}

static bool is_short(const libxl__precopy *p)
{
    return p->downtime_ms ? p->seen.rate && p->seen.downtime_ms <= p->downtime_ms
                          : p->seen.dirty < FEW_DIRTY_PAGES;
}

int libxl__precopy_decide(libxl__ao *ao, libxl__precopy *p, const libxl__transfer_message *round)
{
    const bool known = round->numbers[1] != UINT64_MAX;
    measure(p, round->numbers[0]);
    p->seen.round = (uint32_t)round->value;
    if (known) {
        p->seen.dirty = smaller(round->numbers[1], p->pages);
        const double ms = p->seen.rate ? (double)p->seen.dirty * PAGE * 1e3 / (double)p->seen.rate : 0;
        p->seen.downtime_ms = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
        libxl__ao_count_copying(ao, &p->seen);
    }
    return (known && (is_short(p) || !p->seen.dirty)) || p->seen.round >= p->most_rounds;
}
