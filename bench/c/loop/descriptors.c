/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptors all|one|none N: a loop watches N descriptors. All, one or none of the descriptors are
 * ready. "ms" and "ns" are the time of one pass. In one pass, the loop makes one callback for each
 * ready descriptor. One iteration of a loop may make several passes: libuv makes 48 passes if more than
 * 1,024 descriptors stay ready.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "bench.h"
#include "loop.h"

enum { SPARE_FDS = 64, LONG_ENOUGH_NS = 50000000 };

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, 2);
    long ready = !strcmp(argv[1], "all") ? count : !strcmp(argv[1], "one") ? 1 : 0;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    bench_check(limit.rlim_max >= (rlim_t)count + SPARE_FDS, "the machine allows too few descriptors");
    setrlimit(RLIMIT_NOFILE, &limit);

    loop_open(count);
    for (long i = 0; i < count; i++) {
        int fd = eventfd(i == count / 2 ? ready > 0 : ready == count, EFD_CLOEXEC | EFD_NONBLOCK);
        bench_check(fd >= 0, "eventfd");
        loop_watch(fd);
    }
    loop_pass();

    long passes = 0;
    loop_calls = 0;
    bench_span span = bench_begin();
    for (; bench_cpu() - span.began < LONG_ENOUGH_NS; passes++)
        loop_pass();
    bench_check(ready || !loop_calls, "what is not ready was called");
    bench_end(span, ready ? (double)loop_calls / (double)ready : (double)passes);
    return bench_done();
}
