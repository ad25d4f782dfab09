/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks at the hypervisor's list (domains.h), and the timer for the next look.
 *
 * Owns: nothing. The members of ctx->xen->domains that describe the present look and the next one, and the timer, are
 * used here; domains.c owns them. Call all functions with the context locked.
 *
 * A look fetches the hypervisor's list page by page and compares it with the followed domains. Then it calls
 * the followers whose domains have changed. A look stops at the end of the loop's turn (loop.h). The timer
 * then continues the look in the next turn.
 */
#include "looks.h"
#include "xen.h"

#include <errno.h>

#define FIRST_INTERVAL LIBXL__MILLISECONDS(1)
#define LAST_INTERVAL  LIBXL__MILLISECONDS(50)
#define IDLE_INTERVAL  LIBXL__SECONDS(2)        /* the time between two looks while no domain is dying */
#define BLIND_INTERVAL LIBXL__MILLISECONDS(200) /* the interval while there is no connection to xenstored */

/*
 * Calls the observers for the domains of a page. An observer is not called for a domain that one of the
 * observer's followers follows.
 */
static void call_observers(libxl_ctx *ctx, const xc_domaininfo_t *page, int count)
{
    const libxl__domains *domains = &ctx->xen->domains;
    libxl__domain_observer *observer;
    for (int i = 0; domains->observer_count && i < count; i++) {
        const libxl__followed *domain = libxl__followed_find(&domains->followed, &page[i]);
        if (!page[i].domain || (domain && domain->observed == domains->observer_count) ||
            (!domain && libxl__domain_is_being_made(&page[i])))
            continue;
        LIST_FOREACH (observer, &domains->observers, link)
            if (!domain || !libxl__followed_by(domain, observer))
                observer->appeared(ctx, observer, &page[i]);
    }
}

/* ---- planning the next look */

static libxl__timer_callback timer_expired;

static void plan(libxl_ctx *ctx, uint64_t delay)
{
    ctx->xen->domains.resting = delay == LIBXL__NEVER;
    libxl__timer_start(ctx, &ctx->xen->domains.again, delay, timer_expired);
}

static uint64_t idle_interval(const libxl_ctx *ctx)
{
    return libxl__xs_link_is_up(ctx) ? IDLE_INTERVAL : BLIND_INTERVAL;
}

/*
 * Plans the next look after a complete look. If a followed domain is dying, the next look follows soon. If no
 * followed domain is dying, the next look follows after IDLE_INTERVAL, because xenstored reports nothing
 * about a domain that it does not know. Without a connection to xenstored it follows after BLIND_INTERVAL,
 * because then only looks find changes. If there are no followers and observers, no look is planned.
 */
void libxl__looks_plan_next(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (domains->followed.dying) {
        plan(ctx, domains->interval);
        if (domains->interval < LAST_INTERVAL)
            domains->interval *= 2;
    } else {
        domains->interval = FIRST_INTERVAL;
        plan(ctx, libxl__domains_in_use(ctx) ? idle_interval(ctx) : LIBXL__NEVER);
    }
}

/* ---- failures to fetch the list */

bool libxl__looks_are_refused(const libxl__domains *domains)
{
    return domains->failures >= LIBXL__DOMAINS_ATTEMPTS;
}

/*
 * Handles a look that could not fetch the list. Failures are counted, so that a lasting failure writes only
 * two lines to the log.
 */
static void look_failed(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    domains->errnoval = errno;
    domains->failures++;
    if (domains->failures == 1)
        libxl__log(ctx, XTL_ERROR, domains->errnoval, "listing the domains");
    if (domains->failures == LIBXL__DOMAINS_ATTEMPTS) {
        libxl__log(ctx, XTL_ERROR, domains->errnoval,
                   "listing the domains has failed %u times; waiting operations end with an error",
                   domains->failures);
        libxl__domains_lost(ctx);
    }
    /* Each follower's operation then runs. It calls libxl__domain_source_check, which returns the error. */
    if (libxl__looks_are_refused(domains))
        libxl__followed_tell_all(&domains->followed);
}

static uint64_t retry_interval(const libxl__domains *domains)
{
    const uint32_t doublings = domains->failures - 1;
    return libxl__looks_are_refused(domains) ? IDLE_INTERVAL : LAST_INTERVAL << doublings;
}

static void look_succeeded(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (domains->failures)
        libxl__log(ctx, XTL_WARN, -1, "the domains are listed again after %u failures", domains->failures);
    domains->failures = 0;
}

/* ---- looking at the hypervisor's list */

/* Compares pages of the hypervisor's list until the list is complete or the turn is over. */
static void look_at_pages(libxl_ctx *ctx, libxl__turn *turn)
{
    libxl__domains *domains = &ctx->xen->domains;
    xc_domaininfo_t page[LIBXL__HV_PAGE];
    do {
        const uint32_t first = domains->next;
        const int count = libxl__hv_list_page(ctx, &domains->next, page);
        domains->looking = count == LIBXL__HV_PAGE;
        if (count < 0) {
            look_failed(ctx);
            return;
        }
        domains->pages = first ? domains->pages + 1 : 1;
        call_observers(ctx, page, count);
        libxl__followed_compare(&domains->followed, first, page, count, !domains->looking);
    } while (domains->looking && libxl__turn_goes_on(ctx, turn));
    if (!domains->looking) {
        domains->next_complete = libxl__now() + idle_interval(ctx);
        look_succeeded(ctx);
    }
}

/*
 * Compares one domain with its entry in the table, and calls the observers. libxl__followed_tell calls the followers
 * later. Returns false if the hypervisor gives no answer. `dying`: the followed domain with this domid, if it is
 * dying, otherwise NULL. A dying domain whose unique number (domain_ids.h) is unchanged still exists, so nothing has
 * changed.
 */
static bool look_at_one(libxl_ctx *ctx, uint32_t domid, libxl__followed *dying)
{
    libxl__followed_domains *followed = &ctx->xen->domains.followed;
    const uint64_t id = dying ? libxl__domain_unique_id(ctx, domid) : 0;
    xc_domaininfo_t info;
    if (id && id == dying->unique_id)
        return true;
    const int count = xc_domain_getinfolist(libxl__xch(ctx), domid, 1, &info);
    if (count < 0)
        return false;
    const bool exists = count && info.domain == domid;
    /*
     * The unique number was read before the UUID. If another domain got the domid meanwhile, the next look finds
     * this.
     */
    if (dying && exists && libxl__followed_find(followed, &info) == dying)
        dying->unique_id = id;
    if (exists)
        call_observers(ctx, &info, 1);
    libxl__followed_compare_one(followed, domid, exists ? &info : NULL);
    return true;
}

/*
 * Looks at the dying domains only. Returns false if the caller must look at all domains instead. This is so if such a
 * look is due or takes fewer hypercalls, or if the hypervisor gives no answer.
 */
static bool look_at_dying(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    libxl__followed *domain, *next;
    if (!domains->followed.dying || domains->followed.dying > domains->pages || domains->failures ||
        libxl__now() >= domains->next_complete)
        return false;
    for (domain = TAILQ_FIRST(&domains->followed.dying_domains); domain; domain = next) {
        next = TAILQ_NEXT(domain, dying_link);
        if (!look_at_one(ctx, domain->domid, domain))
            return false;
    }
    return true;
}

/*
 * Begins a look, or continues the look that the end of the last turn has interrupted. Then plans the
 * continuation or the next look. `planned`: the timer starts the look, so it may be a look at dying domains only.
 */
static void work(libxl_ctx *ctx, bool planned)
{
    libxl__domains *domains = &ctx->xen->domains;
    const bool refused = libxl__looks_are_refused(domains);
    libxl__turn turn = {0};
    if (domains->looking || (TAILQ_EMPTY(&domains->followed.changed) && !(planned && look_at_dying(ctx))))
        look_at_pages(ctx, &turn);
    libxl__followed_tell(ctx, &turn,
                         refused || libxl__looks_are_refused(domains) ? libxl__domain_source_changed : NULL);
    if (domains->looking || !TAILQ_EMPTY(&domains->followed.changed) || domains->repeated) {
        plan(ctx, 0);
        if (!domains->looking && TAILQ_EMPTY(&domains->followed.changed)) {
            domains->repeated = false;
            domains->next_complete = 0;
        }
    } else if (domains->failures) {
        plan(ctx, retry_interval(domains));
    } else {
        libxl__looks_plan_next(ctx);
    }
    if (!domains->looking)
        domains->next = 0;
}

/*
 * The callback of the timer. It may be called while no domain is followed: libxl__domain_unfollow does not
 * stop the timer, because that would cost time at the end of each operation.
 */
static void timer_expired(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)timer;
    libxl__domains *domains = &ctx->xen->domains;
    if (libxl__domains_in_use(ctx)) {
        work(ctx, true);
        return;
    }
    domains->looking = domains->repeated = false;
    domains->next = 0;
    libxl__looks_plan_next(ctx);
}

void libxl__domains_look(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    domains->repeated = domains->looking || !TAILQ_EMPTY(&domains->followed.changed);
    work(ctx, false);
}

/*
 * Looks at one domain, which an event names. The event says nothing about other domains, so the time of the next look
 * at all domains does not change. If a look at all domains is in progress, or the last one has failed, looks at all
 * domains again instead.
 */
void libxl__looks_at(libxl_ctx *ctx, uint32_t domid)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (!domains->observer_count && !libxl__followed_has(&domains->followed, domid))
        return;
    if (domains->looking || !TAILQ_EMPTY(&domains->followed.changed) || domains->failures ||
        !look_at_one(ctx, domid, NULL)) {
        libxl__domains_look(ctx);
        return;
    }
    libxl__turn turn = {0};
    libxl__followed_tell(ctx, &turn, NULL);
    if (!TAILQ_EMPTY(&domains->followed.changed))
        plan(ctx, 0);
    else if (domains->followed.dying)
        libxl__looks_plan_next(ctx);
}

void libxl__domains_look_soon(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    domains->interval = FIRST_INTERVAL;
    if (domains->looking || !TAILQ_EMPTY(&domains->followed.changed))
        domains->repeated = true;
    domains->next_complete = 0;
    plan(ctx, 0);
}

void libxl__looks_hurry(libxl_ctx *ctx)
{
    ctx->xen->domains.interval = FIRST_INTERVAL;
}

int libxl__looks_open(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    domains->interval = FIRST_INTERVAL;
    domains->resting = true;
    return libxl__timer_start(ctx, &domains->again, LIBXL__NEVER, timer_expired);
}
