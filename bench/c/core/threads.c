/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * threads N: the same measurement as ../threads.c, but with an operation of the core that does nothing. The
 * operation makes no hypercall, so the hypervisor's lock does not influence the measurement.
 */
#include "libxl_internal.h"

#include "bench.h"
#include "race.h"

static libxl_ctx *contexts[2];

static int nothing(libxl__ao *ao, void *args)
{
    (void)ao, (void)args;
    return 0;
}

static const libxl__ao_class nothing_class = {.name = "nothing", .body = nothing};

static void operations(int thread, int shared, long times)
{
    libxl_ctx *ctx = contexts[shared ? 0 : thread];
    for (long i = 0; i < times; i++) {
        libxl__ao *ao;
        LIBXL__AO_HERE(here, int);
        bench_check(!libxl__ao_create_instant(ctx, &nothing_class, 0, NULL, here, &ao), "libxl__ao_create");
        bench_check(!libxl__ao_start(ao), "libxl__ao_start");
    }
}

int main(int argc, char **argv)
{
    for (int i = 0; i < 2; i++)
        bench_check(!libxl__ctx_create(&contexts[i], NULL), "libxl__ctx_create");
    race(operations, bench_number(argc, argv, 1));
    for (int i = 0; i < 2; i++) {
        bench_check(!libxl__ctx_drain(contexts[i]), "libxl__ctx_drain");
        libxl__ctx_destroy(contexts[i]);
    }
    return bench_done();
}
