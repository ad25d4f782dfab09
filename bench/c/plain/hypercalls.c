/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The floor: what the hypervisor's library itself takes.
 *
 * hypercalls pause N        xc_domain_pause and _unpause, N calls in all; "ns" is that of one
 * hypercalls list DOMAINS N xc_domain_getinfolist of so many in one call, N times; "ns" is that of one listing
 */
#include <stdlib.h>
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

static void lists(int domains, long count)
{
    xc_interface *xc = domains_xc();
    xc_domaininfo_t *list = calloc((size_t)domains + 1, sizeof(*list));
    for (int i = 0; i < domains; i++)
        domain_bare();
    bench_check(xc_domain_getinfolist(xc, 0, (unsigned)domains + 1, list) == domains + 1, "getinfolist");
    bench_span span = bench_begin();
    for (long i = 0; i < count; i++)
        xc_domain_getinfolist(xc, 0, (unsigned)domains + 1, list);
    bench_end(span, (double)count);
    free(list);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "list"))
        lists((int)bench_number(argc, argv, 2), bench_number(argc, argv, 3));
    else
        pauses(bench_number(argc, argv, 2));
    return bench_done();
}
