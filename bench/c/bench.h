/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every measuring program has: clocks, counters, and one line of JSON at the end. One thread, but for
 * the clocks and bench_check.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ends the program with the words and errno unless it is so. */
#define bench_check(so, what)                                                                                \
    do {                                                                                                     \
        if (!(so))                                                                                           \
            bench_fail(__FILE__, __LINE__, what);                                                            \
    } while (0)
_Noreturn void bench_fail(const char *file, int line, const char *what);

/* The monotonic clock; the processor time of this process. In ns. */
uint64_t bench_now(void);
uint64_t bench_cpu(void);

/* A number on the line. */
void bench_say(const char *key, double value);
/* The line's end: the program's last act. */
int bench_done(void);

/*
 * A piece of work that is repeated and waits for nothing: says, in processor time, "ns", "ms" and, where they
 * are counted, "allocations", each per time.
 */
typedef struct bench_span {
    uint64_t began;
    unsigned long allocations;
} bench_span;
bench_span bench_begin(void);
void bench_end(bench_span span, double times);

/* The median; sorts the values. */
double bench_median(double *values, size_t count);

/* Of the whole process so far: returns from waits, where they are counted (counters.h), and voluntary context switches. */
double bench_wakes(void);
double bench_switches(void);

/* Bytes that malloc has given and not got back, its own overhead included. */
size_t bench_live_bytes(void);

/* The n-th argument as a number; ends the program where there is none. */
long bench_number(int argc, char **argv, int n);

#endif
