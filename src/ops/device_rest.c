/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits the reads of nodes and the events that a guest or a driver domain can cause by changing a device all
 * the time.
 *
 * Each event of a device's watches causes a look, that is, a read of the device's nodes. A device has an
 * allowance of LOOKS_AT_ONCE looks, which grows by one look each LOOK_INTERVAL. If the allowance is used up,
 * the device rests for the time REST: its nodes are not watched, so further changes have no cost. After the
 * rest its nodes are watched and read again. So the last state of a device is reported at most REST late, and
 * earlier states may be left out. Additions and removals of devices by a toolstack, and the end of the domain,
 * are not counted and never wait. A device that is removed and added again has a new allowance.
 *
 * Owns: the watches of the devices. The caller holds the context's lock.
 */
#include "device_watched.h"

#include <stdio.h>

enum { LOOKS_AT_ONCE = 16, WAKES_AT_ONCE = 256 };
#define LOOK_INTERVAL LIBXL__SECONDS(1)
#define REST          LIBXL__SECONDS(2)

/* Reduces the device's allowance by one look. Returns false if the allowance is used up. */
static bool pay(struct watched_device *d)
{
    const uint64_t now = libxl__now();
    if (d->paid_until > now + LOOKS_AT_ONCE * LOOK_INTERVAL)
        return false;
    d->paid_until = (d->paid_until > now ? d->paid_until : now) + LOOK_INTERVAL;
    return true;
}

static void remove_watches(struct watched_device *d)
{
    libxl_ctx *ctx = d->events->ao->ctx;
    libxl__watch_remove(ctx, d->state_watch);
    libxl__watch_remove(ctx, d->error_watch);
    d->state_watch = d->error_watch = NULL;
}

static libxl__timer_callback wake;

static void begin_rest(struct watched_device *d)
{
    struct device_events *s = d->events;
    remove_watches(d);
    if (TAILQ_EMPTY(&s->resting))
        libxl__timer_start(s->ao->ctx, &s->rest, REST, wake); /* cannot fail, because the timer runs */
    d->resting = true;
    d->rests_until = libxl__now() + REST;
    TAILQ_INSERT_TAIL(&s->resting, d, rest_link);
}

static void end_rest(struct watched_device *d)
{
    if (d->resting)
        TAILQ_REMOVE(&d->events->resting, d, rest_link);
    d->resting = false;
}

static void wake(libxl_ctx *ctx, libxl__timer *timer)
{
    struct device_events *s = LIBXL__CONTAINER(timer, struct device_events, rest);
    struct watched_device *d;
    const uint64_t now = libxl__now();
    for (int i = 0; i < WAKES_AT_ONCE && (d = TAILQ_FIRST(&s->resting)) && d->rests_until <= now; i++) {
        end_rest(d);
        if (libxl__watched_watch(d))
            begin_rest(d); /* There is no memory for the watches. Another attempt is made after a rest. */
    }
    d = TAILQ_FIRST(&s->resting);
    const uint64_t delay = !d ? LIBXL__NEVER : d->rests_until > now ? d->rests_until - now : 0;
    libxl__timer_start(ctx, timer, delay, wake); /* cannot fail, because the timer has just left the heap */
}

/* The callback of the watches on the backend's state and on its error node. */
static void changed(libxl_ctx *ctx, void *user, bool failed)
{
    struct watched_device *d = user;
    (void)ctx;
    if (failed)
        return;
    if (d->marked || pay(d))
        libxl__watched_mark(d);
    else
        begin_rest(d);
}

int libxl__watched_watch(struct watched_device *d)
{
    libxl_ctx *ctx = d->events->ao->ctx;
    char path[LIBXL__DEVICE_PATH];
    snprintf(path, sizeof(path), LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(&d->device));
    const int rc = libxl__watch_add(ctx, path, changed, d, true, &d->state_watch);
    snprintf(path, sizeof(path), LIBXL__BACKEND_ERROR, LIBXL__BACKEND_OF(&d->device));
    return rc ? rc : libxl__watch_add(ctx, path, changed, d, true, &d->error_watch);
}

void libxl__watched_unwatch(struct watched_device *d)
{
    remove_watches(d);
    end_rest(d);
}

int libxl__watched_reserve_rests(struct device_events *s)
{
    return libxl__timer_start(s->ao->ctx, &s->rest, LIBXL__NEVER, wake);
}
