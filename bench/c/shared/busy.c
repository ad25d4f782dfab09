/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For bench/python/busy.py, as a library: a thread beside Python's completes operations, which are told by
 * events or by callbacks, and measures for how long it is held each time.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <libxl.h>

enum { APART_NS = 500000 };

static struct completer {
    libxl_ctx *ctx;
    uint32_t domid;
    long count;
    libxl_asyncop_how how;
    double *took; /* ns */
    pthread_t thread;
} it;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *complete(void *unused)
{
    for (long i = 0; i < it.count; i++) {
        double began = now();
        int rc = i % 2 ? libxl_domain_unpause(it.ctx, it.domid, &it.how)
                       : libxl_domain_pause(it.ctx, it.domid, &it.how);
        it.took[i] = now() - began;
        if (rc)
            abort();
        nanosleep(&(struct timespec){.tv_nsec = APART_NS}, NULL);
    }
    return unused;
}

/* `callback` NULL: by events. 0, or an errno. */
int busy_start(libxl_ctx *ctx, uint32_t domid, long count, void (*callback)(libxl_ctx *, int, void *))
{
    it = (struct completer){ctx, domid, count, {.callback = callback}, calloc((size_t)count, sizeof(double)),
                            0};
    return pthread_create(&it.thread, NULL, complete, NULL);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Waits for the thread; the median of what a completion has taken, in ns. */
double busy_end(void)
{
    pthread_join(it.thread, NULL);
    qsort(it.took, (size_t)it.count, sizeof(double), compare);
    double median = it.took[it.count / 2];
    free(it.took);
    return median;
}
