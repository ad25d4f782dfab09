/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: a libuv loop. The program has one thread. */
#include "loop.h"

#include <stdlib.h>

#include <uv.h>

#include "bench.h"

long loop_calls;
static uv_loop_t loop;
static uv_poll_t *polls;
static uv_timer_t *timers;

void loop_open(long most)
{
    polls = calloc((size_t)most, sizeof(*polls));
    timers = calloc((size_t)most, sizeof(*timers));
    bench_check(!uv_loop_init(&loop), "uv_loop_init");
}

static void ready(uv_poll_t *poll, int status, int events)
{
    (void)poll, (void)status, (void)events;
    loop_calls++;
}

static void rings(uv_timer_t *timer)
{
    (void)timer;
    loop_calls++;
}

void loop_watch(int fd)
{
    bench_check(!uv_poll_init(&loop, polls, fd), "uv_poll_init");
    bench_check(!uv_poll_start(polls++, UV_READABLE, ready), "uv_poll_start");
}

void loop_timer(uint64_t delay)
{
    bench_check(!uv_timer_init(&loop, timers), "uv_timer_init");
    bench_check(!uv_timer_start(timers++, rings, delay / 1000000, 0), "uv_timer_start");
}

void loop_pass(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}
