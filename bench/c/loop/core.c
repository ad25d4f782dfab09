/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: a context without a hypervisor. The program has one thread. */
#include "loop.h"

#include <stdlib.h>

#include "libxl_internal.h"

#include "bench.h"

long loop_calls;
static libxl_ctx *ctx;
static libxl__fd *fds;
static libxl__timer *timers;

void loop_open(long most)
{
    fds = calloc((size_t)most, sizeof(*fds));
    timers = calloc((size_t)most, sizeof(*timers));
    bench_check(!libxl__ctx_create(&ctx, NULL), "libxl__ctx_create");
}

static void ready(libxl_ctx *its, libxl__fd *fd, uint32_t revents)
{
    (void)its, (void)fd, (void)revents;
    loop_calls++;
}

static void rings(libxl_ctx *its, libxl__timer *timer)
{
    (void)its, (void)timer;
    loop_calls++;
}

void loop_watch(int fd)
{
    libxl__ctx_lock(ctx);
    bench_check(!libxl__fd_register(ctx, fds++, fd, EPOLLIN, ready), "libxl__fd_register");
    libxl__ctx_unlock(ctx);
}

void loop_timer(uint64_t delay)
{
    libxl__ctx_lock(ctx);
    bench_check(!libxl__timer_start(ctx, timers++, delay, rings), "libxl__timer_start");
    libxl__ctx_unlock(ctx);
}

void loop_pass(void)
{
    bench_check(!libxl_ctx_process(ctx), "libxl_ctx_process");
}
