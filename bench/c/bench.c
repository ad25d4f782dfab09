/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: a flag that says whether the program has started the JSON object of its output. The program has
 * one thread. */
#include "bench.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "counters.h"

void bench_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s (%s)\n", file, line, what, strerror(errno));
    exit(1);
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t bench_now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t bench_cpu(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static bool begun;

void bench_say(const char *key, double value)
{
    printf("%s\"%s\": %.17g", begun ? ", " : "{", key, value);
    begun = true;
}

int bench_done(void)
{
    puts(begun ? "}" : "{}");
    return 0;
}

bench_span bench_begin(void)
{
    return (bench_span){bench_cpu(), counters_allocations ? counters_allocations() : 0};
}

void bench_end(bench_span span, double times)
{
    double ns = (double)(bench_cpu() - span.began) / times;
    bench_say("ns", ns);
    bench_say("ms", ns / 1e6);
    if (counters_allocations)
        bench_say("allocations", (double)(counters_allocations() - span.allocations) / times);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

double bench_wakes(void)
{
    return counters_wakes ? (double)counters_wakes() : 0;
}

double bench_switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_nvcsw;
}

size_t bench_live_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

long bench_number(int argc, char **argv, int n)
{
    char *end;
    bench_check(n < argc, "an argument is missing");
    long number = strtol(argv[n], &end, 10);
    bench_check(end != argv[n] && !*end, "an argument is not a number");
    return number;
}
