/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pending stops|requests N: N operations wait. With "stops", each waits for a guest to stop. With "requests",
 * each has requested a shutdown that the guest does not acknowledge. "bytes" is the memory that one operation
 * keeps allocated in this process while it waits. The memory that the first operation allocates for all
 * operations is not counted. libxl has no operation that waits for a stop, so it requests shutdowns in both
 * cases.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "domains.h"
#include "library.h"

enum { IDLE_MS = 100 };

static bool stops;

static void begin(libxl_ctx *ctx, uint32_t domid)
{
    const libxl_asyncop_how how = {.u.for_event = domid};
#ifdef LIBXL_HAVE_AIOXEN
    static libxl_shutdown_reason ignored;
    if (stops) {
        bench_check(!libxl_domain_wait_shutdown(ctx, domid, &ignored, &how), "libxl_domain_wait_shutdown");
        return;
    }
#endif
    bench_check(!libxl_domain_shutdown(ctx, domid, &how), "libxl_domain_shutdown");
}

static void until_idle(libxl_ctx *ctx)
{
    while (library_step(ctx, IDLE_MS))
        bench_check(!library_take(ctx, NULL), "a shutdown has ended");
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, 2);
    stops = strcmp(argv[1], "stops") == 0;
    uint32_t *domids = calloc((size_t)count, sizeof(*domids));
    libxl_ctx *ctx = library_open();

    const uint32_t first = domain_named();
    for (long i = 0; i < count; i++)
        domids[i] = domain_named();
    begin(ctx, first);
    until_idle(ctx);
    size_t before = bench_live_bytes();
    for (long i = 0; i < count; i++)
        begin(ctx, domids[i]);
    until_idle(ctx);
    bench_say("bytes", (double)(bench_live_bytes() - before) / (double)count);
    /* The program exits without closing the context. The closing would abort the shutdowns one by one. */
    int done = bench_done();
    fflush(NULL);
    domains_end();
    _Exit(done);
}
