/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking events by for_user. The library returns the oldest event with this for_user. It finds the event
 * by an index. */
#include "core.h"

#include <stdlib.h>

enum { MANY = 4000 };

static void queue(libxl_ctx *ctx, libxl_ev_user user, uint32_t number)
{
    libxl_event *event = libxl__event_new(ctx, LIBXL_EVENT_TYPE_DOMAIN_DEATH, number, user);
    assert_non_null(event);
    libxl__ctx_lock(ctx);
    libxl__event_queue(ctx, event);
    libxl__ctx_unlock(ctx);
}

/* Takes an event. Returns the number of the event, or -1 if there is no event. */
static int take(libxl_ctx *ctx, libxl_event_predicate *predicate, libxl_ev_user user, uint64_t typemask)
{
    libxl_event *event;
    if (libxl_event_check(ctx, &event, typemask, predicate, &user))
        return -1;
    assert_int_equal(event->for_user, user);
    int number = (int)event->domid;
    libxl_event_free(ctx, event);
    return number;
}

/* A predicate that is true for events with one for_user. The library has no index for this predicate, so
 * it searches the queue. */
static int is_for_user(const libxl_event *event, void *user)
{
    return event->for_user == *(const libxl_ev_user *)user;
}

/* Two contexts get the same events and the same calls. One context uses the index, and the other one
 * searches. Both must give the same results. */
static void compare(libxl_ev_user users)
{
    libxl_ctx *indexed = core_open(), *searched = core_open();
    uint32_t queued = 0;
    srand(7);
    for (int i = 0; i < 4 * MANY; i++) {
        const libxl_ev_user user = (libxl_ev_user)rand() % users * 0x100000001ull;
        if (i < MANY || rand() % 3 == 0) {
            queue(indexed, user, queued);
            queue(searched, user, queued++);
        } else {
            assert_int_equal(take(indexed, libxl_event_is_for, user, LIBXL_EVENTMASK_ALL),
                             take(searched, is_for_user, user, LIBXL_EVENTMASK_ALL));
        }
    }
    assert_int_equal(indexed->events.queued, searched->events.queued);
    core_close(indexed);
    core_close(searched);
}

static void the_oldest_event_of_a_user_is_taken(scene *s)
{
    compare(MANY); /* With MANY users, most users have one event or none. */
    compare(40);   /* With 40 users, each user has many events. */
    compare(1);
    (void)s;
}

static void the_mask_applies_too(scene *s)
{
    const uint64_t other = LIBXL_EVENTMASK(LIBXL_EVENT_TYPE_DISK_EJECT);
    libxl_ctx *ctx = core_open();
    for (uint32_t i = 0; i < 100; i++)
        queue(ctx, i, i);
    assert_int_equal(take(ctx, libxl_event_is_for, 50, other), -1);
    assert_int_equal(take(ctx, libxl_event_is_for, 50, ~other), 50);
    assert_int_equal(take(ctx, libxl_event_is_for, 50, ~other), -1);
    core_close(ctx);
    (void)s;
}

static void the_index_is_freed_with_the_last_event(scene *s)
{
    libxl_ctx *ctx = core_open();
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < MANY; i++)
            queue(ctx, i, i);
        for (uint32_t i = MANY; i-- > 0;) {
            assert_int_equal(take(ctx, libxl_event_is_for, i, LIBXL_EVENTMASK_ALL), i);
            assert_int_equal(ctx->events.indexed, i > 0);
            assert_int_equal(ctx->events.index.count, i);
        }
    }
    core_close(ctx);
    (void)s;
}

/* To take one user's event, the library does not search the events of another user. The test counts the steps
 * of a search. */
static void events_of_one_user_are_found_at_once(scene *s)
{
    libxl_ctx *ctx = core_open();
    for (uint32_t i = 0; i < MANY; i++)
        queue(ctx, 1, i);
    queue(ctx, 2, MANY);
    assert_int_equal(take(ctx, libxl_event_is_for, 1, LIBXL_EVENTMASK_ALL), 0);
    uint64_t before = ctx->loop.steps;
    assert_int_equal(take(ctx, libxl_event_is_for, 2, LIBXL_EVENTMASK_ALL), MANY);
    for (uint32_t i = 1; i < MANY; i++)
        assert_int_equal(take(ctx, libxl_event_is_for, 1, LIBXL_EVENTMASK_ALL), i);
    assert_in_range(ctx->loop.steps - before, MANY, 8 * MANY);
    core_close(ctx);
    (void)s;
}

static const body bodies[] = {
    BODY(the_oldest_event_of_a_user_is_taken, NO_CONTEXT),
    BODY(the_mask_applies_too, NO_CONTEXT),
    BODY(the_index_is_freed_with_the_last_event, NO_CONTEXT),
    BODY(events_of_one_user_are_found_at_once, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
