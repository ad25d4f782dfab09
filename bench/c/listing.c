/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listing DOMAINS N: lists DOMAINS domains N times. "ms" is the time of one list. */
#include "bench.h"
#include "domains.h"
#include "library.h"

int main(int argc, char **argv)
{
    long domains = bench_number(argc, argv, 1), times = bench_number(argc, argv, 2);
    libxl_ctx *ctx = library_open();
    for (long i = 0; i < domains; i++)
        domain_bare();
    bench_span span = bench_begin();
    for (long i = 0; i < times; i++) {
        int count = 0;
        libxl_dominfo *list = libxl_list_domain(ctx, &count);
        bench_check(list && count == domains + 1, "libxl_list_domain");
        libxl_dominfo_list_free(list, count);
    }
    bench_end(span, (double)times);
    libxl_ctx_free(ctx);
    return bench_done();
}
