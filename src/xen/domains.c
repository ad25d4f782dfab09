/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the array of followers (the followers are their users'), the two watches, the timer. Guarded by the
 * context's lock. A look first compares, then calls: callbacks may follow and unfollow whatever they like.
 */
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_INTERVAL LIBXL__MILLISECONDS(1)
#define LAST_INTERVAL  LIBXL__MILLISECONDS(50)
#define IDLE_INTERVAL  LIBXL__SECONDS(2) /* for a domain that xenstored does not know of */
#define NEVER          (UINT64_MAX / 2)

static int by_domid(const void *left, const void *right)
{
    uint32_t a = (*(libxl__domain_follower *const *)left)->domid;
    uint32_t b = (*(libxl__domain_follower *const *)right)->domid;
    return (a > b) - (a < b);
}

void libxl__domains_sort(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (domains->sorted)
        return;
    if (domains->count)
        qsort(domains->followers, domains->count, sizeof(*domains->followers), by_domid);
    for (uint32_t i = 0; i < domains->count; i++)
        domains->followers[i]->place = i + 1;
    domains->sorted = true;
}

static libxl__domain_phase phase_of(const xc_domaininfo_t *info)
{
    if (info->flags & XEN_DOMINF_dying)
        return LIBXL__DOMAIN_DYING;
    return info->flags & XEN_DOMINF_shutdown ? LIBXL__DOMAIN_SHUTDOWN : LIBXL__DOMAIN_RUNNING;
}

/* Compares a follower with what the list says of its domid now; NULL: nothing. */
static void compare(libxl__domains *domains, libxl__domain_follower *follower, const xc_domaininfo_t *info)
{
    libxl__domain_phase phase = LIBXL__DOMAIN_GONE;
    if (info && memcmp(info->handle, follower->uuid.uuid, sizeof(follower->uuid.uuid)) == 0) {
        phase = phase_of(info);
        follower->was_shutdown = info->flags & XEN_DOMINF_shutdown;
        follower->code = libxl__hv_shutdown_code(info);
    }
    if (phase == follower->phase || follower->phase == LIBXL__DOMAIN_GONE)
        return;
    domains->dying += (phase == LIBXL__DOMAIN_DYING) - (follower->phase == LIBXL__DOMAIN_DYING);
    follower->phase = phase;
    if (!follower->changed)
        STAILQ_INSERT_TAIL(&domains->changed, follower, changed_link);
    follower->changed = true;
}

static void compare_all(libxl_ctx *ctx, const xc_domaininfo_t *list, uint32_t count)
{
    libxl__domains *domains = &ctx->xen->domains;
    libxl__domains_sort(ctx);
    uint32_t at = 0;
    for (uint32_t i = 0; i < domains->count; i++) {
        libxl__domain_follower *follower = domains->followers[i];
        while (at < count && list[at].domain < follower->domid)
            at++;
        compare(domains, follower, at < count && list[at].domain == follower->domid ? &list[at] : NULL);
    }
}

static void call_changed(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    libxl__domain_follower *follower;
    while ((follower = STAILQ_FIRST(&domains->changed))) {
        STAILQ_REMOVE_HEAD(&domains->changed, changed_link);
        follower->changed = false;
        follower->callback(ctx, follower);
    }
}

static void again(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)timer;
    libxl__domains_look(ctx);
}

/* While someone is dying, soon; while anyone is followed, after a while, whatever xenstored has told or not;
 * or never. */
static void plan_next_look(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (domains->dying) {
        libxl__timer_start(ctx, &domains->again, domains->interval, again);
        if (domains->interval < LAST_INTERVAL)
            domains->interval *= 2;
    } else {
        domains->interval = FIRST_INTERVAL;
        bool anyone = domains->count || !LIST_EMPTY(&domains->evgen_list);
        libxl__timer_start(ctx, &domains->again, anyone ? IDLE_INTERVAL : NEVER, again);
    }
}

void libxl__domains_look(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    const xc_domaininfo_t *list;
    int count = libxl__hv_list(ctx, &list);
    if (count < 0) {
        libxl__log(ctx, XTL_ERROR, errno, "listing the domains");
        libxl__timer_start(ctx, &domains->again, LAST_INTERVAL, again);
        return;
    }
    libxl__evgens_follow_new(ctx, list, (uint32_t)count);
    compare_all(ctx, list, (uint32_t)count);
    call_changed(ctx);
    plan_next_look(ctx);
}

static void look_now(libxl_ctx *ctx, void *user, bool failed)
{
    libxl__watch **watch = user;
    ctx->xen->domains.interval = FIRST_INTERVAL;
    if (failed) { /* the next who follows tries again; until then the idle interval must do */
        libxl__watch_remove(ctx, *watch);
        *watch = NULL;
        libxl__domains_look_soon(ctx);
    } else if (ctx->xen->domains.count || !LIST_EMPTY(&ctx->xen->domains.evgen_list)) {
        libxl__domains_look(ctx);
    }
}

void libxl__domains_look_soon(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    domains->interval = FIRST_INTERVAL;
    libxl__timer_start(ctx, &domains->again, 0, again);
}

/* ---- following */

/* The context's own watches, from the first follower on. */
int libxl__domains_watch(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    int rc = 0;
    if (!domains->released)
        rc = libxl__watch_add(ctx, "@releaseDomain", look_now, &domains->released, true, &domains->released);
    if (!rc && !domains->introduced)
        rc = libxl__watch_add(ctx, "@introduceDomain", look_now, &domains->introduced, true,
                              &domains->introduced);
    return rc;
}

int libxl__domain_follow(libxl_ctx *ctx, libxl__domain_follower *follower, const xc_domaininfo_t *info,
                         libxl__domain_callback *callback)
{
    libxl__domains *domains = &ctx->xen->domains;
    int rc = libxl__domains_watch(ctx);
    if (rc)
        return rc;
    if (domains->count == domains->room) {
        uint32_t room = domains->room ? 2 * domains->room : 16;
        libxl__domain_follower **larger = realloc(domains->followers, room * sizeof(*larger));
        if (!larger)
            return ERROR_NOMEM;
        domains->followers = larger;
        domains->room = room;
    }
    follower->domid = info->domain;
    memcpy(follower->uuid.uuid, info->handle, sizeof(follower->uuid.uuid));
    follower->phase = LIBXL__DOMAIN_RUNNING;
    follower->was_shutdown = false;
    follower->callback = callback;
    follower->changed = false;
    domains->followers[domains->count++] = follower;
    follower->place = domains->count;
    domains->sorted = false;
    if (phase_of(info) != LIBXL__DOMAIN_RUNNING)
        libxl__domains_look_soon(ctx);
    else if (domains->count == 1)
        plan_next_look(ctx);
    return 0;
}

void libxl__domain_unfollow(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (!follower->place)
        return;
    if (follower->changed)
        STAILQ_REMOVE(&domains->changed, follower, libxl__domain_follower, changed_link);
    domains->dying -= follower->phase == LIBXL__DOMAIN_DYING;
    libxl__domain_follower *last = domains->followers[--domains->count];
    domains->followers[follower->place - 1] = last;
    last->place = follower->place;
    follower->place = 0;
    follower->changed = false;
    domains->sorted = false;
    libxl__domains_rest(ctx);
}

void libxl__domains_rest(libxl_ctx *ctx)
{
    const libxl__domains *domains = &ctx->xen->domains;
    if (!domains->count && LIST_EMPTY(&domains->evgen_list))
        plan_next_look(ctx);
}

int libxl__domains_open(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    domains->interval = FIRST_INTERVAL;
    STAILQ_INIT(&domains->changed);
    LIST_INIT(&domains->evgen_list);
    return libxl__timer_start(ctx, &domains->again, NEVER, again);
}

void libxl__domains_close(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    libxl__evgens_close(ctx);
    libxl__timer_stop(ctx, &domains->again);
    free(domains->followers); /* the watches go with all watches */
}

/* ---- as a source */

static void fire(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    (void)ctx;
    libxl__source_fire(&LIBXL__CONTAINER(follower, libxl__domain_source, follower)->source);
}

static void stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__domain_unfollow(ctx, &((libxl__domain_source *)source)->follower);
}

int libxl__domain_source_start(libxl__ao *ao, libxl__domain_source *domain, const xc_domaininfo_t *info)
{
    int rc = libxl__domain_follow(ao->ctx, &domain->follower, info, fire);
    if (rc)
        return libxl__ao_fail(ao, rc, "following domain %u", (unsigned)info->domain);
    libxl__source_attach(ao, &domain->source, stop);
    return 0;
}
