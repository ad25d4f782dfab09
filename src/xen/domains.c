/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the table of followed domains (followed.c), the two watches, and the timer for the next look
 * (domains.h). Followers and observers belong to their users. The context's lock guards all of them.
 *
 * A look fetches the hypervisor's list page by page and compares it with the followed domains. Then it calls
 * the followers whose domains have changed. A look stops at the end of the loop's turn (loop.h). The timer
 * then continues the look in the next turn.
 */
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_INTERVAL LIBXL__MILLISECONDS(1)
#define LAST_INTERVAL  LIBXL__MILLISECONDS(50)
#define IDLE_INTERVAL  LIBXL__SECONDS(2)        /* the interval for domains that xenstored does not know */
#define BLIND_INTERVAL LIBXL__MILLISECONDS(200) /* the interval while there is no connection to xenstored */
#define NEVER          (UINT64_MAX / 2)

/* The callback of a domain that is followed for an operation. */
static void domain_changed(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    (void)ctx;
    libxl__source_fire(&LIBXL__CONTAINER(follower, libxl__domain_source, follower)->source);
}

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
        if (!page[i].domain || (domain && domain->observed == domains->observer_count))
            continue;
        LIST_FOREACH (observer, &domains->observers, link)
            if (!domain || !libxl__followed_by(domain, observer))
                observer->appeared(ctx, observer, &page[i]);
    }
}

/* ---- planning the next look */

/* Returns whether a domain is followed or an observer is registered. */
static bool has_users(const libxl__domains *domains)
{
    return domains->followed.count || !LIST_EMPTY(&domains->observers);
}

static libxl__timer_callback timer_expired;

static void plan(libxl_ctx *ctx, uint64_t delay)
{
    ctx->xen->domains.resting = delay == NEVER;
    libxl__timer_start(ctx, &ctx->xen->domains.again, delay, timer_expired);
}

/*
 * Plans the next look after a complete look. If a followed domain is dying, the next look follows soon. If no
 * followed domain is dying, the next look follows after IDLE_INTERVAL, because xenstored reports nothing
 * about a domain that it does not know. Without a connection to xenstored it follows after BLIND_INTERVAL,
 * because then only looks find changes. If there are no followers and observers, no look is planned.
 */
static void plan_next_look(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (domains->followed.dying) {
        plan(ctx, domains->interval);
        if (domains->interval < LAST_INTERVAL)
            domains->interval *= 2;
    } else {
        const uint64_t idle = libxl__xs_link_is_up(ctx) ? IDLE_INTERVAL : BLIND_INTERVAL;
        domains->interval = FIRST_INTERVAL;
        plan(ctx, has_users(domains) ? idle : NEVER);
    }
}

/* ---- failures to fetch the list */

void libxl__domains_listen(libxl_ctx *ctx, libxl__domains_listener *listener)
{
    LIST_INSERT_HEAD(&ctx->xen->domains.listeners, listener, link);
}

void libxl__domains_unlisten(libxl_ctx *ctx, libxl__domains_listener *listener)
{
    (void)ctx;
    LIST_REMOVE(listener, link);
}

void libxl__domains_lost(libxl_ctx *ctx)
{
    libxl__domains_listener *listener;
    LIST_FOREACH (listener, &ctx->xen->domains.listeners, link)
        listener->lost(ctx, listener);
}

static bool list_is_refused(const libxl__domains *domains)
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
    /*
     * This runs the operations of the followers. libxl__domain_source_check then returns the error to them.
     */
    if (list_is_refused(domains))
        libxl__followed_tell_all(&domains->followed);
}

static uint64_t retry_interval(const libxl__domains *domains)
{
    const uint32_t doublings = domains->failures - 1;
    return list_is_refused(domains) ? IDLE_INTERVAL : LAST_INTERVAL << doublings;
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
        call_observers(ctx, page, count);
        libxl__followed_compare(&domains->followed, first, page, count, !domains->looking);
    } while (domains->looking && libxl__turn_goes_on(ctx, turn));
    if (!domains->looking)
        look_succeeded(ctx);
}

/*
 * Begins a look, or continues the look that the end of the last turn has interrupted. Then plans the
 * continuation or the next look.
 */
static void work(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    const bool refused = list_is_refused(domains);
    libxl__turn turn = {0};
    if (domains->looking || TAILQ_EMPTY(&domains->followed.changed))
        look_at_pages(ctx, &turn);
    libxl__followed_tell(ctx, &turn, refused || list_is_refused(domains) ? domain_changed : NULL);
    if (domains->looking || !TAILQ_EMPTY(&domains->followed.changed) || domains->repeated) {
        plan(ctx, 0);
        if (!domains->looking && TAILQ_EMPTY(&domains->followed.changed))
            domains->repeated = false;
    } else if (domains->failures) {
        plan(ctx, retry_interval(domains));
    } else {
        plan_next_look(ctx);
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
    if (has_users(domains)) {
        work(ctx);
        return;
    }
    domains->looking = domains->repeated = false;
    domains->next = 0;
    plan_next_look(ctx);
}

void libxl__domains_look(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    domains->repeated = domains->looking || !TAILQ_EMPTY(&domains->followed.changed);
    work(ctx);
}

static void look_now(libxl_ctx *ctx, void *user, bool failed)
{
    libxl__watch **watch = user;
    ctx->xen->domains.interval = FIRST_INTERVAL;
    /* The next libxl__domain_follow adds the watch again; until then only the timer starts looks. */
    if (failed) {
        libxl__watch_remove(ctx, *watch);
        *watch = NULL;
        libxl__domains_look_soon(ctx);
    } else if (has_users(&ctx->xen->domains)) {
        libxl__domains_look(ctx);
    }
}

bool libxl__domains_in_use(const libxl_ctx *ctx)
{
    return has_users(&ctx->xen->domains);
}

void libxl__domains_unwatched(libxl_ctx *ctx)
{
    if (has_users(&ctx->xen->domains))
        libxl__domains_look_soon(ctx);
}

void libxl__domains_look_soon(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    domains->interval = FIRST_INTERVAL;
    if (domains->looking || !TAILQ_EMPTY(&domains->followed.changed))
        domains->repeated = true;
    plan(ctx, 0);
}

/* ---- following domains, and observers of domains */

/* Adds each of the two watches that does not exist. Errors, without a message: NOMEM, FAIL. */
static int add_watches(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    int rc = 0;
    if (!domains->released) {
        rc = libxl__watch_add(ctx, "@releaseDomain", look_now, &domains->released, true, &domains->released);
        /* `released` is NULL if the watch has failed at once, because look_now has then removed the watch. */
        if (domains->released)
            libxl__watch_fire_early(ctx, domains->released);
    }
    if (!rc && !domains->introduced)
        rc = libxl__watch_add(ctx, "@introduceDomain", look_now, &domains->introduced, true,
                              &domains->introduced);
    return rc;
}

int libxl__domain_follow(libxl_ctx *ctx, libxl__domain_follower *follower, const xc_domaininfo_t *info,
                         libxl__domain_callback *callback)
{
    libxl__domains *domains = &ctx->xen->domains;
    int rc = add_watches(ctx);
    if (!rc)
        rc = libxl__followed_make_room(&domains->followed);
    if (rc)
        return rc;
    if (!has_users(domains)) /* failures from earlier waits must not end the wait for this domain */
        domains->failures = 0;
    follower->callback = callback;
    libxl__followed_add(&domains->followed, follower, info);
    if (!TAILQ_EMPTY(&domains->followed.changed))
        libxl__domains_look_soon(ctx);
    else if (domains->resting)
        plan_next_look(ctx);
    return 0;
}

void libxl__domain_unfollow(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    if (follower->domain)
        libxl__followed_remove(&ctx->xen->domains.followed, follower);
}

int libxl__domains_observe(libxl_ctx *ctx, libxl__domain_observer *observer)
{
    int rc = add_watches(ctx);
    if (rc)
        return rc;
    LIST_INSERT_HEAD(&ctx->xen->domains.observers, observer, link);
    ctx->xen->domains.observer_count++;
    return 0;
}

void libxl__domains_unobserve(libxl_ctx *ctx, libxl__domain_observer *observer)
{
    ctx->xen->domains.observer_count--;
    LIST_REMOVE(observer, link);
}

int libxl__domains_open(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    domains->interval = FIRST_INTERVAL;
    domains->resting = true;
    libxl__followed_open(&domains->followed);
    LIST_INIT(&domains->observers);
    LIST_INIT(&domains->listeners);
    return libxl__timer_start(ctx, &domains->again, NEVER, timer_expired);
}

void libxl__domains_close(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    libxl__timer_stop(ctx, &domains->again);
    libxl__followed_close(&domains->followed); /* libxl__watches_close frees the two watches */
}

/* ---- followed domains as sources of operations */

static void release(libxl_ctx *ctx, libxl__domain_source *domain)
{
    ctx->xen->domains.followed.reserved -= domain->reserved;
    domain->reserved = false;
}

static void domain_source_stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__domain_source *domain = (libxl__domain_source *)source;
    release(ctx, domain);
    libxl__domain_unfollow(ctx, &domain->follower);
}

int libxl__domain_source_reserve(libxl__ao *ao, libxl__domain_source *domain)
{
    int rc = add_watches(ao->ctx);
    if (!rc)
        rc = libxl__followed_make_room(&ao->ctx->xen->domains.followed);
    if (rc)
        return libxl__ao_fail(ao, rc, "reserving a place for a domain to follow");
    ao->ctx->xen->domains.followed.reserved++;
    domain->reserved = true;
    libxl__source_attach(ao, &domain->source, domain_source_stop);
    return 0;
}

int libxl__domain_source_start(libxl__ao *ao, libxl__domain_source *domain, const xc_domaininfo_t *info)
{
    release(ao->ctx, domain);
    int rc = libxl__domain_follow(ao->ctx, &domain->follower, info, domain_changed);
    if (rc)
        return libxl__ao_fail(ao, rc, "following domain %u", (unsigned)info->domain);
    if (!domain->source.ao)
        libxl__source_attach(ao, &domain->source, domain_source_stop);
    return 0;
}

int libxl__domain_source_check(libxl__ao *ao)
{
    const libxl__domains *domains = &ao->ctx->xen->domains;
    if (!list_is_refused(domains))
        return 0;
    return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, domains->errnoval),
                          "listing the domains has failed %u times: %s", domains->failures,
                          strerror(domains->errnoval));
}
