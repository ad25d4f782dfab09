/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Following domains: running, shut down, dying, gone.
 *
 * xenstored fires @releaseDomain when a domain shuts down and when it begins to die; nothing fires when it is
 * finally gone: only the hypervisor's list tells. So a look at the list is taken when the watch fires and,
 * while a followed domain is dying, at short intervals. One look serves all followers.
 */
#ifndef LIBXL__DOMAINS_H
#define LIBXL__DOMAINS_H

#include <xenctrl.h>

#include "ao.h"
#include "timer.h"
#include "watch.h"

typedef enum libxl__domain_phase {
    LIBXL__DOMAIN_RUNNING, /* or paused, or being built */
    LIBXL__DOMAIN_SHUTDOWN,
    LIBXL__DOMAIN_DYING,
    LIBXL__DOMAIN_GONE,
} libxl__domain_phase;

typedef struct libxl__domain_follower libxl__domain_follower;

/* Locked. The domain is in another phase than before: a later one, or RUNNING again after SHUTDOWN. */
typedef void libxl__domain_callback(libxl_ctx *ctx, libxl__domain_follower *follower);

struct libxl__domain_follower {
    uint32_t domid;
    libxl_uuid uuid; /* another domain behind the same domid means: gone */
    libxl__domain_callback *callback;
    STAILQ_ENTRY(libxl__domain_follower) changed_link;
    libxl__domain_phase phase : 8;
    bool was_shutdown : 1; /* at the last look at which it was there; also when dying */
    bool changed : 1;
    bool follows : 1; /* it has a place */
    uint8_t code;     /* the guest's reason, when it was shut down: any number */
};

/* What a look compares, one behind the other: followers lie anywhere, and are only looked at when something is new. */
typedef struct libxl__domain_place {
    libxl_uuid uuid; /* the follower's, like domid */
    uint32_t domid;
    uint32_t flags; /* of the last look, those that make a phase; before: 0, or what they never are */
    libxl__domain_follower *follower;
} libxl__domain_place;

TAILQ_HEAD(libxl__evgen_list, libxl__evgen);

typedef struct libxl__domains {
    libxl__domain_place *places; /* of the followers, in order of domid */
    uint32_t count, room;
    uint32_t dying; /* of them */
    STAILQ_HEAD(, libxl__domain_follower) changed;
    libxl__watch *released, *introduced; /* @releaseDomain, @introduceDomain: once anyone follows */
    libxl__timer again;                  /* the next look; always started, so that starting it cannot fail */
    uint64_t interval;
    bool resting;                    /* `again` is not planned for any time: nobody was followed */
    struct libxl__evgen_list evgens; /* those for all domains come first */
    uint32_t nr_evgens;
} libxl__domains;

/* Locked, all of them. */

int libxl__domains_open(libxl_ctx *ctx);
void libxl__domains_close(libxl_ctx *ctx);

/*
 * Follows a domain from its phase at this moment on, of which the callback is told at the next look.
 * Errors: NOMEM, FAIL.
 */
int libxl__domain_follow(libxl_ctx *ctx, libxl__domain_follower *follower, const xc_domaininfo_t *info,
                         libxl__domain_callback *callback);
void libxl__domain_unfollow(libxl_ctx *ctx, libxl__domain_follower *follower);

/* Watches what xenstored says of domains; done once, by the first who follows. Errors: FAIL. */
int libxl__domains_watch(libxl_ctx *ctx);

/* Takes a look at the hypervisor's list, and tells the followers; or another one later. Errors: as of libxc. */
int libxl__domains_look(libxl_ctx *ctx);

/* Takes a look soon: something has just been done to a domain. */
void libxl__domains_look_soon(libxl_ctx *ctx);

/* Follows a domain for an operation: the source fires at each change of phase. */
typedef struct libxl__domain_source {
    libxl__source source;
    libxl__domain_follower follower;
} libxl__domain_source;

/* As libxl__domain_follow, for the domain that info describes. */
int libxl__domain_source_start(libxl__ao *ao, libxl__domain_source *domain, const xc_domaininfo_t *info);

/* src/xen/evgen.c: follows each domain in a page of the list that an evgen for all domains does not follow yet. The
 * places from `place` on are of its first domid, or of later ones. */
void libxl__evgens_follow_new(libxl_ctx *ctx, const xc_domaininfo_t *page, int count, uint32_t place);
/* Whether there is one for all domains. */
bool libxl__evgens_for_all(const libxl__domains *domains);
void libxl__evgens_close(libxl_ctx *ctx);

#endif
