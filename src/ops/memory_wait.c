/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_wait_memory waits until a guest has reached its memory target. host_wait_free_memory waits until the
 * host has the given amount of free memory.
 *
 * The hypervisor does not report changes of memory, so the operations look again each time an alarm rings.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "memory_nodes.h"
#include "ops.h"
#include "running.h"

#include <inttypes.h>

#define BETWEEN_LOOKS LIBXL__MILLISECONDS(100)

/* Sets the alarm for the next query of the memory. Returns LIBXL__AO_WAIT or an error. */
static int look_later(libxl__ao *ao, libxl__alarm *look)
{
    const int rc = libxl__alarm_set(ao, look, BETWEEN_LOOKS);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Returns whether the time of the next query has not come yet. */
static bool is_early(const libxl__alarm *look)
{
    return look->source.ao && !look->rang;
}

/* ---- domain_wait_memory */

typedef struct wait_memory {
    libxl__memory_nodes nodes;
    libxl__domain_source domain;
    libxl__alarm look;
    /* `changed_at`: the time at which the memory has become last_kb, in ns. */
    uint64_t start_kb, last_kb, changed_at;
} domain_wait_memory_state;

static int find_start(libxl__ao *ao, struct wait_memory *s)
{
    return libxl__memory_nodes_start(ao, &s->nodes);
}

static int find_poll(libxl__ao *ao, struct wait_memory *s)
{
    (void)ao;
    return libxl__memory_nodes_poll(&s->nodes);
}

static int destroyed(libxl__ao *ao)
{
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domid: domain %u was destroyed", ao->subject.number);
}

static int compare(libxl__ao *ao, struct wait_memory *s)
{
    const libxl__domain_wait_memory_args *args = libxl__ao_args(ao);
    const uint64_t target = s->nodes.target_kb, now = libxl__now();
    xc_domaininfo_t info;
    const int rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (rc == ERROR_DOMAIN_NOTFOUND)
        libxl__ao_forget_failure(ao);
    if (rc)
        return rc == ERROR_DOMAIN_NOTFOUND ? destroyed(ao) : rc;
    const uint64_t kb = info.tot_pages * LIBXL__PAGE_KB;
    if (kb != s->last_kb) {
        s->changed_at = now;
        libxl__ao_count(ao, libxl__memory_distance(kb, s->start_kb),
                        libxl__memory_distance(target, s->start_kb), "KiB");
    }
    s->last_kb = kb;
    *args->out.memkb = target;
    if (libxl__memory_distance(kb, target) <= LIBXL__MEMORY_REACHED_KB)
        return 0;
    if (now - s->changed_at >= LIBXL__MILLISECONDS(args->in.idle_ms))
        return libxl__ao_fail(ao, ERROR_GUEST_TIMEDOUT,
                              "domain %u has %" PRIu64 " KiB, its target is %" PRIu64
                              " KiB, and this has not changed for %d ms",
                              ao->subject.number, kb, target, args->in.idle_ms);
    return look_later(ao, &s->look);
}

static int arrive_poll(libxl__ao *ao, struct wait_memory *s)
{
    if (s->domain.follower.phase >= LIBXL__DOMAIN_DYING)
        return destroyed(ao);
    return is_early(&s->look) ? LIBXL__AO_WAIT : compare(ao, s);
}

static int arrive_start(libxl__ao *ao, struct wait_memory *s)
{
    s->start_kb = s->last_kb = s->nodes.info.tot_pages * LIBXL__PAGE_KB;
    s->changed_at = libxl__now();
    const int rc = libxl__domain_source_start(ao, &s->domain, &s->nodes.info);
    return rc ? rc : arrive_poll(ao, s);
}

/* ---- host_wait_free_memory */

typedef struct wait_free {
    libxl__alarm look;
    uint64_t started_at; /* the time at which the wait began, in ns */
} host_wait_free_memory_state;

static int freed_poll(libxl__ao *ao, struct wait_free *s)
{
    const libxl__host_wait_free_memory_args *args = libxl__ao_args(ao);
    uint64_t kb = 0;
    if (is_early(&s->look))
        return LIBXL__AO_WAIT;
    const int rc = libxl__hv_free_memory(ao, &kb);
    if (rc)
        return rc;
    *args->out.free_memkb = kb;
    if (kb >= args->in.memkb)
        return 0;
    if (libxl__now() - s->started_at >= LIBXL__MILLISECONDS(args->in.limit_ms))
        return libxl__ao_fail(ao, ERROR_NO_MEMORY_FOR_GUEST,
                              "memkb: the host has %" PRIu64 " KiB of free memory, not %" PRIu64, kb,
                              args->in.memkb);
    return look_later(ao, &s->look);
}

static int freed_start(libxl__ao *ao, struct wait_free *s)
{
    s->started_at = libxl__now();
    return freed_poll(ao, s);
}

#include "_libxl_phases_domain_wait_memory.h"
#include "_libxl_phases_host_wait_free_memory.h"
