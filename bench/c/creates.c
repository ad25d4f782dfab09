/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * creates N MB: creates N PV and N PVH guests with MB megabytes each, and then destroys all of them. 16
 * threads make synchronous calls on one context. "ms" is the whole time divided by the number of guests.
 * creates devices N MB: each guest has two disks and a network interface. The guests run, so their drivers
 * connect. creates held N MB: one thread creates and destroys the guests asynchronously, 16 at a time. "ms"
 * is the duration of the longest call into the library: for this time the call would block an event loop.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "library.h"

enum { AT_ONCE = 16, WAIT_MS = 1000 };

static libxl_ctx *ctx;
static long count; /* The number of guests. */
static unsigned memory_mb;
static bool with_devices;
static uint32_t *domids;
/* The configurations of the guests. libxl reads a configuration until the operation ends. */
static libxl_domain_config *configs;
static atomic_long created, destroyed;

static libxl_domain_config config_of(long i)
{
    libxl_domain_config config =
        library_guest(ctx, i % 2 ? LIBXL_DOMAIN_TYPE_PVH : LIBXL_DOMAIN_TYPE_PV, memory_mb, "b");
    if (with_devices)
        library_add_devices(&config);
    return config;
}

static void *creator(void *unused)
{
    for (long i; (i = created++) < count;) {
        libxl_domain_config config = config_of(i);
        bench_check(!libxl_domain_create_new(ctx, &config, &domids[i], NULL, NULL),
                    "libxl_domain_create_new");
        libxl_domain_config_dispose(&config);
        if (with_devices)
            bench_check(!libxl_domain_unpause(ctx, domids[i], NULL), "libxl_domain_unpause");
    }
    return unused;
}

static void *destroyer(void *unused)
{
    for (long i; (i = destroyed++) < count;)
        bench_check(!libxl_domain_destroy(ctx, domids[i], NULL), "libxl_domain_destroy");
    return unused;
}

static void crowd(void *(*work)(void *))
{
    pthread_t threads[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        bench_check(!pthread_create(&threads[i], NULL, work, NULL), "pthread_create");
    for (int i = 0; i < AT_ONCE; i++)
        pthread_join(threads[i], NULL);
}

static uint64_t longest;

static void was_held(uint64_t began)
{
    uint64_t took = bench_now() - began;
    longest = took > longest ? took : longest;
}

static void begin(long i, bool destroy)
{
    const libxl_asyncop_how how = {.u.for_event = (uint64_t)i};
    if (!destroy)
        configs[i] = config_of(i);
    uint64_t began = bench_now();
    bench_check(destroy ? !libxl_domain_destroy(ctx, domids[i], &how)
                        : !libxl_domain_create_new(ctx, &configs[i], &domids[i], &how, NULL),
                "an initiator");
    was_held(began);
}

static void all(bool destroy)
{
    long begun = 0, done = 0;
    while (done < count) {
        while (begun < count && begun - done < AT_ONCE)
            begin(begun++, destroy);
        library_wait(ctx, WAIT_MS);
        uint64_t began = bench_now();
        library_process(ctx);
        done += library_take(ctx, NULL);
        was_held(began);
    }
}

int main(int argc, char **argv)
{
    const bool held = !strcmp(argv[1], "held");
    with_devices = !strcmp(argv[1], "devices");
    const int first = 1 + (held || with_devices);
    count = 2 * bench_number(argc, argv, first);
    memory_mb = (unsigned)bench_number(argc, argv, first + 1);
    domids = calloc((size_t)count, sizeof(*domids));
    configs = calloc((size_t)count, sizeof(*configs));
    ctx = library_open();
    uint64_t began = bench_now();
    if (held) {
        all(false);
        all(true);
        bench_say("ms", (double)longest / 1e6);
    } else {
        crowd(creator);
        crowd(destroyer);
        bench_say("ms", (double)(bench_now() - began) / 1e6 / (double)count);
    }
    libxl_ctx_free(ctx);
    free(domids);
    return bench_done();
}
