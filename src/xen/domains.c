/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the array of places (the followers are their users'), the two watches, the timer. Guarded by the
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

/* The flags that make a phase, or say why it is that. */
#define PHASE_FLAGS                                                                                          \
    (XEN_DOMINF_dying | XEN_DOMINF_shutdown | XEN_DOMINF_shutdownmask << XEN_DOMINF_shutdownshift)

/* The place of the first follower that is not before this one; those of one domid are in order of their addresses. */
static uint32_t place_of(const libxl__domains *domains, uint32_t domid,
                         const libxl__domain_follower *follower)
{
    uint32_t low = 0, high = domains->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const libxl__domain_place *other = &domains->places[middle];
        if (other->domid < domid ||
            (other->domid == domid && (uintptr_t)other->follower < (uintptr_t)follower))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static libxl__domain_phase phase_of(const xc_domaininfo_t *info)
{
    if (info->flags & XEN_DOMINF_dying)
        return LIBXL__DOMAIN_DYING;
    return info->flags & XEN_DOMINF_shutdown ? LIBXL__DOMAIN_SHUTDOWN : LIBXL__DOMAIN_RUNNING;
}

/* Compares with what the list says of this domid now; NULL: nothing. */
static void compare(libxl__domains *domains, libxl__domain_place *place, const xc_domaininfo_t *info)
{
    const bool there = info && memcmp(info->handle, place->uuid.uuid, sizeof(place->uuid.uuid)) == 0;
    const uint32_t flags = there ? info->flags & PHASE_FLAGS : 0;
    if (there && flags == place->flags)
        return;
    libxl__domain_follower *follower = place->follower;
    libxl__domain_phase phase = LIBXL__DOMAIN_GONE;
    place->flags = flags;
    if (there) {
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

/* Compares the followers from this place on with a page of the list, which is in order of domid as they are: as far as
 * it goes, or, the last one, all. The place of the next. */
static uint32_t compare_page(libxl__domains *domains, uint32_t place, const xc_domaininfo_t *page, int count,
                             bool last)
{
    int at = 0;
    for (; place < domains->count; place++) {
        const uint32_t domid = domains->places[place].domid;
        if (!last && domid > page[count - 1].domain)
            break;
        while (at < count && page[at].domain < domid)
            at++;
        compare(domains, &domains->places[place], at < count && page[at].domain == domid ? &page[at] : NULL);
    }
    return place;
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

static bool anyone(const libxl__domains *domains)
{
    return domains->count || libxl__evgens_for_all(domains);
}

static libxl__timer_callback again;

static void plan(libxl_ctx *ctx, uint64_t delay)
{
    ctx->xen->domains.resting = delay == NEVER;
    libxl__timer_start(ctx, &ctx->xen->domains.again, delay, again);
}

/* While someone is dying, soon; while anyone is followed, after a while, whatever xenstored has told or not;
 * or never. */
static void plan_next_look(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (domains->dying) {
        plan(ctx, domains->interval);
        if (domains->interval < LAST_INTERVAL)
            domains->interval *= 2;
    } else {
        domains->interval = FIRST_INTERVAL;
        plan(ctx, anyone(domains) ? IDLE_INTERVAL : NEVER);
    }
}

/* That nobody is followed any more is seen here: the end of an operation need not touch the timer. */
static void again(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)timer;
    if (anyone(&ctx->xen->domains))
        libxl__domains_look(ctx);
    else
        plan_next_look(ctx);
}

int libxl__domains_look(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    xc_domaininfo_t page[LIBXL__HV_PAGE];
    uint32_t first = 0, place = 0;
    int count, rc = 0;
    do {
        count = libxl__hv_list_page(ctx, &first, page);
        if (count < 0) {
            rc = libxl__log_errno(ctx, libxl__errno_rc(errno), "listing the domains");
            break;
        }
        libxl__evgens_follow_new(ctx, page, count, place);
        place = compare_page(domains, place, page, count, count < LIBXL__HV_PAGE);
    } while (count == LIBXL__HV_PAGE);
    call_changed(ctx);
    if (rc)
        plan(ctx, LAST_INTERVAL);
    else
        plan_next_look(ctx);
    return rc;
}

static void look_now(libxl_ctx *ctx, void *user, bool failed)
{
    libxl__watch **watch = user;
    ctx->xen->domains.interval = FIRST_INTERVAL;
    if (failed) { /* the next who follows tries again; until then the idle interval must do */
        libxl__watch_remove(ctx, *watch);
        *watch = NULL;
        libxl__domains_look_soon(ctx);
    } else if (anyone(&ctx->xen->domains)) {
        libxl__domains_look(ctx);
    }
}

void libxl__domains_look_soon(libxl_ctx *ctx)
{
    ctx->xen->domains.interval = FIRST_INTERVAL;
    plan(ctx, 0);
}

/* ---- following */

/* The context's own watches, from the first follower on. */
int libxl__domains_watch(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    int rc = 0;
    if (!domains->released) {
        rc = libxl__watch_add(ctx, "@releaseDomain", look_now, &domains->released, true, &domains->released);
        if (domains->released) /* it may have failed already */
            libxl__watch_urgent(ctx, domains->released);
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
    int rc = libxl__domains_watch(ctx);
    if (rc)
        return rc;
    if (domains->count == domains->room) {
        uint32_t room = domains->room ? 2 * domains->room : 16;
        libxl__domain_place *larger = realloc(domains->places, room * sizeof(*larger));
        if (!larger)
            return ERROR_NOMEM;
        domains->places = larger;
        domains->room = room;
    }
    follower->domid = info->domain;
    memcpy(follower->uuid.uuid, info->handle, sizeof(follower->uuid.uuid));
    follower->phase = LIBXL__DOMAIN_RUNNING;
    follower->was_shutdown = info->flags & XEN_DOMINF_shutdown; /* it may be gone before the next look */
    follower->code = libxl__hv_shutdown_code(info);
    follower->callback = callback;
    follower->changed = false;
    follower->follows = true;
    libxl__domain_place *place = domains->places + place_of(domains, follower->domid, follower);
    libxl__domain_place *end = domains->places + domains->count++;
    memmove(place + 1, place, (size_t)(end - place) * sizeof(*place));
    /* One that was shut down may also have been resumed by then: that is looked at anew. */
    *place = (libxl__domain_place){follower->uuid, follower->domid, follower->was_shutdown ? UINT32_MAX : 0,
                                   follower};
    if (phase_of(info) != LIBXL__DOMAIN_RUNNING)
        libxl__domains_look_soon(ctx);
    else if (domains->resting)
        plan_next_look(ctx);
    return 0;
}

void libxl__domain_unfollow(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (!follower->follows)
        return;
    if (follower->changed)
        STAILQ_REMOVE(&domains->changed, follower, libxl__domain_follower, changed_link);
    domains->dying -= follower->phase == LIBXL__DOMAIN_DYING;
    libxl__domain_place *place = domains->places + place_of(domains, follower->domid, follower);
    libxl__domain_place *end = domains->places + --domains->count;
    memmove(place, place + 1, (size_t)(end - place) * sizeof(*place));
    follower->follows = false;
    follower->changed = false;
}

int libxl__domains_open(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    domains->interval = FIRST_INTERVAL;
    domains->resting = true;
    STAILQ_INIT(&domains->changed);
    TAILQ_INIT(&domains->evgens);
    return libxl__timer_start(ctx, &domains->again, NEVER, again);
}

void libxl__domains_close(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    libxl__evgens_close(ctx);
    libxl__timer_stop(ctx, &domains->again);
    free(domains->places); /* the watches go with all watches */
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
