/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * deaths N: libxl_evenable_domain_death watches N domains, and some of them stop, one after the other. "ms"
 * is the processor time of this process for one stop. The measurement begins with xenstored's event, and ends
 * when the program has taken the library's event and has nothing left to do. The processor time of a wait of
 * IDLE_MS without an event is subtracted.
 */
#include <stdlib.h>

#include "bench.h"
#include "domains.h"
#include "library.h"

enum { STOPS = 15, IDLE_MS = 30, LIMIT_MS = 10000 };

static void until_idle(libxl_ctx *ctx)
{
    while (library_step(ctx, IDLE_MS))
        library_take(ctx, NULL);
}

static double in_vain(libxl_ctx *ctx)
{
    uint64_t began = bench_cpu();
    until_idle(ctx);
    return (double)(bench_cpu() - began) / 1e6;
}

static double stop(libxl_ctx *ctx, uint32_t domid)
{
    domain_stops(domid);
    uint64_t began = bench_cpu(), end = bench_now() + LIMIT_MS * UINT64_C(1000000);
    for (long seen = 0; !seen; seen = library_take(ctx, NULL)) {
        library_step(ctx, IDLE_MS);
        bench_check(bench_now() < end, "no event");
    }
    until_idle(ctx);
    return (double)(bench_cpu() - began) / 1e6;
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, 1);
    uint32_t stopping[STOPS];
    double took[STOPS], idle[STOPS];
    libxl_ctx *ctx = library_open();

    const long stops = count < STOPS ? count : STOPS;
    for (long i = 0; i < count; i++) {
        uint32_t domid = i < stops ? (stopping[i] = domain_introduced()) : domain_bare();
        libxl_evgen_domain_death *evgen;
        bench_check(!libxl_evenable_domain_death(ctx, domid, domid, &evgen), "libxl_evenable_domain_death");
    }
    until_idle(ctx);
    for (long i = 0; i < stops; i++) {
        idle[i] = in_vain(ctx);
        took[i] = stop(ctx, stopping[i]);
    }
    bench_say("ms", bench_median(took, (size_t)stops) - bench_median(idle, (size_t)stops));
    libxl_ctx_free(ctx);
    return bench_done();
}
