/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * threads N: each of two threads pauses and unpauses its own domain, N times. The threads first use one
 * context, and then two contexts; see race.h.
 */
#include "bench.h"
#include "domains.h"
#include "library.h"
#include "race.h"

static libxl_ctx *contexts[2];
static uint32_t domids[2];

static void pauses(int thread, int shared, long times)
{
    libxl_ctx *ctx = contexts[shared ? 0 : thread];
    for (long i = 0; i < times / 2 * 2; i++)
        bench_check(!(i % 2 ? libxl_domain_unpause(ctx, domids[thread], NULL)
                            : libxl_domain_pause(ctx, domids[thread], NULL)),
                    "libxl_domain_pause");
}

int main(int argc, char **argv)
{
    for (int i = 0; i < 2; i++) {
        contexts[i] = library_open();
        domids[i] = domain_bare();
    }
    race(pauses, bench_number(argc, argv, 1));
    for (int i = 0; i < 2; i++)
        libxl_ctx_free(contexts[i]);
    return bench_done();
}
