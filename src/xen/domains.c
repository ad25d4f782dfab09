/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the table of followed domains (followed.c), the two watches, and the timer for the next look, which
 * looks.c uses (domains.h). Followers and observers belong to their users. The context's lock guards all of them.
 */
#include "looks.h"
#include "xen.h"

#include <stdlib.h>
#include <string.h>

/* The callback of a domain that is followed for an operation. */
void libxl__domain_source_changed(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    (void)ctx;
    libxl__source_fire(&LIBXL__CONTAINER(follower, libxl__domain_source, follower)->source);
}

/* Returns whether a domain is followed or an observer is registered. */
static bool has_users(const libxl__domains *domains)
{
    return domains->followed.count || !LIST_EMPTY(&domains->observers);
}

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

/* ---- the watches */

/*
 * The callback of both watches. @releaseDomain fires early (watch.h), so the body of its event, which may name the
 * domain, may not have arrived yet. If one hypercall lists all domains, a look at all of them is as cheap as a look at
 * one, so it is made at once. Otherwise the look waits for the body.
 */
static void look_now(libxl_ctx *ctx, void *user, bool failed)
{
    libxl__watch **watch = user;
    uint32_t domid;
    libxl__looks_hurry(ctx);
    /* The next libxl__domain_follow adds the watch again; until then only the timer starts looks. */
    if (failed) {
        libxl__watch_remove(ctx, *watch);
        *watch = NULL;
        libxl__domains_look_soon(ctx);
    } else if (!has_users(&ctx->xen->domains) || (ctx->xen->domains.pages > 1 && libxl__watch_defer(ctx))) {
        return;
    } else if (libxl__watch_domid(ctx, &domid)) {
        libxl__looks_at(ctx, domid);
    } else {
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

/* ---- following domains, and observers of domains */

/* Adds each of the two watches that does not exist. Errors, without a message: NOMEM, FAIL. */
static int add_watches(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    int rc = 0;
    if (!domains->released) {
        rc =
            libxl__watch_add_domains(ctx, "@releaseDomain", look_now, &domains->released, &domains->released);
        /* `released` is NULL if the watch has failed at once, because look_now has then removed the watch. */
        if (domains->released)
            libxl__watch_fire_early(ctx, domains->released);
    }
    if (!rc && !domains->introduced)
        rc = libxl__watch_add_domains(ctx, "@introduceDomain", look_now, &domains->introduced,
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
        libxl__looks_plan_next(ctx);
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
    ctx->xen->domains.next_complete = 0;
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
    libxl__followed_open(&domains->followed);
    LIST_INIT(&domains->observers);
    LIST_INIT(&domains->listeners);
    return libxl__looks_open(ctx);
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
    int rc = libxl__domain_follow(ao->ctx, &domain->follower, info, libxl__domain_source_changed);
    if (rc)
        return libxl__ao_fail(ao, rc, "following domain %u", (unsigned)info->domain);
    if (!domain->source.ao)
        libxl__source_attach(ao, &domain->source, domain_source_stop);
    return 0;
}

int libxl__domain_source_check(libxl__ao *ao)
{
    const libxl__domains *domains = &ao->ctx->xen->domains;
    if (!libxl__looks_are_refused(domains))
        return 0;
    return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, domains->errnoval),
                          "listing the domains has failed %u times: %s", domains->failures,
                          strerror(domains->errnoval));
}
