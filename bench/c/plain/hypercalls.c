/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Measures a floor: the time of the raw hypercalls of libxenctrl.
 *
 * hypercalls pause N        xc_domain_pause and _unpause, N calls in all; "ns" is the time of one
 * hypercalls list DOMAINS N xc_domain_getinfolist of DOMAINS domains, 512 at a time, N times; "ns" is the time of one
 *                           list
 */
#include <string.h>

#include "bench.h"
#include "domains.h"

static void pauses(long count)
{
    xc_interface *xc = domains_xc();
    uint32_t domid = domain_bare();
    bench_span span = bench_begin();
    for (long i = 0; i < count; i++)
        bench_check(!(i % 2 ? xc_domain_unpause(xc, domid) : xc_domain_pause(xc, domid)), "xc_domain_pause");
    bench_end(span, (double)count);
}

/* The number of domains in one call. libxenctrl would map and unmap a larger buffer at each call. This
 * would cost more than several calls with a small buffer. */
enum { PAGE = 512 };

static void list(xc_interface *xc, int domains)
{
    static xc_domaininfo_t page[PAGE];
    int left = domains + 1;
    for (uint32_t first = 0; left > 0; first = page[PAGE - 1].domain + 1u) {
        const int wanted = left < PAGE ? left : PAGE;
        bench_check(xc_domain_getinfolist(xc, first, (unsigned)wanted, page) == wanted,
                    "xc_domain_getinfolist");
        left -= wanted;
    }
}

static void lists(int domains, long count)
{
    xc_interface *xc = domains_xc();
    for (int i = 0; i < domains; i++)
        domain_bare();
    list(xc, domains);
    bench_span span = bench_begin();
    for (long i = 0; i < count; i++)
        list(xc, domains);
    bench_end(span, (double)count);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "list"))
        lists((int)bench_number(argc, argv, 2), bench_number(argc, argv, 3));
    else
        pauses(bench_number(argc, argv, 2));
    return bench_done();
}
