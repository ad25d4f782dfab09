/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the clock, the timers, and the number of allocations until one fails. world_begin() resets all three. Owns
 * also the socket of the next connection.
 * A timer is an eventfd that stands for the library's timerfd. The library closes the eventfd.
 */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST_TIMERS = 8, SECOND = 1000000000, FIRST_SECOND = 1000, NEVER_S = 3600 };

static struct {
    uint64_t now;
    struct timer {
        int fd;
        uint64_t armed; /* The deadline of the timer. 0: the timer is not armed. */
    } timers[MOST_TIMERS];
    int count;
    /* The number of the next allocation that fails, counted from 1. 0: no allocation fails. */
    unsigned until_failure;
    unsigned idle_polls; /* The number of successive polls that would have waited for ever. */
    void (*idle)(void);
} world;

_Noreturn void world_fault(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s does not hold\n", file, line, condition);
    abort();
}

void world_begin(void (*idle)(void))
{
    memset(&world, 0, sizeof(world));
    world.now = (uint64_t)FIRST_SECOND * SECOND;
    world.idle = idle;
}

/* ---- the clock */

static void fire_expired(struct timer *timer)
{
    const uint64_t one = 1;
    if (!timer->armed || timer->armed > world.now)
        return;
    timer->armed = 0;
    CHECK(write(timer->fd, &one, sizeof(one)) == sizeof(one));
}

void world_advance(uint64_t nanoseconds)
{
    world.now += nanoseconds;
    for (int i = 0; i < world.count; i++)
        fire_expired(&world.timers[i]);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    *out = (struct timespec){.tv_sec = (time_t)(world.now / SECOND), .tv_nsec = (long)(world.now % SECOND)};
    return 0;
}

int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_create(int clock, int flags)
{
    (void)clock;
    const int fd =
        eventfd(0, (flags & TFD_CLOEXEC ? EFD_CLOEXEC : 0) | (flags & TFD_NONBLOCK ? EFD_NONBLOCK : 0));
    CHECK(fd >= 0 && world.count < MOST_TIMERS);
    world.timers[world.count++].fd = fd;
    return fd;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *wanted, struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *wanted, struct itimerspec *old)
{
    (void)old;
    CHECK(flags == TFD_TIMER_ABSTIME);
    for (int i = 0; i < world.count; i++)
        if (world.timers[i].fd == fd) {
            uint64_t count;
            if (read(fd, &count, sizeof(count)) < 0)
                CHECK(errno == EAGAIN);
            world.timers[i].armed =
                (uint64_t)wanted->it_value.tv_sec * SECOND + (uint64_t)wanted->it_value.tv_nsec;
            fire_expired(&world.timers[i]);
        }
    return 0;
}

/* Returns the earliest deadline. Returns 0 if no timer is armed, or if each deadline is too late to
 * wait for. */
static uint64_t next_deadline(void)
{
    uint64_t next = 0;
    for (int i = 0; i < world.count; i++)
        if (world.timers[i].armed && (!next || world.timers[i].armed < next))
            next = world.timers[i].armed;
    return next > world.now + (uint64_t)NEVER_S * SECOND ? 0 : next;
}

/* The replacement of epoll_wait. It does not wait, but moves the clock to the time at which the wait
 * would end. */
int __real_epoll_wait(int fd, struct epoll_event *events, int most, int timeout);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int most, int timeout);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
    const uint64_t end = timeout < 0 ? UINT64_MAX : world.now + (uint64_t)timeout * 1000000;
    int ready = __real_epoll_wait(fd, events, most, 0);
    if (ready || !timeout) {
        world.idle_polls = 0;
        return ready;
    }
    const uint64_t deadline = next_deadline();
    if (deadline && deadline <= end) {
        world_advance(deadline - world.now);
    } else if (timeout > 0) {
        world_advance(end - world.now);
        return 0;
    } else {
        /* If this is the second such poll in a row, idle() has not woken the library. */
        CHECK(!world.idle_polls++);
        world.idle();
    }
    return __real_epoll_wait(fd, events, most, 0);
}

/* ---- a connection */

/* The socket that the next connect() gets. -1: the next connect() is the C library's. */
static int prepared = -1;

void world_connect(int fd)
{
    if (prepared >= 0)
        close(prepared);
    prepared = fd;
}

int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    if (prepared < 0)
        return __real_connect(fd, address, length);
    CHECK(dup3(prepared, fd, O_CLOEXEC) == fd);
    world_connect(-1);
    return 0;
}

/* ---- allocations */

void world_fail_allocation(unsigned after)
{
    world.until_failure = after + 1;
}

void world_allow_allocations(void)
{
    world.until_failure = 0;
}

static bool allocation_fails(void)
{
    if (!world.until_failure || --world.until_failure)
        return false;
    errno = ENOMEM;
    return true;
}

#define ALLOCATES(result, name, arguments, values)                                                           \
    result __real_##name arguments;                                                                          \
    result __wrap_##name arguments;                                                                          \
    result __wrap_##name arguments                                                                           \
    {                                                                                                        \
        return allocation_fails() ? NULL : __real_##name values;                                             \
    }
ALLOCATES(void *, malloc, (size_t size), (size))
ALLOCATES(void *, calloc, (size_t count, size_t size), (count, size))
ALLOCATES(void *, realloc, (void *old, size_t size), (old, size))
ALLOCATES(char *, strdup, (const char *text), (text))
ALLOCATES(char *, strndup, (const char *text, size_t length), (text, length))

int __real_vasprintf(char **out, const char *format, va_list values);
int __wrap_vasprintf(char **out, const char *format, va_list values) __attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **out, const char *format, va_list values)
{
    return allocation_fails() ? -1 : __real_vasprintf(out, format, values);
}
