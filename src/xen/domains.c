/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the array of slots, the two watches and the timer of the next look. Followers and observers belong to their users.
 * The context's lock guards all of it.
 *
 * A look compares all slots with the hypervisor's list first and calls the followers' callbacks afterwards, so callbacks may
 * follow and unfollow any domain.
 */
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_INTERVAL LIBXL__MILLISECONDS(1)
#define LAST_INTERVAL  LIBXL__MILLISECONDS(50)
#define IDLE_INTERVAL  LIBXL__SECONDS(2)        /* for a domain that xenstored does not know of */
#define BLIND_INTERVAL LIBXL__MILLISECONDS(200) /* while xenstored reports nothing */
#define NEVER          (UINT64_MAX / 2)

/* The callback of a followed domain that is a source of an operation. */
static void domain_changed(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    (void)ctx;
    libxl__source_fire(&LIBXL__CONTAINER(follower, libxl__domain_source, follower)->source);
}

/* The flags that determine a domain's phase, and the reason of its shutdown. */
#define PHASE_FLAGS                                                                                          \
    (XEN_DOMINF_dying | XEN_DOMINF_shutdown | XEN_DOMINF_shutdownmask << XEN_DOMINF_shutdownshift)

/* The index of the first slot that is not before this follower's. Followers of one domid are ordered by address. */
static uint32_t slot_of(const libxl__domains *domains, uint32_t domid, const libxl__domain_follower *follower)
{
    uint32_t low = 0, high = domains->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const libxl__domain_slot *other = &domains->slots[middle];
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

/* Compares a slot with the entry of the list that has its domid; NULL: there is none. */
static void compare(libxl__domains *domains, libxl__domain_slot *slot, const xc_domaininfo_t *info)
{
    const bool there = info && memcmp(info->handle, slot->uuid.uuid, sizeof(slot->uuid.uuid)) == 0;
    const uint32_t flags = there ? info->flags & PHASE_FLAGS : 0;
    if (there && flags == slot->flags)
        return;
    libxl__domain_follower *follower = slot->follower;
    libxl__domain_phase phase = LIBXL__DOMAIN_GONE;
    slot->flags = flags;
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

/*
 * Compares slots, from index `slot` on, with a page of the list: those up to the page's last domid, or all
 * remaining ones if it is the last page. Slots and pages are in order of domid. Returns the index of the next slot.
 */
static uint32_t compare_page(libxl__domains *domains, uint32_t slot, const xc_domaininfo_t *page, int count,
                             bool last)
{
    int at = 0;
    for (; slot < domains->count; slot++) {
        const uint32_t domid = domains->slots[slot].domid;
        if (!last && domid > page[count - 1].domain)
            break;
        while (at < count && page[at].domain < domid)
            at++;
        compare(domains, &domains->slots[slot], at < count && page[at].domain == domid ? &page[at] : NULL);
    }
    return slot;
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

/* Whether one of the observer's followers has a slot, at index `slot` or after, for this domain. */
static bool observer_follows(const libxl__domains *domains, uint32_t slot,
                             const libxl__domain_observer *observer, const xc_domaininfo_t *info)
{
    for (; slot < domains->count && domains->slots[slot].domid == info->domain; slot++) {
        const libxl__domain_slot *at = &domains->slots[slot];
        if (!memcmp(at->uuid.uuid, info->handle, sizeof(info->handle)) &&
            observer->follows(observer, at->follower))
            return true;
    }
    return false;
}

/* Calls the observers for the domains of a page that they do not follow. The slots of these domains start at index `slot`. */
static void call_observers(libxl_ctx *ctx, const xc_domaininfo_t *page, int count, uint32_t first_slot)
{
    const libxl__domains *domains = &ctx->xen->domains;
    libxl__domain_observer *observer;
    LIST_FOREACH (observer, &domains->observers, link) {
        uint32_t slot = first_slot;
        for (int i = 0; i < count; i++) {
            while (slot < domains->count && domains->slots[slot].domid < page[i].domain)
                slot++;
            if (page[i].domain && !observer_follows(domains, slot, observer, &page[i]))
                observer->appeared(ctx, observer, &page[i]);
        }
    }
}

/* ---- planning */

/* Whether a domain is followed or an observer is registered. */
static bool has_users(const libxl__domains *domains)
{
    return domains->count || !LIST_EMPTY(&domains->observers);
}

static libxl__timer_callback timer_expired;

static void plan(libxl_ctx *ctx, uint64_t delay)
{
    ctx->xen->domains.resting = delay == NEVER;
    libxl__timer_start(ctx, &ctx->xen->domains.again, delay, timer_expired);
}

/*
 * Plans the next look: soon while a followed domain is dying, after the idle interval while there are other followers
 * or observers (xenstored fires nothing for a domain that it does not know), else never. Without a connection to xenstored
 * the looks alone find the changes.
 */
static void plan_next_look(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (domains->dying) {
        plan(ctx, domains->interval);
        if (domains->interval < LAST_INTERVAL)
            domains->interval *= 2;
    } else {
        const uint64_t idle = libxl__xs_link_is_up(ctx) ? IDLE_INTERVAL : BLIND_INTERVAL;
        domains->interval = FIRST_INTERVAL;
        plan(ctx, has_users(domains) ? idle : NEVER);
    }
}

/* The timer has expired. Unfollowing does not stop the timer, because that would cost time at the end of each operation. So the
 * timer may expire when no domain is followed. */
static void timer_expired(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)timer;
    if (has_users(&ctx->xen->domains))
        libxl__domains_look(ctx);
    else
        plan_next_look(ctx);
}

/* ---- a list that cannot be fetched */

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

/* Runs the operations that follow a domain, so that they check whether the list is refused. */
static void fire_sources(libxl_ctx *ctx)
{
    const libxl__domains *domains = &ctx->xen->domains;
    for (uint32_t i = 0; i < domains->count; i++)
        if (domains->slots[i].follower->callback == domain_changed)
            domain_changed(ctx, domains->slots[i].follower);
}

/* Counts the failure, so that a failure that lasts takes two lines of the log. Plans the next attempt. */
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
    if (list_is_refused(domains))
        fire_sources(ctx);
    const uint32_t doublings = domains->failures - 1;
    plan(ctx, list_is_refused(domains) ? IDLE_INTERVAL : LAST_INTERVAL << doublings);
}

static void look_succeeded(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    if (domains->failures)
        libxl__log(ctx, XTL_WARN, -1, "the domains are listed again after %u failures", domains->failures);
    domains->failures = 0;
    plan_next_look(ctx);
}

void libxl__domains_look(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    xc_domaininfo_t page[LIBXL__HV_PAGE];
    uint32_t first = 0, slot = 0;
    int count;
    do {
        count = libxl__hv_list_page(ctx, &first, page);
        if (count < 0)
            break;
        call_observers(ctx, page, count, slot);
        slot = compare_page(domains, slot, page, count, count < LIBXL__HV_PAGE);
    } while (count == LIBXL__HV_PAGE);
    if (count < 0)
        look_failed(ctx);
    else
        look_succeeded(ctx);
    call_changed(ctx);
}

static void look_now(libxl_ctx *ctx, void *user, bool failed)
{
    libxl__watch **watch = user;
    ctx->xen->domains.interval = FIRST_INTERVAL;
    if (failed) { /* the next libxl__domain_follow adds it again; until then looks are taken at the idle interval */
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
    ctx->xen->domains.interval = FIRST_INTERVAL;
    plan(ctx, 0);
}

/* ---- following */

/* Adds the two watches, unless they are there. Errors, without a message: NOMEM, FAIL. */
static int add_watches(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    int rc = 0;
    if (!domains->released) {
        rc = libxl__watch_add(ctx, "@releaseDomain", look_now, &domains->released, true, &domains->released);
        if (domains->released) /* look_now may have removed it already */
            libxl__watch_fire_early(ctx, domains->released);
    }
    if (!rc && !domains->introduced)
        rc = libxl__watch_add(ctx, "@introduceDomain", look_now, &domains->introduced, true,
                              &domains->introduced);
    return rc;
}

/* Makes sure that one more domain can be followed besides those for which a slot is reserved. */
static int make_room(libxl__domains *domains)
{
    if (domains->count + domains->reserved < domains->room)
        return 0;
    const uint32_t room = domains->room ? 2 * domains->room : 16;
    libxl__domain_slot *larger = realloc(domains->slots, room * sizeof(*larger));
    if (!larger)
        return ERROR_NOMEM;
    domains->slots = larger;
    domains->room = room;
    return 0;
}

int libxl__domain_follow(libxl_ctx *ctx, libxl__domain_follower *follower, const xc_domaininfo_t *info,
                         libxl__domain_callback *callback)
{
    libxl__domains *domains = &ctx->xen->domains;
    int rc = add_watches(ctx);
    if (!rc)
        rc = make_room(domains);
    if (rc)
        return rc;
    if (!has_users(domains)) /* failures of long ago say nothing about this domain */
        domains->failures = 0;
    follower->domid = info->domain;
    memcpy(follower->uuid.uuid, info->handle, sizeof(follower->uuid.uuid));
    follower->phase = LIBXL__DOMAIN_RUNNING;
    follower->was_shutdown =
        info->flags & XEN_DOMINF_shutdown; /* set now, because the domain may be gone at the next look */
    follower->code = libxl__hv_shutdown_code(info);
    follower->callback = callback;
    follower->changed = false;
    follower->follows = true;
    libxl__domain_slot *slot = domains->slots + slot_of(domains, follower->domid, follower);
    libxl__domain_slot *end = domains->slots + domains->count++;
    memmove(slot + 1, slot, (size_t)(end - slot) * sizeof(*slot));
    /* UINT32_MAX: a domain that is shut down may have been resumed by the next look, which must see a change then. */
    *slot = (libxl__domain_slot){follower->uuid, follower->domid, follower->was_shutdown ? UINT32_MAX : 0,
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
    libxl__domain_slot *slot = domains->slots + slot_of(domains, follower->domid, follower);
    libxl__domain_slot *end = domains->slots + --domains->count;
    memmove(slot, slot + 1, (size_t)(end - slot) * sizeof(*slot));
    follower->follows = false;
    follower->changed = false;
}

int libxl__domains_observe(libxl_ctx *ctx, libxl__domain_observer *observer)
{
    int rc = add_watches(ctx);
    if (!rc)
        LIST_INSERT_HEAD(&ctx->xen->domains.observers, observer, link);
    return rc;
}

void libxl__domains_unobserve(libxl_ctx *ctx, libxl__domain_observer *observer)
{
    (void)ctx;
    LIST_REMOVE(observer, link);
}

int libxl__domains_open(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    domains->interval = FIRST_INTERVAL;
    domains->resting = true;
    STAILQ_INIT(&domains->changed);
    LIST_INIT(&domains->observers);
    LIST_INIT(&domains->listeners);
    return libxl__timer_start(ctx, &domains->again, NEVER, timer_expired);
}

void libxl__domains_close(libxl_ctx *ctx)
{
    libxl__domains *domains = &ctx->xen->domains;
    libxl__timer_stop(ctx, &domains->again);
    free(domains->slots); /* libxl__watches_close frees the watches */
}

/* ---- followed domains as sources of operations */

static void release(libxl_ctx *ctx, libxl__domain_source *domain)
{
    ctx->xen->domains.reserved -= domain->reserved;
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
        rc = make_room(&ao->ctx->xen->domains);
    if (rc)
        return libxl__ao_fail(ao, rc, "reserving a slot for a domain to follow");
    ao->ctx->xen->domains.reserved++;
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
