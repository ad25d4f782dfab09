/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the table of followed domains (followed.h) and its entries. A domain is in the table while it has a
 * follower. Followers belong to their users. The context's lock guards all of them.
 *
 * The table has an entry for each domid, and counts the used entries of each block. A walk in order of domid
 * skips unused blocks.
 */
#include "xen.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The number of unused libxl__followed that are kept for later use, in addition to the reserved ones. */
enum { MOST_SPARES = 16 };

/* The flags that determine a domain's phase, and the reason of its shutdown. */
#define PHASE_FLAGS                                                                                          \
    (XEN_DOMINF_dying | XEN_DOMINF_shutdown | XEN_DOMINF_shutdownmask << XEN_DOMINF_shutdownshift)

static libxl__domain_phase phase_of(const libxl__followed *domain)
{
    if (domain->gone)
        return LIBXL__DOMAIN_GONE;
    if (domain->flags & XEN_DOMINF_dying)
        return LIBXL__DOMAIN_DYING;
    return domain->flags & XEN_DOMINF_shutdown ? LIBXL__DOMAIN_SHUTDOWN : LIBXL__DOMAIN_RUNNING;
}

/*
 * Updates the number and the list of the followed domains that are dying. `by` 1: the domain may have begun to die,
 * or is followed from now on. `by` -1: the domain is gone, or is not followed any more. Does nothing for a domain
 * that is not dying.
 */
static void count_dying(libxl__followed_domains *domains, libxl__followed *domain, int by)
{
    if (phase_of(domain) != LIBXL__DOMAIN_DYING)
        return;
    domains->dying += (uint32_t)by;
    if (by > 0)
        TAILQ_INSERT_TAIL(&domains->dying_domains, domain, dying_link);
    else
        TAILQ_REMOVE(&domains->dying_domains, domain, dying_link);
}

static void note_shutdown(libxl__domain_follower *follower, uint32_t flags)
{
    follower->was_shutdown = flags & XEN_DOMINF_shutdown;
    follower->code = flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

/* ---- the table of followed domains */

libxl__followed *libxl__followed_find(const libxl__followed_domains *domains, const xc_domaininfo_t *info)
{
    libxl__followed *domain = domains->table ? domains->table[info->domain] : NULL;
    while (domain && (domain->gone || memcmp(domain->uuid.uuid, info->handle, sizeof(info->handle)) != 0))
        domain = domain->next;
    return domain;
}

static void give_back(libxl__followed_domains *domains, libxl__followed *domain)
{
    if (domains->spares >= domains->reserved + MOST_SPARES) {
        free(domain);
        return;
    }
    domain->next = domains->spare;
    domains->spare = domain;
    domains->spares++;
}

int libxl__followed_make_room(libxl__followed_domains *domains)
{
    if (!domains->table)
        domains->table = calloc(LIBXL__DOMIDS, sizeof(*domains->table));
    if (!domains->table)
        return ERROR_NOMEM;
    if (domains->spares > domains->reserved)
        return 0;
    libxl__followed *domain = malloc(sizeof(*domain));
    if (!domain)
        return ERROR_NOMEM;
    domain->next = domains->spare;
    domains->spare = domain;
    domains->spares++;
    return 0;
}

/* Fills a spare domain from `info` and puts it into the table. */
static libxl__followed *add_domain(libxl__followed_domains *domains, const xc_domaininfo_t *info)
{
    libxl__followed *domain = domains->spare, **place = &domains->table[info->domain];
    domains->spare = domain->next;
    domains->spares--;
    *domain = (libxl__followed){.domid = info->domain, .flags = info->flags & PHASE_FLAGS, .next = *place};
    memcpy(domain->uuid.uuid, info->handle, sizeof(domain->uuid.uuid));
    TAILQ_INIT(&domain->followers);
    domains->used[info->domain / LIBXL__DOMIDS_A_BLOCK] += !*place;
    *place = domain;
    domains->count++;
    count_dying(domains, domain, 1);
    return domain;
}

static void remove_domain(libxl__followed_domains *domains, libxl__followed *domain)
{
    libxl__followed **place = &domains->table[domain->domid], **at = place;
    while (*at != domain)
        at = &(*at)->next;
    *at = domain->next;
    domains->used[domain->domid / LIBXL__DOMIDS_A_BLOCK] -= !*place;
    domains->count--;
    count_dying(domains, domain, -1);
    if (domain->changed)
        TAILQ_REMOVE(&domains->changed, domain, changed_link);
    give_back(domains, domain);
}

void libxl__followed_open(libxl__followed_domains *domains)
{
    TAILQ_INIT(&domains->changed);
    TAILQ_INIT(&domains->dying_domains);
}

void libxl__followed_close(libxl__followed_domains *domains)
{
    assert(!domains->count);
    free(domains->table);
    while (domains->spare) {
        libxl__followed *spare = domains->spare;
        domains->spare = spare->next;
        free(spare);
    }
}

/* ---- changes of followed domains */

/*
 * Puts the domain into the list of changed domains. libxl__followed_tell then calls `first` and all followers
 * after it.
 */
static void tell_from(libxl__followed_domains *domains, libxl__followed *domain,
                      libxl__domain_follower *first)
{
    domain->next_told = first;
    if (!domain->changed)
        TAILQ_INSERT_TAIL(&domains->changed, domain, changed_link);
    domain->changed = true;
}

/* Returns the lowest domid at or above `domid` whose block of the table is in use. */
static uint32_t skip_blocks(const libxl__followed_domains *domains, uint32_t domid)
{
    while (domid < LIBXL__DOMIDS && !domains->used[domid / LIBXL__DOMIDS_A_BLOCK])
        domid = (domid | (LIBXL__DOMIDS_A_BLOCK - 1)) + 1;
    return domid;
}

/*
 * Compares a domain with its entry in the hypervisor's list, and puts it into the list of changed domains if
 * its phase has changed. `info` is the entry with the same domid, or NULL if there is none.
 */
static void compare(libxl__followed_domains *domains, libxl__followed *domain, const xc_domaininfo_t *info)
{
    const bool gone = !info || memcmp(info->handle, domain->uuid.uuid, sizeof(info->handle)) != 0;
    const uint32_t flags = gone ? domain->flags : info->flags & PHASE_FLAGS;
    if (domain->gone || (!gone && flags == domain->flags))
        return;
    count_dying(domains, domain, -1);
    domain->gone = gone;
    domain->flags = flags;
    count_dying(domains, domain, 1);
    tell_from(domains, domain, TAILQ_FIRST(&domain->followers));
}

void libxl__followed_compare(libxl__followed_domains *domains, uint32_t first, const xc_domaininfo_t *page,
                             int count, bool last)
{
    const uint32_t end = last ? LIBXL__DOMIDS : page[count - 1].domain + 1u;
    int at = 0;
    for (uint32_t domid = first; (domid = skip_blocks(domains, domid)) < end; domid++) {
        libxl__followed *domain = domains->table[domid];
        while (at < count && page[at].domain < domid)
            at++;
        for (; domain; domain = domain->next)
            compare(domains, domain, at < count && page[at].domain == domid ? &page[at] : NULL);
    }
}

void libxl__followed_compare_one(libxl__followed_domains *domains, uint32_t domid,
                                 const xc_domaininfo_t *info)
{
    for (libxl__followed *domain = domains->table ? domains->table[domid] : NULL; domain;
         domain = domain->next)
        compare(domains, domain, info);
}

bool libxl__followed_has(const libxl__followed_domains *domains, uint32_t domid)
{
    return domains->table && domains->table[domid];
}

/* ---- adding, removing and calling followers */

void libxl__followed_add(libxl__followed_domains *domains, libxl__domain_follower *follower,
                         const xc_domaininfo_t *info)
{
    libxl__followed *domain = libxl__followed_find(domains, info);
    if (domain)
        compare(domains, domain, info);
    else
        domain = add_domain(domains, info);
    follower->domain = domain;
    follower->domid = info->domain;
    follower->phase = LIBXL__DOMAIN_RUNNING;
    /* The reason of the shutdown is stored now, because the domain may be gone at the next look. */
    note_shutdown(follower, info->flags);
    if (follower->observer) {
        TAILQ_INSERT_HEAD(&domain->followers, follower, link);
        domain->observed++;
    } else {
        TAILQ_INSERT_TAIL(&domain->followers, follower, link);
    }
    if (phase_of(domain) != LIBXL__DOMAIN_RUNNING && (follower->observer || !domain->next_told))
        tell_from(domains, domain, follower);
}

void libxl__followed_remove(libxl__followed_domains *domains, libxl__domain_follower *follower)
{
    libxl__followed *domain = follower->domain;
    if (domain->next_told == follower)
        domain->next_told = TAILQ_NEXT(follower, link);
    TAILQ_REMOVE(&domain->followers, follower, link);
    domain->observed -= follower->observer != NULL;
    follower->domain = NULL;
    if (TAILQ_EMPTY(&domain->followers))
        remove_domain(domains, domain);
}

bool libxl__followed_by(const libxl__followed *domain, const libxl__domain_observer *observer)
{
    const libxl__domain_follower *follower;
    TAILQ_FOREACH (follower, &domain->followers, link) {
        if (follower->observer == observer)
            return true;
        if (!follower->observer)
            return false;
    }
    return false;
}

void libxl__followed_tell_all(libxl__followed_domains *domains)
{
    for (uint32_t domid = 0; (domid = skip_blocks(domains, domid)) < LIBXL__DOMIDS; domid++)
        for (libxl__followed *domain = domains->table[domid]; domain; domain = domain->next)
            tell_from(domains, domain, TAILQ_FIRST(&domain->followers));
}

static void tell(libxl_ctx *ctx, libxl__domain_follower *follower, libxl__domain_callback *also)
{
    const libxl__followed *domain = follower->domain;
    const libxl__domain_phase phase = phase_of(domain), before = follower->phase;
    if (!domain->gone)
        note_shutdown(follower, domain->flags);
    follower->phase = phase;
    if (phase != before || follower->callback == also)
        follower->callback(ctx, follower);
}

void libxl__followed_tell(libxl_ctx *ctx, libxl__turn *turn, libxl__domain_callback *also)
{
    libxl__followed_domains *domains = &ctx->xen->domains.followed;
    libxl__followed *domain;
    while ((domain = TAILQ_FIRST(&domains->changed))) {
        libxl__domain_follower *follower = domain->next_told;
        if (!follower) {
            TAILQ_REMOVE(&domains->changed, domain, changed_link);
            domain->changed = false;
            continue;
        }
        if (!libxl__turn_goes_on(ctx, turn))
            return;
        domain->next_told = TAILQ_NEXT(follower, link);
        tell(ctx, follower, also); /* this call may remove the follower, and the domain with it */
    }
}
