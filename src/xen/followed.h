/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of the followed domains, by domid. Each domain in the table has a list of its followers. The cost
 * of following, of unfollowing and of finding a changed domain does not depend on the number of followers and
 * domains.
 *
 * After a change, libxl__followed_tell calls the domain's followers one after the other. This may take
 * several turns of the loop (loop.h).
 *
 * Call every function with the context locked. Any thread may call the functions.
 */
#ifndef LIBXL__FOLLOWED_H
#define LIBXL__FOLLOWED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <xenctrl.h>

#include "ao.h"

typedef enum libxl__domain_phase {
    LIBXL__DOMAIN_RUNNING, /* the domain runs, is paused, or is being built */
    LIBXL__DOMAIN_SHUTDOWN,
    LIBXL__DOMAIN_DYING,
    LIBXL__DOMAIN_GONE,
} libxl__domain_phase;

typedef struct libxl__domain_follower libxl__domain_follower;
typedef struct libxl__domain_observer libxl__domain_observer;

/*
 * A follower's callback. Called with the context locked when the domain has changed to a later phase, or from
 * SHUTDOWN back to RUNNING. The callback may follow and unfollow any domain.
 */
typedef void libxl__domain_callback(libxl_ctx *ctx, libxl__domain_follower *follower);

/* A follower of a domain. Embed this in the user's state; zero-initialise it. libxl__domain_follow sets it up. */
struct libxl__domain_follower {
    libxl__domain_callback *callback;
    /*
     * The observer that owns the follower; NULL: no observer owns it. Set this before libxl__domain_follow.
     */
    libxl__domain_observer *observer;
    struct libxl__followed *domain; /* the followed domain; NULL: the follower follows no domain */
    TAILQ_ENTRY(libxl__domain_follower) link;
    uint32_t domid;
    libxl__domain_phase phase : 8; /* the domain's phase at the last call of the callback */
    /* The domain was shut down at the last call of the callback. Stays true while the domain is dying. */
    bool was_shutdown : 1;
    uint8_t code; /* the reason that the guest gave for its shutdown; may be any number */
};

/* A domain that has followers. */
typedef struct libxl__followed {
    /*
     * The domain's UUID. Each look compares it: if another domain has got the domid, the followed domain is
     * gone.
     */
    libxl_uuid uuid;
    /*
     * The number that libxenmanage gives the domain. No other domain ever has it. 0: it is not known yet, or there is
     * no libxenmanage.
     */
    uint64_t unique_id;
    uint32_t domid;
    uint32_t flags;    /* the flags that determine the phase, as of the last look */
    uint32_t observed; /* the number of followers that belong to observers */
    bool gone : 1;
    bool changed : 1;                               /* the domain is in libxl__followed_domains.changed */
    TAILQ_HEAD(, libxl__domain_follower) followers; /* followers of observers come first */
    /* The next follower that libxl__followed_tell must call; NULL: none. */
    libxl__domain_follower *next_told;
    /* The next domain in the table with the same domid. In the list of spares: the next spare. */
    struct libxl__followed *next;
    TAILQ_ENTRY(libxl__followed) changed_link;
    TAILQ_ENTRY(libxl__followed) dying_link;
} libxl__followed;

enum {
    LIBXL__DOMIDS = 0x8000, /* a number that is larger than every domid */
    LIBXL__DOMIDS_A_BLOCK = 64,
};

typedef struct libxl__followed_domains {
    /*
     * The table of the followed domains, indexed by domid. The pointer is NULL until a domain is first
     * followed. Only the used pages of the table take memory.
     */
    libxl__followed **table;
    /*
     * The number of entries that are not NULL, for each block of LIBXL__DOMIDS_A_BLOCK entries of the table.
     */
    uint8_t used[LIBXL__DOMIDS / LIBXL__DOMIDS_A_BLOCK];
    /* The number of followed domains, and the number of followed domains that are dying. */
    uint32_t count, dying;
    /* The number of reservations for domains that will be followed. */
    uint32_t reserved;
    /* The list of unused libxl__followed. The list has at least `reserved` elements. */
    libxl__followed *spare;
    uint32_t spares;
    TAILQ_HEAD(, libxl__followed) dying_domains;
    TAILQ_HEAD(, libxl__followed) changed; /* the domains whose followers must be called */
} libxl__followed_domains;

/* Prepares the empty table. Called while the context is made. */
void libxl__followed_open(libxl__followed_domains *domains);
/* Frees the table, which must have no domain. Called while the context is freed. */
void libxl__followed_close(libxl__followed_domains *domains);

/* Makes sure that one more domain can be followed without a reservation. Returns 0 or NOMEM. */
int libxl__followed_make_room(libxl__followed_domains *domains);
/*
 * Adds a follower of the domain that `info` describes. Cannot fail, because the caller has called
 * libxl__followed_make_room or has reserved room.
 */
void libxl__followed_add(libxl__followed_domains *domains, libxl__domain_follower *follower,
                         const xc_domaininfo_t *info);
/* Removes a follower, which must follow a domain. The follower's callback is not called again. */
void libxl__followed_remove(libxl__followed_domains *domains, libxl__domain_follower *follower);

/*
 * Compares followed domains with a page of the hypervisor's list. The page has all domains from `first` to
 * the page's last domid. If `last` is true, there are no domains after the page.
 */
void libxl__followed_compare(libxl__followed_domains *domains, uint32_t first, const xc_domaininfo_t *page,
                             int count, bool last);
/*
 * Compares the followed domains with this domid with the hypervisor's information about the domain; NULL: there
 * is no such domain.
 */
void libxl__followed_compare_one(libxl__followed_domains *domains, uint32_t domid,
                                 const xc_domaininfo_t *info);
/* Returns whether a domain with this domid is followed. */
bool libxl__followed_has(const libxl__followed_domains *domains, uint32_t domid);
/* Returns the followed domain that `info` describes, or NULL. */
libxl__followed *libxl__followed_find(const libxl__followed_domains *domains, const xc_domaininfo_t *info);
/* Returns whether one of the domain's followers belongs to the observer. */
bool libxl__followed_by(const libxl__followed *domain, const libxl__domain_observer *observer);

/* Makes libxl__followed_tell call all followers, although their domains have not changed. */
void libxl__followed_tell_all(libxl__followed_domains *domains);
/*
 * Calls the followers of changed domains. A follower is called if its domain has changed phase, or if its
 * callback is `also` (which may be NULL). If the turn ends, this function returns early, and
 * libxl__followed_domains.changed still has domains.
 */
void libxl__followed_tell(libxl_ctx *ctx, libxl__turn *turn, libxl__domain_callback *also);

#endif
