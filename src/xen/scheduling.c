/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parameters of the hypervisor's schedulers. Each cpupool has a scheduler. The table `schedulers` lists the
 * schedulers that have parameters for each domain. Owns nothing. Any thread may call the functions, locked or
 * not.
 */
#include "running.h"
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(LIBXL_SCHEDULER_CREDIT == XEN_SCHEDULER_CREDIT &&
                   LIBXL_SCHEDULER_CREDIT2 == XEN_SCHEDULER_CREDIT2 &&
                   LIBXL_SCHEDULER_RTDS == XEN_SCHEDULER_RTDS && LIBXL_SCHEDULER_NULL == XEN_SCHEDULER_NULL,
               "the schedulers have Xen's numbers");

int libxl__hv_has_cpupool(libxl__ao *ao, uint32_t poolid, bool *found)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    xc_cpupoolinfo_t *next = xc_cpupool_getinfo(xch, poolid);
    const int error = errno;
    *found = next && next->cpupool_id == poolid;
    if (next)
        xc_cpupool_infofree(xch, next);
    if (next || error == ENOENT)
        return 0;
    return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, error), "asking about cpupool %u: %s", poolid,
                          strerror(error));
}

int libxl__hv_scheduler(libxl__ao *ao, libxl_scheduler *out)
{
    int sched;
    if (xc_sched_id(libxl__xch(ao->ctx), &sched))
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "asking for the scheduler: %m");
    *out = (libxl_scheduler)sched;
    return 0;
}

/* Stores in *out the scheduler of the domain's cpupool. */
static int scheduler_of(libxl__ao *ao, uint32_t domid, libxl_scheduler *out)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    xc_domaininfo_t info;
    const int rc = libxl__hv_info(ao, domid, &info);
    if (rc)
        return rc;
    xc_cpupoolinfo_t *pool = xc_cpupool_getinfo(xch, info.cpupool);
    if (!pool)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "asking about cpupool %u: %m",
                              info.cpupool);
    *out = (libxl_scheduler)pool->sched_id;
    xc_cpupool_infofree(xch, pool);
    return 0;
}

/* ---- the schedulers that have parameters for each domain. Each function returns 0, or -1 with errno. */

static int get_credit(xc_interface *xch, uint32_t domid, libxl_domain_sched_params *p)
{
    struct xen_domctl_sched_credit x;
    if (xc_sched_credit_domain_get(xch, domid, &x))
        return -1;
    p->weight = x.weight;
    p->cap = x.cap;
    return 0;
}

static int set_credit(xc_interface *xch, uint32_t domid, const libxl_domain_sched_params *p)
{
    return xc_sched_credit_domain_set(
        xch, domid,
        &(struct xen_domctl_sched_credit){.weight = (uint16_t)p->weight, .cap = (uint16_t)p->cap});
}

static int get_credit2(xc_interface *xch, uint32_t domid, libxl_domain_sched_params *p)
{
    struct xen_domctl_sched_credit2 x;
    if (xc_sched_credit2_domain_get(xch, domid, &x))
        return -1;
    p->weight = x.weight;
    p->cap = x.cap;
    return 0;
}

static int set_credit2(xc_interface *xch, uint32_t domid, const libxl_domain_sched_params *p)
{
    return xc_sched_credit2_domain_set(
        xch, domid,
        &(struct xen_domctl_sched_credit2){.weight = (uint16_t)p->weight, .cap = (uint16_t)p->cap});
}

static int get_rtds(xc_interface *xch, uint32_t domid, libxl_domain_sched_params *p)
{
    struct xen_domctl_sched_rtds x;
    if (xc_sched_rtds_domain_get(xch, domid, &x))
        return -1;
    p->period = (int)x.period;
    p->budget = (int)x.budget;
    return 0;
}

static int set_rtds(xc_interface *xch, uint32_t domid, const libxl_domain_sched_params *p)
{
    return xc_sched_rtds_domain_set(
        xch, domid,
        &(struct xen_domctl_sched_rtds){.period = (uint32_t)p->period,
                                        .budget = (uint32_t)p->budget,
                                        .flags = p->extratime > 0 ? XEN_DOMCTL_SCHEDRT_extra : 0});
}

static const struct scheduler {
    libxl_scheduler number;
    int (*get)(xc_interface *xch, uint32_t domid, libxl_domain_sched_params *p);
    int (*set)(xc_interface *xch, uint32_t domid, const libxl_domain_sched_params *p);
    bool shares; /* the parameters include a weight and a cap */
} schedulers[] = {
    {LIBXL_SCHEDULER_CREDIT, get_credit, set_credit, true},
    {LIBXL_SCHEDULER_CREDIT2, get_credit2, set_credit2, true},
    {LIBXL_SCHEDULER_RTDS, get_rtds, set_rtds, false},
};

/* Finds the scheduler of the domain, and reads the present parameters of the domain. */
static int look(libxl__ao *ao, uint32_t domid, const struct scheduler **of, libxl_domain_sched_params *p)
{
    libxl_domain_sched_params_init(p);
    const int rc = scheduler_of(ao, domid, &p->sched);
    if (rc)
        return rc;
    for (size_t i = 0; i < sizeof(schedulers) / sizeof(*schedulers); i++) {
        *of = &schedulers[i];
        if ((*of)->number == p->sched)
            return (*of)->get(libxl__xch(ao->ctx), domid, p)
                       ? libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "asking for the scheduler's parameters of",
                                        domid)
                       : 0;
    }
    return libxl__ao_fail(ao, ERROR_NI, "the scheduler of domain %u has no parameters for domains", domid);
}

int libxl__hv_get_sched(libxl__ao *ao, uint32_t domid, libxl_domain_sched_params *out)
{
    const struct scheduler *of;
    libxl_domain_sched_params now;
    const int rc = look(ao, domid, &of, &now);
    if (!rc)
        *out = now;
    return rc;
}

enum { MOST_WEIGHT = 65535, MOST_CAP = 65535 };

static int check_shares(libxl__ao *ao, const char *field, const libxl_domain_sched_params *p)
{
    if (p->weight < 1 || p->weight > MOST_WEIGHT)
        return libxl__ao_fail(ao, ERROR_INVAL, "%s.weight: %d is not between 1 and %d", field, p->weight,
                              MOST_WEIGHT);
    if (p->cap < 0 || p->cap > MOST_CAP)
        return libxl__ao_fail(ao, ERROR_INVAL, "%s.cap: %d is not between 0 and %d", field, p->cap, MOST_CAP);
    return 0;
}

static int check_times(libxl__ao *ao, const char *field, const libxl_domain_sched_params *p)
{
    if (p->period < 1)
        return libxl__ao_fail(ao, ERROR_INVAL, "%s.period: %d is not positive", field, p->period);
    if (p->budget < 1 || p->budget > p->period)
        return libxl__ao_fail(ao, ERROR_INVAL, "%s.budget: %d is not between 1 and the period", field,
                              p->budget);
    return 0;
}

/*
 * Returns the name of a parameter that is positive although the scheduler does not have it. Returns NULL if
 * there is none. 0 is accepted, because some callers leave 0 there.
 */
static const char *find_foreign(const struct scheduler *of, const libxl_domain_sched_params *p)
{
    if (!of->shares)
        return p->weight > 0 ? "weight" : p->cap > 0 ? "cap" : NULL;
    return p->period > 0 ? "period" : p->budget > 0 ? "budget" : p->extratime > 0 ? "extratime" : NULL;
}

/* A parameter that is -1 keeps its present value. */
int libxl__hv_set_sched(libxl__ao *ao, const char *field, uint32_t domid,
                        const libxl_domain_sched_params *params)
{
    const struct scheduler *of;
    libxl_domain_sched_params p;
    int rc = look(ao, domid, &of, &p);
    if (rc)
        return rc;
    if (params->sched != LIBXL_SCHEDULER_UNKNOWN && params->sched != p.sched)
        return libxl__ao_fail(ao, ERROR_INVAL, "%s.sched: the scheduler of domain %u is %s", field, domid,
                              libxl_scheduler_to_string(p.sched));
    const char *foreign = find_foreign(of, params);
    if (foreign)
        return libxl__ao_fail(ao, ERROR_INVAL, "%s.%s: the scheduler %s has no such parameter", field,
                              foreign, libxl_scheduler_to_string(p.sched));
    p.weight = params->weight == -1 ? p.weight : params->weight;
    p.cap = params->cap == -1 ? p.cap : params->cap;
    p.period = params->period == -1 ? p.period : params->period;
    p.budget = params->budget == -1 ? p.budget : params->budget;
    p.extratime = params->extratime;
    rc = of->shares ? check_shares(ao, field, &p) : check_times(ao, field, &p);
    if (!rc && of->set(libxl__xch(ao->ctx), domid, &p))
        rc = libxl__hv_fail(ao, LIBXL__CALL_SETTING, "params: setting the scheduler's parameters of", domid);
    return rc;
}

/* ---- parameters of each virtual processor, which only the scheduler RTDS has */

/*
 * Returns the present parameters of all virtual processors, and their number in *count. The caller frees the
 * array. Returns NULL after an error, which is in *rc.
 */
static struct xen_domctl_schedparam_vcpu *read_vcpus(libxl__ao *ao, uint32_t domid, uint32_t *count, int *rc)
{
    xc_domaininfo_t info;
    libxl_scheduler sched = LIBXL_SCHEDULER_UNKNOWN;
    *rc = scheduler_of(ao, domid, &sched);
    if (!*rc && sched != LIBXL_SCHEDULER_RTDS)
        *rc = libxl__ao_fail(ao, ERROR_INVAL, "the scheduler %s has no parameters for vcpus",
                             libxl_scheduler_to_string(sched));
    if (!*rc)
        *rc = libxl__hv_info(ao, domid, &info);
    if (*rc)
        return NULL;
    *count = info.max_vcpu_id + 1;
    struct xen_domctl_schedparam_vcpu *vcpus = calloc(*count ? *count : 1, sizeof(*vcpus));
    if (!vcpus) {
        *rc = libxl__ao_fail(ao, ERROR_NOMEM, "no memory for the parameters of %u vcpus", *count);
        return NULL;
    }
    for (uint32_t i = 0; i < *count; i++)
        vcpus[i].vcpuid = i;
    if (!xc_sched_rtds_vcpu_get(libxl__xch(ao->ctx), domid, vcpus, *count))
        return vcpus;
    *rc = libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "asking for the scheduler's parameters of", domid);
    free(vcpus);
    return NULL;
}

int libxl__hv_get_vcpu_sched(libxl__ao *ao, uint32_t domid, libxl_vcpu_sched_params *out)
{
    uint32_t count = 0;
    int rc;
    struct xen_domctl_schedparam_vcpu *vcpus = read_vcpus(ao, domid, &count, &rc);
    if (!vcpus)
        return rc;
    libxl_sched_params *list = calloc(count ? count : 1, sizeof(*list));
    for (uint32_t i = 0; list && i < count; i++) {
        libxl_sched_params_init(&list[i]);
        list[i].vcpuid = (int)i;
        list[i].period = (int)vcpus[i].u.rtds.period;
        list[i].budget = (int)vcpus[i].u.rtds.budget;
        list[i].extratime = vcpus[i].u.rtds.flags & XEN_DOMCTL_SCHEDRT_extra ? 1 : 0;
    }
    free(vcpus);
    if (!list)
        return libxl__ao_fail(ao, ERROR_NOMEM, "no memory for the parameters of %u vcpus", count);
    *out = (libxl_vcpu_sched_params){.sched = LIBXL_SCHEDULER_RTDS, .num_vcpus = (int)count, .vcpus = list};
    return 0;
}

/* Changes the elements of `vcpus` for which the application has given parameters. */
static int merge(libxl__ao *ao, struct xen_domctl_schedparam_vcpu *vcpus, uint32_t count,
                 const libxl_vcpu_sched_params *params)
{
    for (int i = 0; i < params->num_vcpus; i++) {
        const libxl_sched_params *p = &params->vcpus[i];
        if (p->vcpuid < 0 || (uint32_t)p->vcpuid >= count)
            return libxl__ao_fail(ao, ERROR_INVAL, "params.vcpus[%d].vcpuid: there is no vcpu %d", i,
                                  p->vcpuid);
        struct xen_domctl_schedparam_vcpu *x = &vcpus[p->vcpuid];
        const libxl_domain_sched_params times = {
            .period = p->period == -1 ? (int)x->u.rtds.period : p->period,
            .budget = p->budget == -1 ? (int)x->u.rtds.budget : p->budget,
        };
        const int rc = check_times(ao, "params", &times);
        if (rc)
            return rc;
        x->u.rtds.period = (uint32_t)times.period;
        x->u.rtds.budget = (uint32_t)times.budget;
        if (p->extratime != -1)
            x->u.rtds.flags = p->extratime ? XEN_DOMCTL_SCHEDRT_extra : 0;
    }
    return 0;
}

int libxl__hv_set_vcpu_sched(libxl__ao *ao, uint32_t domid, const libxl_vcpu_sched_params *params)
{
    uint32_t count = 0;
    int rc;
    struct xen_domctl_schedparam_vcpu *vcpus = read_vcpus(ao, domid, &count, &rc);
    if (!vcpus)
        return rc;
    rc = merge(ao, vcpus, count, params);
    if (!rc && xc_sched_rtds_vcpu_set(libxl__xch(ao->ctx), domid, vcpus, count))
        rc = libxl__hv_fail(ao, LIBXL__CALL_SETTING, "params: setting the scheduler's parameters of", domid);
    free(vcpus);
    return rc;
}

/* ---- parameters of a cpupool's scheduler */

static int fail_on_pool(libxl__ao *ao, const char *what, uint32_t poolid)
{
    return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_POOL, errno), "%s of cpupool %u: %m", what, poolid);
}

#define ASKING  "poolid: asking for the parameters"
#define SETTING "params: setting the parameters"

int libxl__hv_get_credit(libxl__ao *ao, uint32_t poolid, libxl_sched_credit_params *out)
{
    struct xen_sysctl_credit_schedule x;
    if (xc_sched_credit_params_get(libxl__xch(ao->ctx), poolid, &x))
        return fail_on_pool(ao, ASKING, poolid);
    *out = (libxl_sched_credit_params){.tslice_ms = (int)x.tslice_ms,
                                       .ratelimit_us = (int)x.ratelimit_us,
                                       .vcpu_migr_delay_us = (int)x.vcpu_migr_delay_us};
    return 0;
}

int libxl__hv_set_credit(libxl__ao *ao, uint32_t poolid, const libxl_sched_credit_params *params)
{
    struct xen_sysctl_credit_schedule x = {.tslice_ms = (uint32_t)params->tslice_ms,
                                           .ratelimit_us = (uint32_t)params->ratelimit_us,
                                           .vcpu_migr_delay_us = (uint32_t)params->vcpu_migr_delay_us};
    return xc_sched_credit_params_set(libxl__xch(ao->ctx), poolid, &x) ? fail_on_pool(ao, SETTING, poolid)
                                                                       : 0;
}

int libxl__hv_get_credit2(libxl__ao *ao, uint32_t poolid, libxl_sched_credit2_params *out)
{
    struct xen_sysctl_credit2_schedule x;
    if (xc_sched_credit2_params_get(libxl__xch(ao->ctx), poolid, &x))
        return fail_on_pool(ao, ASKING, poolid);
    *out = (libxl_sched_credit2_params){.ratelimit_us = (int)x.ratelimit_us};
    return 0;
}

int libxl__hv_set_credit2(libxl__ao *ao, uint32_t poolid, const libxl_sched_credit2_params *params)
{
    struct xen_sysctl_credit2_schedule x = {.ratelimit_us = (uint32_t)params->ratelimit_us};
    return xc_sched_credit2_params_set(libxl__xch(ao->ctx), poolid, &x) ? fail_on_pool(ao, SETTING, poolid)
                                                                        : 0;
}
