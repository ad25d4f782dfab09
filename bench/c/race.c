/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the threads, while race() runs. */
#include "race.h"

#include <pthread.h>

#include "bench.h"

enum { HEATS = 5 };

struct runner {
    race_work *work;
    int thread, shared;
    long times;
    pthread_barrier_t *start;
};

static void *run(void *arg)
{
    struct runner *r = arg;
    pthread_barrier_wait(r->start);
    r->work(r->thread, r->shared, r->times);
    return NULL;
}

/* Returns the time in ns in which `count` threads do the work `times` times each. */
static double heat(race_work *work, int count, int shared, long times)
{
    pthread_t threads[2];
    struct runner runners[2];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        runners[i] = (struct runner){work, i, shared, times, &start};
        bench_check(!pthread_create(&threads[i], NULL, run, &runners[i]), "pthread_create");
    }
    pthread_barrier_wait(&start);
    uint64_t began = bench_now();
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    return (double)(bench_now() - began);
}

void race(race_work *work, long times)
{
    double shared[HEATS], apart[HEATS];
    heat(work, 2, 1, times / 10 + 1);
    for (int i = 0; i < HEATS; i++) {
        double alone = heat(work, 1, 1, times);
        shared[i] = 2 * alone / heat(work, 2, 1, times);
        apart[i] = 2 * alone / heat(work, 2, 0, times);
    }
    bench_say("shared", bench_median(shared, HEATS));
    bench_say("apart", bench_median(apart, HEATS));
}
