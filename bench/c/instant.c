/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * instant event|sync|callback N: pauses and unpauses a domain, N operations in all. "ns" is the time of one
 * operation. With "event", each event is taken before the next operation is started.
 */
#include <string.h>

#include "bench.h"
#include "domains.h"
#include "library.h"

static long completed;

static void on_completion(libxl_ctx *ctx, int rc, void *user)
{
    (void)ctx;
    (void)user;
    bench_check(!rc, "an operation");
    completed++;
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, 2);
    const bool sync = !strcmp(argv[1], "sync"), callback = !strcmp(argv[1], "callback");
    const libxl_asyncop_how how = {.callback = callback ? on_completion : NULL};
    const libxl_asyncop_how *ao_how = sync ? NULL : &how;
    libxl_ctx *ctx = library_open();
    uint32_t domid = domain_bare();

    bench_span span = {0};
    for (long i = -2; i < count; i++) { /* The first two operations are a warm-up. */
        if (i == 0)
            span = bench_begin();
        int rc = i % 2 ? libxl_domain_unpause(ctx, domid, ao_how) : libxl_domain_pause(ctx, domid, ao_how);
        bench_check(!rc, "an initiator");
        if (!sync && !callback)
            completed += library_take(ctx, NULL);
    }
    bench_end(span, (double)count);
    bench_check(sync || completed == count + 2, "operations that have not completed");
    libxl_ctx_free(ctx);
    return bench_done();
}
