/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ends N: stops N idle guests, one after the other. "ms" is the median time from the hypercall by which a
 * guest powers off until its DOMAIN_SHUTDOWN event has been taken.
 */
#include <stdlib.h>

#include "bench.h"
#include "library.h"
#include "stopper.h"

enum { WAIT_MS = 1000, IDLE_MS = 50, MEMORY_MB = 4 };

static double end_of_one(libxl_ctx *ctx)
{
    libxl_domain_config config = library_guest(ctx, LIBXL_DOMAIN_TYPE_PV, MEMORY_MB, "b");
    libxl_evgen_domain_death *evgen;
    uint32_t domid;
    bench_check(!libxl_domain_create_new(ctx, &config, &domid, NULL, NULL), "libxl_domain_create_new");
    bench_check(!libxl_evenable_domain_death(ctx, domid, 0, &evgen), "libxl_evenable_domain_death");
    bench_check(!libxl_domain_unpause(ctx, domid, NULL), "libxl_domain_unpause");
    while (library_step(ctx, IDLE_MS))
        bench_check(!library_take(ctx, NULL), "it has ended before its time");
    stopper_begin(domid);
    while (!library_take(ctx, NULL))
        library_step(ctx, WAIT_MS);
    double took = (double)bench_now();
    took = (took - stopper_end()) / 1e6;
    libxl_evdisable_domain_death(ctx, evgen);
    bench_check(!libxl_domain_destroy(ctx, domid, NULL), "libxl_domain_destroy");
    library_take(ctx, NULL);
    libxl_domain_config_dispose(&config);
    return took;
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, 1);
    double *took = calloc((size_t)count, sizeof(*took));
    libxl_ctx *ctx = library_open();
    for (long i = 0; i < count; i++)
        took[i] = end_of_one(ctx);
    bench_say("ms", bench_median(took, (size_t)count));
    libxl_ctx_free(ctx);
    free(took);
    return bench_done();
}
