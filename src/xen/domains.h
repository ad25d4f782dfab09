/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Followers and observers of domains. A follower is called when its domain shuts down, begins to die, and is
 * gone. An observer is called for each new domain of the host.
 *
 * xenstored fires the watch @releaseDomain when a domain shuts down and when it begins to die. No watch fires
 * when a domain is gone. Then the domain is only missing in the hypervisor's list. So the list is fetched
 * each time the watch fires and, while a followed domain is dying, at short intervals. Fetching and comparing
 * the list is called a look. One look serves all followers and observers. Without a connection to xenstored
 * the list is fetched five times a second.
 */
#ifndef LIBXL__DOMAINS_H
#define LIBXL__DOMAINS_H

#include "followed.h"
#include "timer.h"
#include "watch.h"

/*
 * An observer of new domains. Embed this in the user's state. It must stay valid until
 * libxl__domains_unobserve.
 */
struct libxl__domain_observer {
    /*
     * Called with the context locked, at each look, for each listed domain that none of the observer's
     * followers follows. Not called for domain 0. The observer should follow the domain. Otherwise it is
     * called for this domain again at the next look.
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
    /* Called with the context locked. Must not add or remove listeners. */
    void (*lost)(libxl_ctx *ctx, libxl__domains_listener *listener);
    LIST_ENTRY(libxl__domains_listener) link;
};

typedef struct libxl__domains {
    libxl__followed_domains followed;
    uint32_t next; /* the domid from which the present look continues */
    bool looking;  /* a look is in progress */
    bool repeated; /* another look was requested during the present one */
    /*
     * No look is planned, because no domain is followed; the timer `again` is set to a time that never comes.
     */
    bool resting : 1;
    uint32_t observer_count;
    /* Watches of @releaseDomain and @introduceDomain; NULL until a domain is first followed. */
    libxl__watch *released, *introduced;
    /* Starts the next look; it is never stopped, so that setting it needs no memory. */
    libxl__timer again;
    uint64_t interval; /* ns until the next look while a followed domain is dying */
    LIST_HEAD(, libxl__domain_observer) observers;
    LIST_HEAD(, libxl__domains_listener) listeners;
    uint32_t failures; /* the number of looks in a row that could not fetch the list */
    int errnoval;      /* the errno of the last of these failures */
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
 * Follows the domain that `info` describes. If the domain is not running, the callback is called at the next
 * look. Errors, without a message: NOMEM, FAIL.
 */
int libxl__domain_follow(libxl_ctx *ctx, libxl__domain_follower *follower, const xc_domaininfo_t *info,
                         libxl__domain_callback *callback);
/* Ends following. The callback is not called again. Does nothing if the follower follows no domain. */
void libxl__domain_unfollow(libxl_ctx *ctx, libxl__domain_follower *follower);

/*
 * Registers an observer. Its `appeared` must be set. `appeared` is called for all existing domains at the
 * next look, and later for each new domain. Errors, without a message: NOMEM, FAIL.
 */
int libxl__domains_observe(libxl_ctx *ctx, libxl__domain_observer *observer);
/* Removes an observer. It is not called again. Its followers stay. */
void libxl__domains_unobserve(libxl_ctx *ctx, libxl__domain_observer *observer);

/* Registers a listener. Its `lost` must be set. */
void libxl__domains_listen(libxl_ctx *ctx, libxl__domains_listener *listener);
/* Removes a listener. It is not called again. */
void libxl__domains_unlisten(libxl_ctx *ctx, libxl__domains_listener *listener);
/* Calls all listeners, because changes may have been missed. */
void libxl__domains_lost(libxl_ctx *ctx);

/*
 * Looks at all domains, and calls followers and observers. A long look continues in the next turns of the
 * loop. If the list cannot be fetched, further attempts follow at growing intervals. After
 * LIBXL__DOMAINS_ATTEMPTS failures in a row the listeners are called. From then on libxl__domain_source_check
 * fails, until the list can be fetched again. The first failure, the last of these attempts, and the first
 * success afterwards are logged.
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
 * A followed domain as a source of an operation. The source fires at each change of the domain's phase. Embed
 * this in the operation's state; zero-initialise it.
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
 * For an operation that waits only for a change of a domain's phase. Call this each time the source has
 * fired. Returns 0, or an error if the domains cannot be listed; the operation must end with this error.
 * Errors: PERMISSION, NOMEM, FAIL, recorded in ao.
 */
int libxl__domain_source_check(libxl__ao *ao);

#endif
