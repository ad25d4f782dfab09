/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue batch|reverse|random|own N: N completions are queued as events and then taken. "batch" takes them in
 * the order of the queue. The other ways take each event by a predicate on its for_user: "reverse" the newest
 * first, "random" in a random order, "own" the newest first by a predicate of the application. "ns" is the
 * time of taking one event. "ms" is the time of taking all events. Both times are means of two runs, after a
 * warm-up with two events.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "domains.h"
#include "library.h"

static void order(uint64_t *users, long count, bool shuffled)
{
    for (long i = 0; i < count; i++)
        users[i] = (uint64_t)(count - i);
    srand48(1);
    for (long i = count - 1; shuffled && i > 0; i--) {
        long other = (long)(drand48() * (double)(i + 1));
        uint64_t user = users[i];
        users[i] = users[other];
        users[other] = user;
    }
}

static void queue(libxl_ctx *ctx, uint32_t domid, long count)
{
    for (long i = 0; i < count; i++) {
        const libxl_asyncop_how how = {.u.for_event = (uint64_t)i + 1};
        int rc = i % 2 ? libxl_domain_unpause(ctx, domid, &how) : libxl_domain_pause(ctx, domid, &how);
        bench_check(!rc, "an initiator");
    }
}

static int is_own(const libxl_event *event, void *user)
{
    return event->for_user == *(const uint64_t *)user;
}

static void take_for(libxl_ctx *ctx, uint64_t user, libxl_event_predicate *predicate)
{
    libxl_event *event;
    bench_check(!libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, predicate, &user), "libxl_event_check");
    libxl_event_free(ctx, event);
}

/* Takes all events. Returns the processor time in ns. If `predicate` is NULL, takes the events in the order
 * of the queue. */
static uint64_t take(libxl_ctx *ctx, const uint64_t *users, long count, libxl_event_predicate *predicate)
{
    uint64_t began = bench_cpu();
    if (!predicate)
        bench_check(library_take(ctx, NULL) == count, "events that are not there");
    else
        for (long i = 0; i < count; i++)
            take_for(ctx, users[i], predicate);
    return bench_cpu() - began;
}

/* Returns the mean time of two runs, because a library may do some work only every second time. */
static double queue_and_take(libxl_ctx *ctx, uint32_t domid, const uint64_t *users, long count,
                             libxl_event_predicate *predicate)
{
    uint64_t took = 0;
    for (int i = 0; i < 2; i++) {
        queue(ctx, domid, count);
        took += take(ctx, users, count, predicate);
    }
    return (double)took / 2;
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, 2);
    libxl_event_predicate *predicate = !strcmp(argv[1], "batch") ? NULL
                                       : !strcmp(argv[1], "own") ? is_own
                                                                 : libxl_event_is_for;
    uint64_t *users = calloc((size_t)count, sizeof(*users));
    libxl_ctx *ctx = library_open();
    uint32_t domid = domain_bare();

    /* This call is a warm-up. It links functions and maps pages. */
    queue_and_take(ctx, domid, (const uint64_t[]){2, 1}, 2, predicate);
    order(users, count, !strcmp(argv[1], "random"));
    double took = queue_and_take(ctx, domid, users, count, predicate);
    bench_say("ns", took / (double)count);
    bench_say("ms", took / 1e6);
    libxl_ctx_free(ctx);
    free(users);
    return bench_done();
}
