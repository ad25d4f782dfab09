/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The generators of domain death and domain lifecycle events.
 *
 * Owns: the generators of these events, and a follower for each domain that a generator follows. A generator
 * for one domain has one follower. A generator for all domains is an observer (domains.h). It makes a
 * follower for each domain when the observer is first called for the domain. A follower is freed when its
 * domain is gone. The context's lock guards the generators and the followers.
 */
#include "generators.h"
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct libxl__evgen {
    libxl__generator generator;
    libxl__domain_observer observer; /* registered only if the generator is for all domains */
    libxl__domains_listener listener;
    uint32_t domid; /* the domain that the generator follows; LIBXL_DOMID_ALL: all domains */
    libxl_ev_user user;
    /*
     * True: the generator generates DOMAIN_DYING and DOMAIN_GONE, and DOMAIN_APPEARED if it is for all
     * domains. False: it generates libxl's DOMAIN_DEATH.
     */
    bool lifecycle;
    LIST_HEAD(, followed) followed;
};

/* A domain that a generator follows. The flags say which events the generator has reported. */
struct followed {
    libxl__domain_follower follower;
    struct libxl__evgen *evgen;
    bool reported_shutdown, reported_dying;
    LIST_ENTRY(followed) link;
};

static void report(libxl_ctx *ctx, const libxl__domain_follower *follower, libxl_event_type type)
{
    const struct libxl__evgen *evgen = ((const struct followed *)follower)->evgen;
    libxl_event *event = libxl__event_new(ctx, type, follower->domid, evgen->user);
    if (!event) {
        libxl__event_missed(ctx, type);
        return;
    }
    event->domuuid = follower->domain->uuid;
    if (type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN)
        event->u.domain_shutdown.shutdown_reason = follower->code;
    libxl__event_fits_record(event, type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN ? follower->code : 0);
    libxl__event_occurred(ctx, event);
}

static void unfollow(libxl_ctx *ctx, struct followed *followed)
{
    libxl__domain_unfollow(ctx, &followed->follower);
    LIST_REMOVE(followed, link);
    free(followed);
}

/*
 * The callback of a follower. Reports the steps of the domain's end (shut down, dying, gone) that were not
 * reported before, in this order. One call may report several steps.
 */
static void phase_changed(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    struct followed *followed = (struct followed *)follower;
    const bool lifecycle = followed->evgen->lifecycle;
    if (follower->was_shutdown && !followed->reported_shutdown)
        report(ctx, follower, LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN);
    /* A suspended domain can be resumed, and shut down again later. So this flag may become false again. */
    followed->reported_shutdown = follower->was_shutdown;
    if (follower->phase < LIBXL__DOMAIN_DYING)
        return;
    if (!followed->reported_dying)
        report(ctx, follower, lifecycle ? LIBXL_EVENT_TYPE_DOMAIN_DYING : LIBXL_EVENT_TYPE_DOMAIN_DEATH);
    followed->reported_dying = true;
    if (follower->phase == LIBXL__DOMAIN_GONE) {
        if (lifecycle)
            report(ctx, follower, LIBXL_EVENT_TYPE_DOMAIN_GONE);
        unfollow(ctx, followed);
    }
}

/*
 * Makes a follower for the domain that `info` describes. Errors: NOMEM, NO_XENSTORE, FAIL. Sets no error
 * message.
 */
static int follow(libxl_ctx *ctx, struct libxl__evgen *evgen, const xc_domaininfo_t *info)
{
    struct followed *followed = calloc(1, sizeof(*followed));
    if (!followed)
        return ERROR_NOMEM;
    followed->evgen = evgen;
    followed->follower.observer = evgen->domid == LIBXL_DOMID_ALL ? &evgen->observer : NULL;
    int rc = libxl__domain_follow(ctx, &followed->follower, info, phase_changed);
    if (rc)
        free(followed);
    else
        LIST_INSERT_HEAD(&evgen->followed, followed, link);
    return rc;
}

/* ---- a generator for all domains */

static void domain_appeared(libxl_ctx *ctx, libxl__domain_observer *observer, const xc_domaininfo_t *info)
{
    struct libxl__evgen *evgen = LIBXL__CONTAINER(observer, struct libxl__evgen, observer);
    if (follow(ctx, evgen, info))
        libxl__event_missed(ctx, 0);
    else
        report(ctx, &LIST_FIRST(&evgen->followed)->follower, LIBXL_EVENT_TYPE_DOMAIN_APPEARED);
}

static void unfollow_all(libxl_ctx *ctx, struct libxl__evgen *evgen)
{
    struct followed *followed;
    while ((followed = LIST_FIRST(&evgen->followed)))
        unfollow(ctx, followed);
    if (evgen->domid == LIBXL_DOMID_ALL)
        libxl__domains_unobserve(ctx, &evgen->observer);
}

/*
 * Follows all existing domains before it returns, so that later changes of these domains are reported.
 * Errors, with a message: those of follow, and those of listing the domains.
 */
static int follow_all(libxl_ctx *ctx, struct libxl__evgen *evgen)
{
    const xc_domaininfo_t *list;
    evgen->observer = (libxl__domain_observer){.appeared = domain_appeared};
    int rc = libxl__domains_observe(ctx, &evgen->observer);
    if (rc)
        return libxl__refuse_in(rc, "following a domain");
    const int count = libxl__hv_list(ctx, &list);
    if (count < 0)
        rc = libxl__refuse(libxl__errno_rc(LIBXL__CALL_HOST, errno), "listing the domains: %m");
    /*
     * Domain 0 has no lifecycle. A domain that is being made is left to the observer, which is called for it later.
     */
    for (int i = 0; i < count && !rc; i++)
        if (list[i].domain && !libxl__domain_is_being_made(&list[i]) && (rc = follow(ctx, evgen, &list[i])))
            libxl__refuse_in(rc, "following a domain");
    if (rc)
        unfollow_all(ctx, evgen);
    else
        libxl__domains_look_soon(ctx);
    return rc;
}

/* Called when changes of domains may have been missed. Reports an event DOMAIN_EVENTS_LOST. */
static void changes_lost(libxl_ctx *ctx, libxl__domains_listener *listener)
{
    const struct libxl__evgen *evgen = LIBXL__CONTAINER(listener, struct libxl__evgen, listener);
    if (!evgen->lifecycle) /* libxl has no event DOMAIN_EVENTS_LOST */
        return;
    libxl_event *event =
        libxl__event_new(ctx, LIBXL_EVENT_TYPE_DOMAIN_EVENTS_LOST, evgen->domid, evgen->user);
    if (!event) {
        libxl__event_missed(ctx, 0);
        return;
    }
    libxl__event_fits_record(event, 0);
    libxl__event_occurred(ctx, event);
}

/* ---- a generator for one domain */

/* Reports the death of a domain that is gone already, as libxl does. Returns 0 or an error. */
static int report_absent(libxl_ctx *ctx, const struct libxl__evgen *evgen)
{
    libxl_event *event = libxl__event_new(ctx, LIBXL_EVENT_TYPE_DOMAIN_DEATH, evgen->domid, evgen->user);
    if (!event)
        return libxl__refuse_in(ERROR_NOMEM, "enabling events of domains");
    libxl__event_fits_record(event, 0);
    libxl__event_occurred(ctx, event);
    return 0;
}

static int follow_one(libxl_ctx *ctx, struct libxl__evgen *evgen)
{
    xc_domaininfo_t info;
    int count = xc_domain_getinfolist(libxl__xch(ctx), evgen->domid, 1, &info);
    if (count < 0 && errno != ESRCH)
        return libxl__refuse(libxl__errno_rc(LIBXL__CALL_DOMAIN, errno), "asking about domain %u: %m",
                             evgen->domid);
    const bool exists = count == 1 && info.domain == evgen->domid;
    if (!exists && !evgen->lifecycle)
        return report_absent(ctx, evgen);
    if (!exists)
        return libxl__refuse(ERROR_DOMAIN_NOTFOUND, "domid: there is no domain %u", evgen->domid);
    int rc = follow(ctx, evgen, &info);
    return rc ? libxl__refuse_in(rc, "following a domain") : 0;
}

/* ---- enabling and disabling the generators */

static void close_evgen(libxl_ctx *ctx, libxl__generator *generator)
{
    struct libxl__evgen *evgen = LIBXL__CONTAINER(generator, struct libxl__evgen, generator);
    unfollow_all(ctx, evgen);
    libxl__domains_unlisten(ctx, &evgen->listener);
    free(evgen);
}

static int enable_locked(libxl_ctx *ctx, struct libxl__evgen *evgen)
{
    int rc = libxl__hooks_need_loop(ctx);
    if (rc || ctx->closing)
        return libxl__refuse_in(rc ? rc : ERROR_CLOSED, "enabling events of domains");
    rc = evgen->domid == LIBXL_DOMID_ALL ? follow_all(ctx, evgen) : follow_one(ctx, evgen);
    if (!rc) {
        evgen->listener.lost = changes_lost;
        libxl__domains_listen(ctx, &evgen->listener);
        libxl__generator_add(ctx, &evgen->generator, close_evgen);
    }
    return rc;
}

static int enable(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user, bool lifecycle,
                  struct libxl__evgen **evgen_out)
{
    if (!evgen_out)
        return libxl__refuse(ERROR_INVAL, "evgen_out: NULL");
    *evgen_out = NULL;
    int rc = domid == LIBXL_DOMID_ALL && lifecycle ? 0 : libxl__hv_check_domid(domid);
    if (rc)
        return rc;
    struct libxl__evgen *evgen = calloc(1, sizeof(*evgen));
    if (!evgen)
        return libxl__refuse_in(ERROR_NOMEM, "enabling events of domains");
    *evgen = (struct libxl__evgen){.domid = domid, .user = user, .lifecycle = lifecycle};
    libxl__ctx_lock(ctx);
    rc = enable_locked(ctx, evgen);
    if (rc)
        free(evgen);
    /*
     * The generator is stored before the lock is released, because an event callback may disable the
     * generator.
     */
    else
        *evgen_out = evgen;
    libxl__ctx_leave(ctx);
    return rc;
}

static void disable(libxl_ctx *ctx, struct libxl__evgen *evgen)
{
    if (!evgen)
        return;
    libxl__ctx_lock(ctx);
    libxl__generator_remove(ctx, &evgen->generator);
    close_evgen(ctx, &evgen->generator);
    libxl__ctx_leave(ctx);
}

int libxl_evenable_domain_death(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user,
                                libxl_evgen_domain_death **evgen_out)
{
    return enable(ctx, domid, user, false, evgen_out);
}

void libxl_evdisable_domain_death(libxl_ctx *ctx, libxl_evgen_domain_death *evgen)
{
    disable(ctx, evgen);
}

int libxl_evenable_domain_lifecycle(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user,
                                    libxl_evgen_domain_lifecycle **evgen_out)
{
    return enable(ctx, domid, user, true, evgen_out);
}

void libxl_evdisable_domain_lifecycle(libxl_ctx *ctx, libxl_evgen_domain_lifecycle *evgen)
{
    disable(ctx, evgen);
}
