/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The followed domains, in a table by domid. Each domain has a list of its followers. So the cost of following and
 * unfollowing, and of finding a changed domain, does not depend on the number of followers and domains.
 *
 * After a change, libxl__followed_tell calls the domain's followers one by one. This may take several turns of the
 * loop (loop.h).
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
    LIBXL__DOMAIN_RUNNING, /* also if paused or being built */
    LIBXL__DOMAIN_SHUTDOWN,
    LIBXL__DOMAIN_DYING,
    LIBXL__DOMAIN_GONE,
} libxl__domain_phase;

typedef struct libxl__domain_follower libxl__domain_follower;
typedef struct libxl__domain_observer libxl__domain_observer;

/*
 * Called with the context locked, when the domain has changed its phase to a later one, or from SHUTDOWN back to
 * RUNNING. The callback may follow and unfollow any domain.
 */
typedef void libxl__domain_callback(libxl_ctx *ctx, libxl__domain_follower *follower);

/* A follower of a domain. Embed this in the user's state; zero-initialise it. libxl__domain_follow sets it up. */
struct libxl__domain_follower {
    libxl__domain_callback *callback;
    libxl__domain_observer *observer; /* its owner; set before libxl__domain_follow; NULL: none */
    struct libxl__followed *domain;   /* NULL: it follows none */
    TAILQ_ENTRY(libxl__domain_follower) link;
    uint32_t domid;
    libxl__domain_phase phase : 8; /* at the last call of the callback */
    bool was_shutdown : 1;         /* the domain was shut down at that time; stays set while it is dying */
    uint8_t code;                  /* the guest's reason for its shutdown: any number */
};

/* A domain that has followers. */
typedef struct libxl__followed {
    libxl_uuid uuid; /* if another domain has the domid, this one is gone */
    uint32_t domid;
    uint32_t flags;    /* the hypervisor's flags that determine the phase, at the last look */
    uint32_t observed; /* the number of followers that belong to observers */
    bool gone : 1;
    bool changed : 1;                               /* in libxl__followed_domains.changed */
    TAILQ_HEAD(, libxl__domain_follower) followers; /* followers of observers come first */
    libxl__domain_follower *next_told;              /* the next follower to be called; NULL: none */
    struct libxl__followed *next; /* another domain that has had this domid; or the next spare */
    TAILQ_ENTRY(libxl__followed) changed_link;
} libxl__followed;

enum {
    LIBXL__DOMIDS = 0x8000, /* exceeds every valid domid */
    LIBXL__DOMIDS_A_BLOCK = 64,
};

typedef struct libxl__followed_domains {
    libxl__followed **table; /* by domid; NULL until the first use. Untouched pages of it cost no memory. */
    uint8_t used[LIBXL__DOMIDS / LIBXL__DOMIDS_A_BLOCK]; /* entries that are not NULL, in each block */
    uint32_t count, dying;                               /* domains; those of them that are dying */
    uint32_t reserved;                                   /* places for domains that will be followed */
    libxl__followed *spare;                              /* a list; at least `reserved` of them */
    uint32_t spares;
    TAILQ_HEAD(, libxl__followed) changed; /* domains whose followers are to be called */
} libxl__followed_domains;

/* Prepares the empty table. Called while the context is made. */
void libxl__followed_open(libxl__followed_domains *domains);
/* Frees the table, which must have no domain. Called while the context is freed. */
void libxl__followed_close(libxl__followed_domains *domains);

/* Makes sure that one more domain can be followed in addition to the reserved ones. Errors: NOMEM. */
int libxl__followed_make_room(libxl__followed_domains *domains);
/* Adds a follower of the domain that `info` describes. Call libxl__followed_make_room first, unless a place is reserved. */
void libxl__followed_add(libxl__followed_domains *domains, libxl__domain_follower *follower,
                         const xc_domaininfo_t *info);
/* Removes a follower, which must follow a domain. Its callback is not called again. */
void libxl__followed_remove(libxl__followed_domains *domains, libxl__domain_follower *follower);

/*
 * Compares followed domains with a page of the hypervisor's list: those from domid `first` up to the page's last
 * domid, or all from `first` on if the page is the last one.
 */
void libxl__followed_compare(libxl__followed_domains *domains, uint32_t first, const xc_domaininfo_t *page,
                             int count, bool last);
/* Returns the followed domain that `info` describes, or NULL. */
libxl__followed *libxl__followed_find(const libxl__followed_domains *domains, const xc_domaininfo_t *info);
/* Returns whether one of the domain's followers belongs to the observer. */
bool libxl__followed_by(const libxl__followed *domain, const libxl__domain_observer *observer);

/* Plans a call of all followers, although their domains have not changed. */
void libxl__followed_tell_all(libxl__followed_domains *domains);
/*
 * Handles the followers that are to be called. Calls the callback of a follower if its domain has changed phase, or
 * if the callback is `also`. `also` may be NULL. Returns early if the turn ends; libxl__followed_domains.changed is
 * not empty then.
 */
void libxl__followed_tell(libxl_ctx *ctx, libxl__turn *turn, libxl__domain_callback *also);

#endif
