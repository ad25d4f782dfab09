/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* threads N: the floor of ../threads.c. Each thread makes raw hypercalls with its own handle. */
#include "bench.h"
#include "domains.h"
#include "race.h"

static xc_interface *handles[2];
static uint32_t domids[2];

static void pauses(int thread, int shared, long times)
{
    xc_interface *xc = handles[thread];
    (void)shared;
    for (long i = 0; i < times / 2 * 2; i++)
        bench_check(!(i % 2 ? xc_domain_unpause(xc, domids[thread]) : xc_domain_pause(xc, domids[thread])),
                    "xc_domain_pause");
}

int main(int argc, char **argv)
{
    for (int i = 0; i < 2; i++) {
        bench_check(handles[i] = xc_interface_open(NULL, NULL, 0), "xc_interface_open");
        domids[i] = domain_bare();
    }
    race(pauses, bench_number(argc, argv, 1));
    return bench_done();
}
