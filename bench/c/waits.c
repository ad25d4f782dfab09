/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waits N: N operations wait for one domain, which then stops. "ms" is the time from the stop until all
 * completions have been taken. "longest" is the processor time of the longest call during this time. libxl
 * has no such operation.
 */
#include <poll.h>
#include <stdlib.h>

#include "bench.h"
#include "domains.h"
#include "library.h"

#ifdef LIBXL_HAVE_AIOXEN

enum { ROOM = 256 };

int main(int argc, char **argv)
{
    static libxl_shutdown_reason ignored;
    const long count = bench_number(argc, argv, 1);
    libxl_event_record records[ROOM];
    libxl_ctx *ctx = library_open();
    const uint32_t domid = domain_introduced();
    struct pollfd fd = {.fd = libxl_ctx_fd(ctx), .events = POLLIN};
    uint64_t longest = 0;
    for (long i = 0; i < count; i++) {
        const libxl_asyncop_how how = {.u.for_event = (uint64_t)i};
        bench_check(!libxl_domain_wait_shutdown(ctx, domid, &ignored, &how), "libxl_domain_wait_shutdown");
    }
    const uint64_t began = bench_now();
    domain_stops(domid);
    for (long taken = 0; taken < count;) {
        bench_check(poll(&fd, 1, 10000) == 1, "the descriptor is not readable");
        const uint64_t before = bench_cpu();
        const int got = libxl_event_take(ctx, records, ROOM);
        const uint64_t took = bench_cpu() - before;
        longest = took > longest ? took : longest;
        for (int i = 0; i < got; i++)
            libxl_event_free(ctx, records[i].event);
        taken += got;
    }
    bench_say("ms", (double)(bench_now() - began) / 1e6);
    bench_say("longest", (double)longest / 1e6);
    libxl_ctx_free(ctx);
    return bench_done();
}

#else

int main(void)
{
    return 1;
}

#endif
