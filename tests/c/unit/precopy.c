/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The decision after each round of a live save whether the guest is suspended: by default, by the expected
 * downtime, or by the number of rounds.
 */
#include "core.h"

#include "precopy.h"

#include <time.h>

/* A round that the saving program reports, and whether the guest must be suspended after this round. */
typedef struct told {
    int32_t round;
    uint64_t sent, dirty;
    int suspends;
} told;

enum { UNKNOWN = -1 };

typedef struct telling {
    const libxl_save_policy *policy;
    const told *rounds;
    size_t count;
    uint64_t ns; /* the time between two rounds */
} telling;

static int tell(libxl__ao *ao, void *state)
{
    const telling *t = core_user(ao);
    libxl__precopy precopy;
    (void)state;
    libxl__precopy_begin(&precopy, t->policy, 10000);
    for (size_t i = 0; i < t->count; i++) {
        const told *now = &t->rounds[i];
        const libxl__transfer_message message = {
            .kind = LIBXL__TRANSFER_ROUND, .value = now->round, .numbers = {now->sent, now->dirty}};
        if (precopy.since)
            precopy.since = libxl__now() - t->ns;
        assert_int_equal(libxl__precopy_decide(ao, &precopy, &message), now->suspends);
    }
    return 0;
}
CORE_PHASE(tell, tell, char);
static const libxl__ao_class tell_class = {
    .name = "tell", .phases = &tell_phases, .args_size = sizeof(void *), .slow = true};

static void check(const libxl_save_policy *policy, uint64_t ns, const told *rounds, size_t count)
{
    telling telling = {.policy = policy, .rounds = rounds, .count = count, .ns = ns};
    libxl_ctx *ctx = core_open();
    assert_int_equal(core_begin(ctx, &tell_class, &telling, NULL), 0);
    core_close(ctx);
}

#define CHECK(policy, ns, ...)                                                                               \
    check(policy, ns, (const told[]){__VA_ARGS__}, sizeof((const told[]){__VA_ARGS__}) / sizeof(told))

static void a_guest_is_suspended_when_few_pages_are_dirty(scene *s)
{
    (void)s;
    CHECK(NULL, 1000000, {0, 0, 5000, 0}, {0, 5000, (uint64_t)UNKNOWN, 0}, {1, 5000, 50, 0},
          {2, 5050, 49, 1});
}

static void a_guest_that_never_rests_is_suspended_after_five_rounds(scene *s)
{
    const libxl_save_policy two = {.most_rounds = 2};
    (void)s;
    CHECK(NULL, 1000000, {0, 0, 5000, 0}, {4, 9000, 4000, 0}, {5, 13000, 4000, 1});
    CHECK(&two, 1000000, {0, 0, 5000, 0}, {1, 5000, 4000, 0}, {2, 9000, 4000, 1});
}

/* In the first round 10000 pages take a second. So 2000 pages take 200 ms, and 900 pages take 90 ms. */
static void a_guest_is_suspended_when_the_rest_takes_less_than_the_downtime(scene *s)
{
    const libxl_save_policy policy = {.downtime_ms = 100, .most_rounds = 9};
    (void)s;
    CHECK(&policy, 1000000000, {0, 0, 10000, 0}, {1, 10000, 2000, 0}, {2, 20000, 900, 1});
    CHECK(&policy, 1000000000, {0, 0, 10000, 0}, {1, 10000, 0, 1});
}

/* libxenguest counts 1000000 frames, of which at most 10000 have a page and are sent. So 2000 pages take 200
 * ms. */
static void frames_without_a_page_are_not_counted(scene *s)
{
    const libxl_save_policy policy = {.downtime_ms = 100, .most_rounds = 9};
    (void)s;
    CHECK(&policy, 1000000000, {0, 0, 1000000, 0}, {1, 1000000, 2000, 0});
}

static const body bodies[] = {
    BODY(a_guest_is_suspended_when_few_pages_are_dirty, NO_CONTEXT),
    BODY(a_guest_that_never_rests_is_suspended_after_five_rounds, NO_CONTEXT),
    BODY(a_guest_is_suspended_when_the_rest_takes_less_than_the_downtime, NO_CONTEXT),
    BODY(frames_without_a_page_are_not_counted, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
