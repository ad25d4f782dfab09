/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the thread that stops a guest, from stopper_begin to stopper_end. This file is also built as a
 * library for Python. */
#include "stopper.h"

#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

#include "bench.h"
#include "domains.h"

enum { LATER_US = 50000 };

static pthread_t thread;
static uint32_t stopping;
static uint64_t stopped;

static void *stop(void *unused)
{
    usleep(LATER_US);
    stopped = bench_now();
    domain_stops(stopping);
    return unused;
}

void stopper_begin(uint32_t domid)
{
    stopping = domid;
    domains_xc(); /* This call opens the handle in this thread, because xs_open is not thread-safe. */
    bench_check(!pthread_create(&thread, NULL, stop, NULL), "pthread_create");
}

double stopper_end(void)
{
    pthread_join(thread, NULL);
    return (double)stopped;
}
