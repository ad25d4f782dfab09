/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A library for bench/python/busy.py. A thread ends operations, which complete by events or callbacks, and
 * measures the duration of each call. The thread sleeps before each call.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include <libxl.h>

enum { APART_NS = 500000 };

static struct completer {
    libxl_ctx *ctx;
    uint32_t domid;
    long count;
    bool whole, tells;
    libxl_asyncop_how how;
    double *took; /* The duration of each call, in ns. */
    atomic_long done;
    pthread_t thread;
} it;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/*
 * Sleeps, and then returns the time in ns. During the sleep the processor's caches lose this thread's code
 * and data. The first reading of the clock brings the clock's own code into the caches again. The second
 * reading is the result.
 */
static double rested(void)
{
    nanosleep(&(struct timespec){.tv_nsec = APART_NS}, NULL);
    now();
    return now();
}

/*
 * Times only the end of an operation, which is started before the sleep. For the floor, times the abort of an
 * operation that does not exist, and then ends the started operation.
 */
static void end(long i)
{
    const libxl_asyncop_how nobody = {.u.for_event = UINT64_MAX};
    const libxl_asyncop_how *ended = it.tells ? &it.how : &nobody;
    if (libxl_domain_wait_gone(it.ctx, it.domid, &it.how))
        abort();
    double began = rested();
    int rc = libxl_ao_abort(it.ctx, ended);
    it.took[i] = now() - began;
    if (rc != (it.tells ? 0 : ERROR_NOTFOUND) || (!it.tells && libxl_ao_abort(it.ctx, &it.how)))
        abort();
}

/* Times a whole operation that completes at once. The time includes the operation's hypercall. */
static void operate(long i)
{
    const libxl_asyncop_how *how = it.tells ? &it.how : NULL;
    double began = rested();
    int rc = i % 2 ? libxl_domain_unpause(it.ctx, it.domid, how) : libxl_domain_pause(it.ctx, it.domid, how);
    it.took[i] = now() - began;
    if (rc)
        abort();
}

static void *complete(void *unused)
{
    for (long i = 0; i < it.count; i++) {
        it.whole ? operate(i) : end(i);
        atomic_store(&it.done, i + 1);
    }
    return unused;
}

/* Starts the thread, which ends `count` operations. If `callback` is NULL, the operations complete by events.
 * Returns 0 or an errno. */
int busy_start(libxl_ctx *ctx, uint32_t domid, long count, bool whole, bool tells,
               void (*callback)(libxl_ctx *, int, void *))
{
    it = (struct completer){.ctx = ctx, .domid = domid, .count = count, .whole = whole, .tells = tells};
    it.how.callback = callback;
    it.took = calloc((size_t)count, sizeof(double));
    return pthread_create(&it.thread, NULL, complete, NULL);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Returns the number of operations that have ended. */
long busy_done(void)
{
    return atomic_load(&it.done);
}

/* Joins the thread. Returns the median duration of a call, in ns. */
double busy_end(void)
{
    pthread_join(it.thread, NULL);
    qsort(it.took, (size_t)it.count, sizeof(double), compare);
    double median = it.took[it.count / 2];
    free(it.took);
    return median;
}
