/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crowd N: N threads wait in synchronous shutdowns on one context. Then the guests obey, one after the other.
 * "wakes" and "switches" (voluntary context switches) are counted from the first obeying guest until the last
 * thread returns, and divided by N. This program itself acknowledges each shutdown request and stops the
 * guest.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>

#include "bench.h"
#include "domains.h"
#include "library.h"

enum { STACK_BYTES = 256 << 10, SETTLE_US = 300000, APART_US = 2000 };

static libxl_ctx *ctx;

static const char *node(uint32_t domid)
{
    static char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    return path;
}

static void *shut_down(void *domid)
{
    bench_check(!libxl_domain_shutdown(ctx, *(uint32_t *)domid, NULL), "libxl_domain_shutdown");
    return NULL;
}

static void until_asked(uint32_t domid)
{
    unsigned length = 0;
    while (!length) {
        char *value = xs_read(domains_xs(), XBT_NULL, node(domid), &length);
        free(value);
        if (!length)
            usleep(1000);
    }
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, 1);
    uint32_t *domids = calloc((size_t)count, sizeof(*domids));
    pthread_t *threads = calloc((size_t)count, sizeof(*threads));
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    ctx = library_open();

    for (long i = 0; i < count; i++)
        domids[i] = domain_introduced();
    for (long i = 0; i < count; i++)
        bench_check(!pthread_create(&threads[i], &small, shut_down, &domids[i]), "pthread_create");
    for (long i = 0; i < count; i++)
        until_asked(domids[i]);
    usleep(SETTLE_US);
    double woken = bench_wakes(), switched = bench_switches();
    for (long i = 0; i < count; i++) {
        bench_check(xs_write(domains_xs(), XBT_NULL, node(domids[i]), "", 0), "xs_write");
        domain_stops(domids[i]);
        usleep(APART_US);
    }
    for (long i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    bench_say("wakes", (bench_wakes() - woken) / (double)count);
    bench_say("switches", (bench_switches() - switched) / (double)count);
    libxl_ctx_free(ctx);
    return bench_done();
}
