/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Followers and observers of domains. A follower is called when its domain shuts down, begins to die, and is
 * gone. An observer is called for each new domain of the host.
 *
 * xenstored fires the watch @releaseDomain when a domain shuts down and when it begins to die. No watch fires
 * when a domain is gone: the domain is only missing in the hypervisor's list. So the list is fetched each
 * time the watch fires. While a followed domain is dying, the list is also fetched at short intervals.
 * Fetching and comparing the list is called a look. One look serves all followers and observers. Without a
 * connection to xenstored the list is fetched five times a second.
 *
 * From Xen 4.22 on the event of the watch names the domain. Then only this domain is looked at.
 */
#ifndef LIBXL__DOMAINS_H
#define LIBXL__DOMAINS_H

#include "followed.h"
#include "timer.h"
#include "watch.h"

/*
 * Returns whether the domain is being made: it has no vcpus yet. No observer is called for such a domain, because
 * a creation may still change its UUID.
 */
static inline bool libxl__domain_is_being_made(const xc_domaininfo_t *info)
{
    return info->max_vcpu_id == XEN_INVALID_MAX_VCPU_ID;
}

/*
 * An observer of new domains. Embed this in the user's state. It must stay valid until
 * libxl__domains_unobserve.
 */
struct libxl__domain_observer {
    /*
     * Called with the context locked, at each look, for each listed domain that none of the observer's followers
     * follows. Not called for domain 0 and for a domain that is being made. The observer should follow the domain. If
     * it does not, it is called for this domain again at the next look.
     */
    void (*appeared)(libxl_ctx *ctx, libxl__domain_observer *observer, const xc_domaininfo_t *info);
    LIST_ENTRY(libxl__domain_observer) link;
};

/*
 * A listener is called when changes of domains may have been missed. Embed this in the user's state. It must
 * stay valid until libxl__domains_unlisten.
 */
typedef struct libxl__domains_listener libxl__domains_listener;
struct libxl__domains_listener {
    /*
     * Called with the context locked when changes of domains may have been missed. Must not add or remove
     * listeners.
     */
    void (*lost)(libxl_ctx *ctx, libxl__domains_listener *listener);
    LIST_ENTRY(libxl__domains_listener) link;
};

typedef struct libxl__domains {
    libxl__followed_domains followed;
    uint32_t next; /* the domid from which the present look continues */
    bool looking;  /* a look has begun and has not ended */
    bool repeated; /* another look was requested during the present one */
    /*
     * No look is planned, because no domain is followed. The timer `again` is then set to a time that never
     * comes.
     */
    bool resting : 1;
    uint32_t pages; /* the number of hypercalls that the last look at all domains took, or takes so far */
    /*
     * While domains are dying: the time of the next look at all domains. Before this time only the dying domains
     * are looked at, unless that takes more hypercalls than a look at all domains.
     */
    uint64_t next_complete;
    uint32_t observer_count;
    /* Watches of @releaseDomain and @introduceDomain; NULL until a domain is first followed. */
    libxl__watch *released, *introduced;
    /* The timer that starts the next look. It is never stopped, so that setting it needs no memory. */
    libxl__timer again;
    uint64_t interval; /* the time between two looks while a followed domain is dying, in ns */
    LIST_HEAD(, libxl__domain_observer) observers;
    LIST_HEAD(, libxl__domains_listener) listeners;
    uint32_t failures; /* the number of looks in a row that could not fetch the list */
    int errnoval;      /* the errno of the last look that could not fetch the list */
} libxl__domains;

/* Call all functions with the context locked. */

/*
 * Prepares the empty table of followed domains. Called while the context is made. Errors, with a message:
 * NOMEM, FAIL.
 */
int libxl__domains_open(libxl_ctx *ctx);
/* Frees the table. Called while the context is freed. */
void libxl__domains_close(libxl_ctx *ctx);

/*
 * Follows the domain that `info` describes. If the domain is not running, the follower's callback is called
 * at the next look. Returns 0, or NOMEM or FAIL without a message.
 */
int libxl__domain_follow(libxl_ctx *ctx, libxl__domain_follower *follower, const xc_domaininfo_t *info,
                         libxl__domain_callback *callback);
/* Ends following. The callback is not called again. Does nothing if the follower follows no domain. */
void libxl__domain_unfollow(libxl_ctx *ctx, libxl__domain_follower *follower);

/*
 * Registers an observer. The observer's `appeared` must be set. `appeared` is called for all existing domains
 * at the next look, and later for each new domain. Errors, without a message: NOMEM, FAIL.
 */
int libxl__domains_observe(libxl_ctx *ctx, libxl__domain_observer *observer);
/* Removes an observer. The observer is not called again. The observer's followers stay. */
void libxl__domains_unobserve(libxl_ctx *ctx, libxl__domain_observer *observer);

/* Registers a listener. The listener's `lost` must be set. */
void libxl__domains_listen(libxl_ctx *ctx, libxl__domains_listener *listener);
/* Removes a listener. The listener is not called again. */
void libxl__domains_unlisten(libxl_ctx *ctx, libxl__domains_listener *listener);
/* Calls all listeners, because changes may have been missed. */
void libxl__domains_lost(libxl_ctx *ctx);

/*
 * Looks at all domains, and calls followers and observers. A long look continues in the next turns of the
 * loop. If the list cannot be fetched, further attempts follow at growing intervals. After
 * LIBXL__DOMAINS_ATTEMPTS failures in a row the listeners are called. From then on libxl__domain_source_check
 * fails, until the list can be fetched again. Three events are logged: the first failure, the failure after
 * which the listeners are called, and the first success afterwards.
 */
void libxl__domains_look(libxl_ctx *ctx);
enum { LIBXL__DOMAINS_ATTEMPTS = 5 };

/* Returns whether a domain is followed or an observer is registered. */
bool libxl__domains_in_use(const libxl_ctx *ctx);
/*
 * Plans a look if a domain is followed or an observer is registered. Call this when the connection to
 * xenstored is lost.
 */
void libxl__domains_unwatched(libxl_ctx *ctx);

/* Plans a look for the next turn of the loop. Call this after an action that changes a domain's phase. */
void libxl__domains_look_soon(libxl_ctx *ctx);

/*
 * A source that follows a domain for an operation. The source fires at each change of the domain's phase.
 * Embed this in the operation's state; zero-initialise it.
 */
typedef struct libxl__domain_source {
    libxl__source source;
    libxl__domain_follower follower;
    bool reserved; /* libxl__domain_source_reserve was called */
} libxl__domain_source;

/*
 * Reserves the memory and the watches for libxl__domain_source_start. Afterwards libxl__domain_source_start
 * does not fail for lack of memory. Errors: NOMEM, FAIL, recorded in ao.
 */
int libxl__domain_source_reserve(libxl__ao *ao, libxl__domain_source *domain);

/* Follows the domain that `info` describes, like libxl__domain_follow. Errors: NOMEM, FAIL, recorded in ao. */
int libxl__domain_source_start(libxl__ao *ao, libxl__domain_source *domain, const xc_domaininfo_t *info);

/*
 * An operation that waits only for a change of a domain's phase calls this function each time the source has
 * fired. Returns 0, or an error if the domains cannot be listed. The operation must end with this error.
 * Errors: PERMISSION, NOMEM, FAIL, recorded in ao.
 */
int libxl__domain_source_check(libxl__ao *ao);

#endif
