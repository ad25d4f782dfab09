/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The followed domains: a table by domid. Each has the list of its followers, so that following, unfollowing and a change cost
 * the same whatever the number of followers and of domains is.
 *
 * A change is told to the followers one by one (libxl__followed_tell). This may take several turns of the loop (loop.h).
 *
 * Call every function with the context locked. Any thread may call it.
 */
#ifndef LIBXL__FOLLOWED_H
#define LIBXL__FOLLOWED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <xenctrl.h>

#include "ao.h"

typedef enum libxl__domain_phase {
    LIBXL__DOMAIN_RUNNING, /* or paused, or being built */
    LIBXL__DOMAIN_SHUTDOWN,
    LIBXL__DOMAIN_DYING,
    LIBXL__DOMAIN_GONE,
} libxl__domain_phase;

typedef struct libxl__domain_follower libxl__domain_follower;
typedef struct libxl__domain_observer libxl__domain_observer;

/* Called with the context locked, when the domain has changed its phase: to a later one, or from SHUTDOWN back to RUNNING. May
 * follow and unfollow any domain. */
typedef void libxl__domain_callback(libxl_ctx *ctx, libxl__domain_follower *follower);

/* Embed this in the user's state; zero-initialise it. libxl__domain_follow sets it up. */
struct libxl__domain_follower {
    libxl__domain_callback *callback;
    libxl__domain_observer *observer; /* to whom it belongs; set before libxl__domain_follow; NULL: nobody */
    struct libxl__followed *domain;   /* NULL: it follows none */
    TAILQ_ENTRY(libxl__domain_follower) link;
    uint32_t domid;
    libxl__domain_phase phase : 8; /* as last told */
    bool was_shutdown : 1;         /* the domain was shut down then; stays set while it is dying */
    uint8_t code;                  /* the guest's reason for its shutdown: any number */
};

/* A domain that has followers. */
typedef struct libxl__followed {
    libxl_uuid uuid; /* if another domain has the domid, this one is gone */
    uint32_t domid;
    uint32_t flags;    /* those of the hypervisor that determine the phase, at the last look */
    uint32_t observed; /* the number of followers that belong to observers */
    bool gone : 1;
    bool changed : 1;                               /* in libxl__followed_domains.changed */
    TAILQ_HEAD(, libxl__domain_follower) followers; /* those of observers first */
    libxl__domain_follower *next_told; /* followers from this one on are to be told; NULL: none */
    struct libxl__followed *next;      /* another domain that has had this domid; or the next spare */
    TAILQ_ENTRY(libxl__followed) changed_link;
} libxl__followed;

enum {
    LIBXL__DOMIDS = 0x8000, /* more than there are */
    LIBXL__DOMIDS_A_BLOCK = 64,
};

typedef struct libxl__followed_domains {
    libxl__followed **table; /* by domid; NULL until the first use. Untouched pages of it cost no memory. */
    uint8_t used[LIBXL__DOMIDS / LIBXL__DOMIDS_A_BLOCK]; /* entries that are not NULL, in each block */
    uint32_t count, dying;                               /* domains; those of them that are dying */
    uint32_t reserved;                                   /* domains that will be followed */
    libxl__followed *spare;                              /* for them, and for others */
    uint32_t spares;
    TAILQ_HEAD(, libxl__followed) changed; /* those whose followers are to be told */
} libxl__followed_domains;

void libxl__followed_open(libxl__followed_domains *domains);
void libxl__followed_close(libxl__followed_domains *domains);

/* Makes sure that one more domain can be followed besides the reserved ones. Errors: NOMEM. */
int libxl__followed_make_room(libxl__followed_domains *domains);
/* Adds a follower of the domain that `info` describes. Call libxl__followed_make_room first, unless a place is reserved. */
void libxl__followed_add(libxl__followed_domains *domains, libxl__domain_follower *follower,
                         const xc_domaininfo_t *info);
/* Removes a follower that follows a domain. It is not told any more. */
void libxl__followed_remove(libxl__followed_domains *domains, libxl__domain_follower *follower);

/* Compares the followed domains from domid `first` on with a page of the hypervisor's list: those up to the page's last domid, or
 * all remaining ones if it is the last page. */
void libxl__followed_compare(libxl__followed_domains *domains, uint32_t first, const xc_domaininfo_t *page,
                             int count, bool last);
/* Returns the followed domain that `info` describes, or NULL. */
libxl__followed *libxl__followed_find(const libxl__followed_domains *domains, const xc_domaininfo_t *info);
/* Whether one of the domain's followers belongs to the observer. */
bool libxl__followed_by(const libxl__followed *domain, const libxl__domain_observer *observer);

/* Has all followers told, although their domains have not changed. */
void libxl__followed_tell_all(libxl__followed_domains *domains);
/* Calls the callbacks of followers whose domains have changed phase, and if `also` is not NULL, of all that are to be told and
 * have this callback. Ends with the turn: then libxl__followed_domains.changed is not empty. */
void libxl__followed_tell(libxl_ctx *ctx, libxl__turn *turn, libxl__domain_callback *also);

#endif
