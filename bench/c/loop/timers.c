/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timers N: registers N timers, 1 us apart, and calls them when all have expired. "register_ms" and "fire_ms"
 * are the times for all timers. "register_ns" and "fire_ns" are the times for one timer. One more timer is
 * called before the measurement, as a warm-up.
 */
#include <unistd.h>

#include "bench.h"
#include "loop.h"

enum { STEP_NS = 1000, FIRST_NS = 1000000 };

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, 1);
    loop_open(count + 1);
    loop_timer(FIRST_NS);
    while (!loop_calls)
        loop_pass();
    loop_calls = 0;
    uint64_t began = bench_cpu();
    for (long i = 0; i < count; i++)
        loop_timer(FIRST_NS + (uint64_t)i * STEP_NS);
    double registering = (double)(bench_cpu() - began);
    usleep((useconds_t)(FIRST_NS + count * STEP_NS) / 1000 * 2);
    began = bench_cpu();
    while (loop_calls < count)
        loop_pass();
    double firing = (double)(bench_cpu() - began);
    bench_say("register_ms", registering / 1e6);
    bench_say("fire_ms", firing / 1e6);
    bench_say("register_ns", registering / (double)count);
    bench_say("fire_ns", firing / (double)count);
    return bench_done();
}
