/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * statistics DOMAINS N: calls libxl_domain_statistics N times with DOMAINS domains, which have two disks
 * and a network interface each. "ms" is the median time of one call. libxl has no such operation.
 */
#include <stdlib.h>

#include "bench.h"
#include "domains.h"
#include "library.h"

#ifdef LIBXL_HAVE_AIOXEN

int main(int argc, char **argv)
{
    const long domains = bench_number(argc, argv, 1), times = bench_number(argc, argv, 2);
    double *took = calloc((size_t)times, sizeof(*took));
    libxl_ctx *ctx = library_open();
    bench_check(took, "calloc");
    for (long i = 0; i < domains; i++)
        domain_counted(domain_bare());
    for (long i = -1; i < times; i++) { /* The first call is a warm-up and is not counted. */
        libxl_domain_counters_list list;
        const uint64_t began = bench_now();
        bench_check(!libxl_domain_statistics(ctx, true, true, &list, NULL), "libxl_domain_statistics");
        if (i >= 0)
            took[i] = (double)(bench_now() - began) / 1e6;
        bench_check(list.num_domains == domains + 1 && list.domains[domains].num_disks == 2 &&
                        list.domains[domains].disks[1].read_requests == 123456789 &&
                        list.domains[domains].nics[0].tx_octets == 123456789,
                    "the counters are wrong");
        libxl_domain_counters_list_dispose(&list);
    }
    bench_say("ms", bench_median(took, (size_t)times));
    free(took);
    libxl_ctx_free(ctx);
    return bench_done();
}

#else

int main(void)
{
    return 1;
}

#endif
