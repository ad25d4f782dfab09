/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the application's event generators and their followers. Guarded by the context's lock.
 *
 * An evgen for one domain has one follower; an evgen for all domains has one for each that exists, made when
 * it is first seen and freed when its domain is gone.
 */
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct libxl__evgen {
    uint32_t domid; /* LIBXL_DOMID_ALL: every one */
    libxl_ev_user user;
    bool lifecycle;        /* DYING and GONE; else libxl's DOMAIN_DEATH */
    struct followed *only; /* its domain, until that is gone; NULL for all */
    TAILQ_ENTRY(libxl__evgen) link;
};

/* A follower of an evgen's, and what has been told of its domain. */
struct followed {
    libxl__domain_follower follower;
    struct libxl__evgen *evgen;
    bool told_shutdown, told_dying;
};

static void tell(libxl_ctx *ctx, const libxl__domain_follower *follower, libxl_event_type type)
{
    const struct libxl__evgen *evgen = ((const struct followed *)follower)->evgen;
    libxl_event *event = libxl__event_new(ctx, type, follower->domid, evgen->user);
    if (!event) {
        libxl__event_missed(ctx, type);
        return;
    }
    event->domuuid = follower->uuid;
    if (type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN)
        event->u.domain_shutdown.shutdown_reason = follower->code;
    libxl__event_occurred(ctx, event);
}

/* Tells all that has happened and has not been told, in its order. */
static void phase_changed(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    struct followed *followed = (struct followed *)follower;
    const bool lifecycle = followed->evgen->lifecycle;
    if (follower->was_shutdown && !followed->told_shutdown)
        tell(ctx, follower, LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN);
    followed->told_shutdown = follower->was_shutdown; /* a resumed domain may shut down again */
    if (follower->phase < LIBXL__DOMAIN_DYING)
        return;
    if (!followed->told_dying)
        tell(ctx, follower, lifecycle ? LIBXL_EVENT_TYPE_DOMAIN_DYING : LIBXL_EVENT_TYPE_DOMAIN_DEATH);
    followed->told_dying = true;
    if (follower->phase == LIBXL__DOMAIN_GONE) {
        if (lifecycle)
            tell(ctx, follower, LIBXL_EVENT_TYPE_DOMAIN_GONE);
        followed->evgen->only = NULL;
        libxl__domain_unfollow(ctx, follower);
        free(followed);
    }
}

static bool is_of(const libxl__domain_follower *follower, const struct libxl__evgen *evgen)
{
    return follower->callback == phase_changed && ((const struct followed *)follower)->evgen == evgen;
}

static int follow(libxl_ctx *ctx, struct libxl__evgen *evgen, const xc_domaininfo_t *info)
{
    struct followed *followed = calloc(1, sizeof(*followed));
    if (!followed)
        return ERROR_NOMEM;
    followed->evgen = evgen;
    int rc = libxl__domain_follow(ctx, &followed->follower, info, phase_changed);
    if (rc)
        free(followed);
    else if (evgen->domid != LIBXL_DOMID_ALL)
        evgen->only = followed;
    return rc;
}

static bool follows(const libxl__domains *domains, uint32_t place, const struct libxl__evgen *evgen,
                    const xc_domaininfo_t *info)
{
    for (; place < domains->count && domains->places[place].domid == info->domain; place++) {
        const libxl__domain_place *at = &domains->places[place];
        if (is_of(at->follower, evgen) && !memcmp(at->uuid.uuid, info->handle, sizeof(info->handle)))
            return true;
    }
    return false;
}

/* One evgen's part: both the page and the places are in order of domid. */
static void follow_new(libxl_ctx *ctx, struct libxl__evgen *evgen, const xc_domaininfo_t *page, int count,
                       uint32_t place)
{
    const libxl__domains *domains = &ctx->xen->domains;
    for (int i = 0; i < count; i++) {
        while (place < domains->count && domains->places[place].domid < page[i].domain)
            place++;
        if (page[i].domain && !follows(domains, place, evgen, &page[i]) && follow(ctx, evgen, &page[i]))
            libxl__event_missed(ctx, 0); /* domain 0 has no lifecycle */
    }
}

void libxl__evgens_follow_new(libxl_ctx *ctx, const xc_domaininfo_t *page, int count, uint32_t place)
{
    struct libxl__evgen *evgen;
    TAILQ_FOREACH (evgen, &ctx->xen->domains.evgens, link) {
        if (evgen->domid != LIBXL_DOMID_ALL)
            return;
        follow_new(ctx, evgen, page, count, place);
    }
}

bool libxl__evgens_for_all(const libxl__domains *domains)
{
    const struct libxl__evgen *first = TAILQ_FIRST(&domains->evgens);
    return first && first->domid == LIBXL_DOMID_ALL;
}

static void unfollow(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    libxl__domain_unfollow(ctx, follower);
    free(follower);
}

static void unfollow_all(libxl_ctx *ctx, const struct libxl__evgen *evgen)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (evgen->only)
        unfollow(ctx, &evgen->only->follower);
    for (uint32_t i = evgen->domid == LIBXL_DOMID_ALL ? domains->count : 0; i-- > 0;)
        if (is_of(domains->places[i].follower, evgen))
            unfollow(ctx, domains->places[i].follower);
}

static void add(libxl_ctx *ctx, struct libxl__evgen *evgen)
{
    if (evgen->domid == LIBXL_DOMID_ALL)
        TAILQ_INSERT_HEAD(&ctx->xen->domains.evgens, evgen, link);
    else
        TAILQ_INSERT_TAIL(&ctx->xen->domains.evgens, evgen, link);
    ctx->xen->domains.nr_evgens++;
}

static void drop(libxl_ctx *ctx, struct libxl__evgen *evgen)
{
    TAILQ_REMOVE(&ctx->xen->domains.evgens, evgen, link);
    ctx->xen->domains.nr_evgens--;
    unfollow_all(ctx, evgen);
}

/* Those that exist now are followed from now on: what becomes of them is told, however soon it happens. Nothing is told
 * before all are. */
static int enable_all(libxl_ctx *ctx, struct libxl__evgen *evgen)
{
    const xc_domaininfo_t *list;
    int rc = libxl__domains_watch(ctx);
    if (rc)
        return rc;
    const int count = libxl__hv_list(ctx, &list);
    if (count < 0)
        return libxl__log_errno(ctx, libxl__errno_rc(errno), "listing the domains");
    add(ctx, evgen);
    for (int i = 0; i < count && !rc; i++)
        if (list[i].domain) /* domain 0 has no lifecycle */
            rc = follow(ctx, evgen, &list[i]);
    if (rc)
        drop(ctx, evgen);
    else
        libxl__domains_look_soon(ctx);
    return rc;
}

static int enable_one(libxl_ctx *ctx, struct libxl__evgen *evgen)
{
    xc_domaininfo_t info;
    int count = xc_domain_getinfolist(libxl__xch(ctx), evgen->domid, 1, &info);
    if (count < 0 && errno != ESRCH)
        return libxl__log_errno(ctx, libxl__errno_rc(errno), "looking at domain %u", evgen->domid);
    if (count != 1 || info.domain != evgen->domid)
        return libxl__refuse(ERROR_DOMAIN_NOTFOUND, "domid: there is no domain %u", evgen->domid);
    int rc = follow(ctx, evgen, &info);
    if (!rc)
        add(ctx, evgen);
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
        return libxl__refuse(ERROR_NOMEM, "%s", libxl_error_describe(ERROR_NOMEM));
    *evgen = (struct libxl__evgen){.domid = domid, .user = user, .lifecycle = lifecycle};
    libxl__error_message_set(0, NULL);
    libxl__ctx_lock(ctx);
    rc = libxl__hooks_need_loop(ctx);
    if (!rc && ctx->closing)
        rc = ERROR_CLOSED;
    if (!rc)
        rc = domid == LIBXL_DOMID_ALL ? enable_all(ctx, evgen) : enable_one(ctx, evgen);
    if (rc && !*libxl_error_message()) /* it has no words of its own */
        libxl__error_message_set(rc, NULL);
    if (rc)
        free(evgen);
    else
        *evgen_out = evgen; /* before a callback may want to disable it */
    libxl__ctx_leave(ctx);
    return rc;
}

static void disable(libxl_ctx *ctx, struct libxl__evgen *evgen)
{
    if (!evgen)
        return;
    libxl__ctx_lock(ctx);
    drop(ctx, evgen);
    libxl__ctx_leave(ctx);
    free(evgen);
}

void libxl__evgens_close(libxl_ctx *ctx)
{
    struct libxl__evgen *evgen;
    while ((evgen = TAILQ_FIRST(&ctx->xen->domains.evgens))) {
        drop(ctx, evgen);
        free(evgen);
    }
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
