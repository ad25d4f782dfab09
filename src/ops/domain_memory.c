/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_set_memory, domain_get_memory_target and domain_set_max_memory.
 *
 * The toolstack writes a domain's target to ~/memory/target. The target of an HVM guest in this node excludes
 * the memory of its graphics card, which is in ~/memory/videoram. The guest's balloon driver watches this node,
 * and returns memory to the hypervisor or takes more memory. The node ~/memory/static-max has the greatest
 * target. The hypervisor also has a limit for each domain. As in libxl, this file sets the limit to SLACK_KB
 * more than the target or the maximum. A guest that is populated on demand has a pool of memory. The size of
 * the pool must follow the target. A worker sets the size of the pool, because the hypervisor then allocates or
 * frees much memory, which takes time.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock. The worker uses only the
 * job's data.
 */
#include "memory_nodes.h"
#include "reserved_worker.h"
#include "setting.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SLACK_KB = 1024,
    LEAST_DOM0_KB = 128 << 10,
};
#define BETWEEN_LOOKS   LIBXL__MILLISECONDS(50)
#define TARGET_NODE     "/local/domain/%u/memory/target"
#define STATIC_MAX_NODE "/local/domain/%u/memory/static-max"
#define VIDEO_NODE      "/local/domain/%u/memory/videoram"

/* ---- reading the nodes of a domain's memory */

typedef libxl__memory_nodes domain_get_memory_target_state;

int libxl__memory_nodes_start(libxl__ao *ao, libxl__memory_nodes *nodes)
{
    const uint32_t domid = ao->subject.number;
    int rc = libxl__hv_info(ao, domid, &nodes->info);
    if (rc)
        return rc;
    nodes->batch = libxl__xs_batch_new(ao, domid);
    if (!nodes->batch)
        return ERROR_NOMEM;
    nodes->target = libxl__xs_read(nodes->batch, TARGET_NODE, domid);
    nodes->static_max = libxl__xs_read(nodes->batch, STATIC_MAX_NODE, domid);
    if (libxl__hv_type(&nodes->info) == LIBXL_DOMAIN_TYPE_HVM)
        nodes->videoram = libxl__xs_read(nodes->batch, VIDEO_NODE, domid);
    rc = libxl__xs_run(nodes->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Returns the number in a node that only toolstacks write. Returns `otherwise` if the node is missing or has no
 * number. For example, domain 0 may have no such node, because no toolstack has made this domain.
 */
static uint64_t number_of(const libxl__xs_request *request, uint64_t otherwise)
{
    const char *text = libxl__xs_value(request);
    char *end = NULL;
    const uint64_t number = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    return end && !*end && number <= LIBXL__MEMORY_MOST_KB ? number : otherwise;
}

int libxl__memory_nodes_poll(libxl__memory_nodes *nodes)
{
    if (!libxl__xs_done(nodes->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(nodes->batch);
    if (rc)
        return rc;
    nodes->target_kb = number_of(nodes->target, nodes->info.tot_pages * LIBXL__PAGE_KB);
    nodes->max_kb = number_of(nodes->static_max, LIBXL__MEMORY_MOST_KB);
    nodes->video_kb = nodes->videoram ? number_of(nodes->videoram, 0) : 0;
    return 0;
}

/* ---- the hypervisor's limit */

typedef struct memory_limit {
    uint64_t before_kb;
    bool set;
} memory_limit;

static int set_limit(libxl__ao *ao, uint64_t kb)
{
    const uint32_t domid = ao->subject.number;
    if (xc_domain_setmaxmem(libxl__xch(ao->ctx), domid, kb))
        return libxl__hv_fail(ao, LIBXL__CALL_SETTING, "setting the memory limit of", domid);
    return 0;
}

static int limit_to(libxl__ao *ao, memory_limit *limit, const libxl__memory_nodes *nodes, uint64_t kb)
{
    limit->before_kb = nodes->info.max_pages * LIBXL__PAGE_KB;
    const int rc = set_limit(ao, kb + SLACK_KB);
    limit->set = !rc;
    return rc;
}

static int unlimit(libxl__ao *ao, const memory_limit *limit, const libxl__setting *setting)
{
    return limit->set && !setting->written ? set_limit(ao, limit->before_kb) : 0;
}

/* ---- domain_get_memory_target */

static int read_only_start(libxl__ao *ao, libxl__memory_nodes *nodes)
{
    return libxl__memory_nodes_start(ao, nodes);
}

static int read_only_poll(libxl__ao *ao, libxl__memory_nodes *nodes)
{
    const libxl__domain_get_memory_target_args *args = libxl__ao_args(ao);
    const int rc = libxl__memory_nodes_poll(nodes);
    if (!rc)
        *args->out.memkb = nodes->target_kb;
    return rc;
}

/* ---- domain_set_memory: the pool of a guest that is populated on demand */

typedef struct pool {
    libxl__reserved_worker worker; /* reserved for the undo */
    libxl__job job;
    uint32_t domid;
    uint64_t pages, before_pages;
    int errnoval; /* the job's result: 0 or an errno */
    bool submitted, undoing;
} pool;

static void pool_work(libxl_ctx *ctx, libxl__job *job)
{
    pool *p = LIBXL__CONTAINER(job, pool, job);
    const int failed = xc_domain_set_pod_target(libxl__xch(ctx), p->domid, p->pages, NULL, NULL, NULL);
    p->errnoval = failed ? errno : 0;
}

static int submit(libxl__ao *ao, pool *p, uint64_t pages)
{
    p->domid = ao->subject.number;
    p->pages = pages;
    p->job.work = pool_work;
    const int rc = libxl__job_submit(&ao->ctx->xen->memory_lane, ao, &p->job);
    p->submitted = p->submitted || !rc;
    return rc ? rc : LIBXL__AO_WAIT;
}

/* ---- domain_set_memory */

typedef struct set_memory {
    libxl__memory_nodes nodes;
    memory_limit limit;
    pool pool;
    libxl__setting setting;
    libxl__domain_source domain;
    libxl__alarm look;
    uint64_t target_kb, start_kb, last_kb;
} domain_set_memory_state;

static int read_start(libxl__ao *ao, struct set_memory *s)
{
    return libxl__memory_nodes_start(ao, &s->nodes);
}

static int check_target(libxl__ao *ao, const struct set_memory *s, int64_t target)
{
    const int64_t least = ao->subject.number == 0 ? LEAST_DOM0_KB : LIBXL__PAGE_KB;
    if (target < least || (uint64_t)target > s->nodes.max_kb)
        return libxl__ao_fail(ao, ERROR_INVAL,
                              "target_memkb: %" PRId64 " KiB is not between %" PRId64 " and %" PRIu64, target,
                              least, s->nodes.max_kb);
    return 0;
}

static int read_poll(libxl__ao *ao, struct set_memory *s)
{
    const libxl__domain_set_memory_args *args = libxl__ao_args(ao);
    int64_t target = args->in.target_memkb;
    int rc = libxl__memory_nodes_poll(&s->nodes);
    if (rc)
        return rc;
    /* As in libxl, an absolute target includes the memory of the graphics card. The node excludes it. */
    const int64_t base = args->in.relative ? (int64_t)s->nodes.target_kb : -(int64_t)s->nodes.video_kb;
    if (__builtin_add_overflow(target, base, &target))
        target = -1;
    rc = check_target(ao, s, target);
    s->target_kb = (uint64_t)target;
    return rc;
}

static int limit_start(libxl__ao *ao, struct set_memory *s)
{
    const libxl__domain_set_memory_args *args = libxl__ao_args(ao);
    return args->in.enforce ? limit_to(ao, &s->limit, &s->nodes, s->target_kb + s->nodes.video_kb) : 0;
}

static int limit_undo(libxl__ao *ao, struct set_memory *s)
{
    return unlimit(ao, &s->limit, &s->setting);
}

/* Starts to set the size of the pool. Does nothing for a PV guest, which has no pool. */
static int pool_start(libxl__ao *ao, struct set_memory *s)
{
    if (!(s->nodes.info.flags & XEN_DOMINF_hvm_guest))
        return 0;
    const int rc = libxl__worker_reserve(ao, &s->pool.worker, &ao->ctx->xen->memory_lane);
    if (rc)
        return rc;
    s->pool.before_pages = (s->nodes.target_kb + SLACK_KB) / LIBXL__PAGE_KB;
    return submit(ao, &s->pool, (s->target_kb + SLACK_KB) / LIBXL__PAGE_KB);
}

static int pool_poll(libxl__ao *ao, struct set_memory *s)
{
    if (s->pool.job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    errno = s->pool.errnoval;
    if (errno == ENOMEM)
        return libxl__ao_fail(ao, ERROR_NO_MEMORY_FOR_GUEST,
                              "target_memkb: the host has too little free memory");
    return errno ? libxl__hv_fail(ao, LIBXL__CALL_SETTING, "setting the pool of", ao->subject.number) : 0;
}

static int pool_undo(libxl__ao *ao, struct set_memory *s)
{
    pool *p = &s->pool;
    if (!p->submitted || s->setting.written)
        return 0;
    if (p->job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    if (!p->undoing) {
        p->undoing = true;
        return submit(ao, p, p->before_pages);
    }
    errno = p->errnoval;
    return errno && errno != ESRCH
               ? libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "setting back the pool of", p->domid)
               : 0;
}

/* Writes the target to memory/target in KiB, and to /vm/UUID/memory in MiB. xl shows the second node. */
static void fill_target(libxl__ao *ao, libxl__setting *setting)
{
    const struct set_memory *s = LIBXL__CONTAINER(setting, struct set_memory, setting);
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, s->target_kb);
    libxl__xs_write(setting->batch, LIBXL__XS_INHERITS, text, TARGET_NODE, ao->subject.number);
    snprintf(text, sizeof(text), "%" PRIu64, s->target_kb / 1024);
    if (*setting->vm)
        libxl__xs_write(setting->batch, LIBXL__XS_INHERITS, text, "%s/memory", setting->vm);
}

static int write_start(libxl__ao *ao, struct set_memory *s)
{
    return libxl__setting_start(ao, &s->setting, fill_target);
}

static int write_poll(libxl__ao *ao, struct set_memory *s)
{
    return libxl__setting_poll(ao, &s->setting);
}

static void write_stop(libxl__ao *ao, struct set_memory *s)
{
    (void)ao;
    libxl__setting_stop(&s->setting);
}

/* ---- domain_set_memory: the guest reaches the target */

/*
 * Compares the domain's memory with the target. Returns 0 if the target is reached, LIBXL__AO_WAIT if it is
 * not, or an error.
 */
static int look(libxl__ao *ao, struct set_memory *s)
{
    xc_domaininfo_t info;
    int rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (rc)
        return rc;
    const uint64_t kb = info.tot_pages * LIBXL__PAGE_KB;
    if (kb != s->last_kb) {
        libxl__phase_extend(ao);
        libxl__ao_count(ao, libxl__memory_distance(kb, s->start_kb),
                        libxl__memory_distance(s->target_kb, s->start_kb), "KiB");
    }
    s->last_kb = kb;
    if (libxl__memory_distance(kb, s->target_kb) <= LIBXL__MEMORY_REACHED_KB)
        return 0;
    rc = libxl__alarm_set(ao, &s->look, BETWEEN_LOOKS);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int reach_poll(libxl__ao *ao, struct set_memory *s)
{
    const libxl__domain_set_memory_args *args = libxl__ao_args(ao);
    int rc = 0;
    if (s->domain.follower.phase >= LIBXL__DOMAIN_DYING)
        rc = libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domid: domain %u was destroyed", ao->subject.number);
    else if (args->in.wait && s->look.source.ao && !s->look.rang)
        rc = LIBXL__AO_WAIT;
    else if (args->in.wait)
        rc = look(ao, s);
    if (rc == ERROR_DOMAIN_NOTFOUND) {
        libxl__ao_forget_failure(ao);
        rc = libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domid: domain %u was destroyed", ao->subject.number);
    }
    if (!rc)
        *args->out.memkb = s->target_kb;
    return rc;
}

static int reach_start(libxl__ao *ao, struct set_memory *s)
{
    const libxl__domain_set_memory_args *args = libxl__ao_args(ao);
    s->start_kb = s->last_kb = s->nodes.info.tot_pages * LIBXL__PAGE_KB;
    const int rc = args->in.wait ? libxl__domain_source_start(ao, &s->domain, &s->nodes.info) : 0;
    return rc ? rc : reach_poll(ao, s);
}

/* ---- domain_set_max_memory */

typedef struct set_max {
    libxl__memory_nodes nodes;
    memory_limit limit;
    libxl__setting setting;
} domain_set_max_memory_state;

static int look_start(libxl__ao *ao, struct set_max *s)
{
    return libxl__memory_nodes_start(ao, &s->nodes);
}

static int look_poll(libxl__ao *ao, struct set_max *s)
{
    const libxl__domain_set_max_memory_args *args = libxl__ao_args(ao);
    const int rc = libxl__memory_nodes_poll(&s->nodes);
    if (rc || (args->in.max_memkb >= s->nodes.target_kb && args->in.max_memkb <= LIBXL__MEMORY_MOST_KB))
        return rc;
    return libxl__ao_fail(ao, ERROR_INVAL,
                          "max_memkb: %" PRIu64 " KiB is not between the target %" PRIu64 " and %llu",
                          args->in.max_memkb, s->nodes.target_kb, LIBXL__MEMORY_MOST_KB);
}

static int adjust_start(libxl__ao *ao, struct set_max *s)
{
    const libxl__domain_set_max_memory_args *args = libxl__ao_args(ao);
    return limit_to(ao, &s->limit, &s->nodes, args->in.max_memkb);
}

static int adjust_undo(libxl__ao *ao, struct set_max *s)
{
    return unlimit(ao, &s->limit, &s->setting);
}

static void fill_max(libxl__ao *ao, libxl__setting *setting)
{
    const libxl__domain_set_max_memory_args *args = libxl__ao_args(ao);
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, args->in.max_memkb);
    libxl__xs_write(setting->batch, LIBXL__XS_INHERITS, text, STATIC_MAX_NODE, ao->subject.number);
}

static int note_start(libxl__ao *ao, struct set_max *s)
{
    return libxl__setting_start(ao, &s->setting, fill_max);
}

static int note_poll(libxl__ao *ao, struct set_max *s)
{
    return libxl__setting_poll(ao, &s->setting);
}

static void note_stop(libxl__ao *ao, struct set_max *s)
{
    (void)ao;
    libxl__setting_stop(&s->setting);
}

#include "_libxl_phases_domain_get_memory_target.h"
#include "_libxl_phases_domain_set_max_memory.h"
#include "_libxl_phases_domain_set_memory.h"
