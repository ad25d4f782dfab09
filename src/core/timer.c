/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the timerfd and the heap's array, as long as the context lives. The timers in the heap belong to
 * their users. The context's lock guards all of them.
 *
 * A timer's heap_slot is 1 more than its index in the heap, or 0 if the timer is not in the heap. So stopping
 * a timer needs no search and is O(log n).
 */
#include "libxl_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

uint64_t libxl__now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return LIBXL__SECONDS(now.tv_sec) + (uint64_t)now.tv_nsec;
}

static void set_slot(libxl__timers *timers, uint32_t index, libxl__timer *timer)
{
    timers->heap[index] = timer;
    timer->heap_slot = index + 1;
}

static void sift_up(libxl__timers *timers, uint32_t index, libxl__timer *timer)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (timers->heap[parent]->deadline <= timer->deadline)
            break;
        set_slot(timers, index, timers->heap[parent]);
        index = parent;
    }
    set_slot(timers, index, timer);
}

static void sift_down(libxl__timers *timers, uint32_t index, libxl__timer *timer)
{
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && timers->heap[child + 1]->deadline < timers->heap[child]->deadline)
            child++;
        if (timers->heap[child]->deadline >= timer->deadline)
            break;
        set_slot(timers, index, timers->heap[child]);
        index = child;
    }
    set_slot(timers, index, timer);
}

static void remove_from_heap(libxl__timers *timers, libxl__timer *timer)
{
    uint32_t index = timer->heap_slot - 1;
    timer->heap_slot = 0;
    libxl__timer *last = timers->heap[--timers->count];
    if (last == timer)
        return;
    if (index > 0 && last->deadline < timers->heap[(index - 1) / 2]->deadline)
        sift_up(timers, index, last);
    else
        sift_down(timers, index, last);
}

/*
 * Sets the timerfd to the nearest deadline. Does nothing if the timerfd is already set to an earlier time,
 * for example to the deadline of a timer that was stopped. An earlier time causes one spurious wakeup. But it
 * saves a system call for each operation that ends before its time limit.
 */
static void arm_timerfd(libxl__timers *timers)
{
    uint64_t nearest = timers->count ? timers->heap[0]->deadline : 0;
    if (!nearest || (timers->armed && timers->armed <= nearest))
        return;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(nearest / LIBXL__SECONDS(1)),
                     .tv_nsec = (long)(nearest % LIBXL__SECONDS(1))},
    };
    timers->armed = nearest;
    timerfd_settime(timers->source.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void timerfd_fired(libxl_ctx *ctx, libxl__fd *source, uint32_t revents)
{
    (void)revents;
    libxl__timers *timers = &ctx->timers;
    uint64_t expirations, now = libxl__now();
    if (read(source->fd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
        libxl__log_recurring(ctx, &ctx->loop.failures, XTL_ERROR, errno, "reading the timer");
    timers->armed = 0;
    libxl__turn turn = {0};
    while (timers->count && timers->heap[0]->deadline <= now && libxl__turn_goes_on(ctx, &turn)) {
        libxl__timer *timer = timers->heap[0];
        remove_from_heap(timers, timer);
        timer->callback(ctx, timer);
    }
    /*
     * If the turn is over, this call sets the timerfd to a time in the past, so that the descriptor stays
     * readable.
     */
    arm_timerfd(timers);
}

int libxl__timer_start(libxl_ctx *ctx, libxl__timer *timer, uint64_t delay, libxl__timer_callback *callback)
{
    libxl__timers *timers = &ctx->timers;
    uint64_t now = libxl__now();
    if (timer->heap_slot) {
        remove_from_heap(timers, timer);
    } else if (timers->count == timers->room) {
        uint32_t room = timers->room ? 2 * timers->room : 16;
        libxl__timer **heap = realloc(timers->heap, room * sizeof(libxl__timer *));
        if (!heap)
            return ERROR_NOMEM;
        timers->heap = heap;
        timers->room = room;
    }
    timer->deadline = delay > LIBXL__NEVER - now ? LIBXL__NEVER : now + delay;
    timer->callback = callback;
    sift_up(timers, timers->count++, timer);
    arm_timerfd(timers);
    return 0;
}

void libxl__timer_stop(libxl_ctx *ctx, libxl__timer *timer)
{
    if (timer->heap_slot)
        remove_from_heap(&ctx->timers, timer);
}

int libxl__timers_open(libxl_ctx *ctx)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0)
        return libxl__refuse(ERROR_FAIL, "timerfd_create: %m");
    int rc = libxl__fd_register(ctx, &ctx->timers.source, fd, EPOLLIN, timerfd_fired);
    if (rc)
        close(fd);
    ctx->timers.source.close_on_fork = !rc;
    return rc;
}

void libxl__timers_close(libxl_ctx *ctx)
{
    int fd = ctx->timers.source.fd;
    if (ctx->timers.source.registered) {
        libxl__fd_deregister(ctx, &ctx->timers.source);
        close(fd);
    }
    free(ctx->timers.heap);
}
