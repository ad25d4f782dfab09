/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * day N: N operations in one process, each taken as an event. "kb" is the growth of resident memory since the
 * first tenth. "ratio" is the processor time of the last tenth divided by the processor time of the first
 * tenth. Each of these times is the median of a hundred blocks.
 */
#include <stdio.h>
#include <unistd.h>

#include "bench.h"
#include "domains.h"
#include "library.h"

enum { TENTHS = 10, BLOCKS = 100 };

static libxl_ctx *ctx;
static uint32_t domid;

static double resident_kb(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    bench_check(statm && fscanf(statm, "%*d %ld", &pages) == 1, "/proc/self/statm");
    fclose(statm);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static void block(long count)
{
    const libxl_asyncop_how how = {.callback = NULL};
    for (long i = 0; i < count; i++) {
        bench_check(!(i % 2 ? libxl_domain_unpause(ctx, domid, &how) : libxl_domain_pause(ctx, domid, &how)),
                    "an initiator");
        bench_check(library_take(ctx, NULL) == 1, "not one event");
    }
}

/* Runs a tenth of the operations. Returns the median time of a block. */
static double tenth(long count)
{
    double took[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        uint64_t began = bench_cpu();
        block(count / BLOCKS / 2 * 2);
        took[i] = (double)(bench_cpu() - began);
    }
    return bench_median(took, BLOCKS);
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, 1);
    ctx = library_open();
    domid = domain_bare();
    block(BLOCKS); /* a warm-up */
    resident_kb(); /* This call is a warm-up, because the first call maps the code that reads statm. */
    double first = tenth(count / TENTHS), last = first, resident = resident_kb();
    for (int i = 1; i < TENTHS; i++)
        last = tenth(count / TENTHS);
    /* Measured before the first print, because printing also maps code. */
    double grown = resident_kb() - resident;
    bench_say("ratio", last / first);
    bench_say("kb", grown);
    libxl_ctx_free(ctx);
    return bench_done();
}
