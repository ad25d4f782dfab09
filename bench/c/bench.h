/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that all measuring programs share: clocks, counters, and the JSON object that a program
 * prints. Any thread may call the functions for clocks, and bench_check. Only one thread may call the
 * other functions.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* If `so` is false, ends the program with a message that has `what` and errno. */
#define bench_check(so, what)                                                                                \
    do {                                                                                                     \
        if (!(so))                                                                                           \
            bench_fail(__FILE__, __LINE__, what);                                                            \
    } while (0)
_Noreturn void bench_fail(const char *file, int line, const char *what);

/* bench_now() returns the time of the monotonic clock, in ns. bench_cpu() returns the processor time of this
 * process, in ns. */
uint64_t bench_now(void);
uint64_t bench_cpu(void);

/* Adds a number to the JSON object. */
void bench_say(const char *key, double value);
/* Ends the JSON object. Returns the program's exit status. */
int bench_done(void);

/*
 * Measures repeated work that never sleeps. bench_end prints the processor time as "ns" and "ms", divided by
 * `times`. With counters.so it also prints "allocations", divided by `times`.
 */
typedef struct bench_span {
    uint64_t began;
    unsigned long allocations;
} bench_span;
bench_span bench_begin(void);
void bench_end(bench_span span, double times);

/* Sorts the values. Returns the median. */
double bench_median(double *values, size_t count);

/* bench_wakes() returns the number of wake-ups of the whole process so far, or 0 without counters.so.
 * bench_switches() returns the number of voluntary context switches of the process so far. */
double bench_wakes(void);
double bench_switches(void);

/* Returns the number of allocated bytes, including the overhead of malloc. */
size_t bench_live_bytes(void);

/* Returns the n-th argument as a number. Ends the program if the argument is missing or not a number. */
long bench_number(int argc, char **argv, int n);

#endif
