/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The generator of events about changes in xenstore.
 *
 * A guest can change its nodes all the time, and the application may be slow. So the number of pending events
 * is bounded. The generator holds its pending events (libxl__event_hold). It generates no second event for a
 * path whose event is pending, because the application reads the node after it has taken the event. Beyond the
 * bound it drops changes and counts them in one pending STORE_CHANGES_LOST.
 *
 * Owns: the generators, each with its watch and a `struct change` for each pending STORE_CHANGED. The watch is
 * one of the context's own, so it is registered again after a loss of the connection to xenstored. The
 * context's lock guards everything.
 */
#include "generators.h"
#include "store_path.h"
#include "xen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENABLING "enabling events of xenstore" /* the beginning of error messages */

struct libxl__evgen_store_watch {
    libxl__generator generator;
    libxl__watch *watch; /* the watch on the node; NULL: xenstored has refused it */
    libxl__xs_observer observer;
    libxl_ev_user user;
    libxl__index changes; /* the pending changes by the hash of their paths */
    uint64_t steps;
    LIST_HEAD(, change) pending;
    /* the hold of the pending STORE_CHANGES_LOST; `event` is NULL if no such event is pending */
    libxl__event_hold lost;
};

/* A pending STORE_CHANGED. Its path is in the event. */
struct change {
    libxl__event_hold hold;
    libxl__index_link link;
    uint64_t key; /* the hash of the path */
    libxl_evgen_store_watch *evgen;
    LIST_ENTRY(change) pending_link;
};

static const uint64_t *key_of(const libxl__index_link *link)
{
    return &LIBXL__CONTAINER(link, struct change, link)->key;
}

/*
 * Returns the FNV-1a hash of a path. A guest chooses the names of its nodes, so it can make the hashes of two paths
 * equal. So is_pending also compares the paths.
 */
static uint64_t hash_of(const char *path)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (const char *c = path; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
    return hash;
}

static bool is_pending(libxl_evgen_store_watch *evgen, const char *path, const uint64_t *key)
{
    libxl__index_link *first = libxl__index_find(&evgen->changes, key), *link = first;
    for (; link; link = link->newer == first ? NULL : link->newer)
        if (strcmp(LIBXL__CONTAINER(link, struct change, link)->hold.event->u.store_changed.path, path) == 0)
            return true;
    return false;
}

static void free_change(struct change *change)
{
    libxl__index_remove(&change->evgen->changes, &change->link);
    LIST_REMOVE(change, pending_link);
    free(change);
}

static void change_taken(libxl_ctx *ctx, libxl__event_hold *hold)
{
    (void)ctx;
    free_change(LIBXL__CONTAINER(hold, struct change, hold));
}

static void lost_taken(libxl_ctx *ctx, libxl__event_hold *hold)
{
    (void)ctx, (void)hold;
}

/*
 * Returns the pending STORE_CHANGES_LOST. If no such event is pending, makes and reports one. NULL: there is no
 * memory.
 */
static libxl_event *report_loss(libxl_ctx *ctx, libxl_evgen_store_watch *evgen)
{
    if (evgen->lost.event)
        return evgen->lost.event;
    libxl_event *event =
        libxl__event_new(ctx, LIBXL_EVENT_TYPE_STORE_CHANGES_LOST, LIBXL_DOMID_INVALID, evgen->user);
    if (!event) {
        libxl__event_missed(ctx, LIBXL_EVENT_TYPE_STORE_CHANGED);
        return NULL;
    }
    libxl__event_attach(event, &evgen->lost);
    libxl__event_occurred(ctx, event);
    return event;
}

/* Returns the domain in whose tree the node is, or LIBXL_DOMID_INVALID. */
static uint32_t domain_of(const char *path)
{
    static const char tree[] = "/local/domain/";
    unsigned domid;
    const bool inside =
        strncmp(path, tree, strlen(tree)) == 0 && path[strlen(tree)] >= '0' && path[strlen(tree)] <= '9';
    return inside && sscanf(path + strlen(tree), "%5u", &domid) == 1 ? domid : LIBXL_DOMID_INVALID;
}

/* Reports a STORE_CHANGED. Returns whether there was memory for it. */
static bool report_change(libxl_ctx *ctx, libxl_evgen_store_watch *evgen, const char *path, uint64_t key)
{
    libxl_event *event = libxl__event_new(ctx, LIBXL_EVENT_TYPE_STORE_CHANGED, domain_of(path), evgen->user);
    struct change *change = event ? calloc(1, sizeof(*change)) : NULL;
    if (!change || !(event->u.store_changed.path = strdup(path))) {
        free(change);
        if (event)
            libxl__event_discard(ctx, event);
        return false;
    }
    change->hold.taken = change_taken;
    change->key = key;
    change->evgen = evgen;
    libxl__index_add(&evgen->changes, &change->link);
    LIST_INSERT_HEAD(&evgen->pending, change, pending_link);
    libxl__event_attach(event, &change->hold);
    libxl__event_occurred(ctx, event);
    return true;
}

static void node_changed(libxl_ctx *ctx, void *user, bool failed)
{
    libxl_evgen_store_watch *evgen = user;
    libxl_event *loss;
    if (failed) {
        if ((loss = report_loss(ctx, evgen)))
            loss->u.store_changes_lost.rc = libxl__watch_refusal(evgen->watch);
        return;
    }
    const char *path = ctx->xen->watches.event_path;
    const uint64_t key = hash_of(path);
    if (is_pending(evgen, path, &key))
        return;
    if (evgen->changes.count < LIBXL_STORE_CHANGES_MAX && report_change(ctx, evgen, path, key))
        return;
    if ((loss = report_loss(ctx, evgen)))
        loss->u.store_changes_lost.dropped++;
}

static void connected(libxl_ctx *ctx, libxl__xs_observer *observer, bool again)
{
    if (again)
        report_loss(ctx, LIBXL__CONTAINER(observer, libxl_evgen_store_watch, observer));
}

/* ---- enabling and disabling the generator */

static void close_evgen(libxl_ctx *ctx, libxl__generator *generator)
{
    libxl_evgen_store_watch *evgen = LIBXL__CONTAINER(generator, libxl_evgen_store_watch, generator);
    struct change *change;
    libxl__watch_remove(ctx, evgen->watch);
    libxl__xs_unobserve(&evgen->observer);
    while ((change = LIST_FIRST(&evgen->pending))) {
        libxl__event_release(&change->hold);
        free_change(change);
    }
    if (evgen->lost.event)
        libxl__event_release(&evgen->lost);
    libxl__index_clear(&evgen->changes);
    free(evgen);
}

/* Errors: CLOSED, NOMEM, FAIL, those of the application's hooks. Sets a message. */
static int enable_locked(libxl_ctx *ctx, libxl_evgen_store_watch *evgen, const char *path)
{
    int rc = libxl__hooks_need_loop(ctx);
    if (!rc && ctx->closing)
        rc = ERROR_CLOSED;
    if (!rc)
        rc = libxl__watch_add(ctx, path, node_changed, evgen, true, &evgen->watch);
    if (rc)
        return libxl__refuse_in(rc, ENABLING);
    libxl__xs_observe(ctx, &evgen->observer);
    libxl__generator_add(ctx, &evgen->generator, close_evgen);
    return 0;
}

int libxl_evenable_store_watch(libxl_ctx *ctx, const char *path, libxl_ev_user user,
                               libxl_evgen_store_watch **evgen_out)
{
    if (!evgen_out)
        return libxl__refuse(ERROR_INVAL, "evgen_out: NULL");
    *evgen_out = NULL;
    if (!path)
        return libxl__refuse(ERROR_INVAL, "path: NULL");
    const char *fault = libxl__store_path_fault(path, true);
    if (fault)
        return libxl__refuse(ERROR_INVAL, "path: " LIBXL__STORE_PATH_FMT " %s", LIBXL__STORE_PATH_ARG(path),
                             fault);
    libxl_evgen_store_watch *evgen = calloc(1, sizeof(*evgen));
    if (!evgen)
        return libxl__refuse_in(ERROR_NOMEM, ENABLING);
    evgen->user = user;
    evgen->observer.connected = connected;
    evgen->lost.taken = lost_taken;
    libxl__index_open(&evgen->changes, key_of, 1, &evgen->steps);
    libxl__ctx_lock(ctx);
    const int rc = enable_locked(ctx, evgen, path);
    if (rc)
        free(evgen);
    /* Stored before the lock is released, because an event callback may disable the generator. */
    else
        *evgen_out = evgen;
    libxl__ctx_leave(ctx);
    return rc;
}

void libxl_evdisable_store_watch(libxl_ctx *ctx, libxl_evgen_store_watch *evgen)
{
    if (!evgen)
        return;
    libxl__ctx_lock(ctx);
    libxl__generator_remove(ctx, &evgen->generator);
    close_evgen(ctx, &evgen->generator);
    libxl__ctx_leave(ctx);
}
