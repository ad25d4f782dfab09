/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the counters. The library is preloaded. Any thread may call its functions. */
#include "counters.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>

static atomic_ulong allocations, wakes;

static void count(atomic_ulong *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

unsigned long counters_allocations(void)
{
    return atomic_load(&allocations);
}

unsigned long counters_wakes(void)
{
    return atomic_load(&wakes);
}

/* The functions of glibc's allocator. glibc exports these names for programs that replace malloc. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *memory);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    count(&allocations);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count(&allocations);
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    count(&allocations);
    return __libc_realloc(old, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    count(&allocations);
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

void free(void *memory)
{
    if (memory)
        count(&allocations);
    __libc_free(memory);
}

static bool is_long(const struct timespec *t)
{
    return !t || t->tv_sec || t->tv_nsec;
}

/* Wraps the C library's function `name`. Counts one wake per call that may sleep. */
#define WAKES(name, version, parameters, arguments, may_sleep)                                               \
    int name parameters                                                                                      \
    {                                                                                                        \
        static int(*_Atomic original) parameters;                                                            \
        if (!original)                                                                                       \
            original = (int(*) parameters)dlvsym(RTLD_NEXT, #name, version);                                 \
        int result = original arguments;                                                                     \
        if (may_sleep)                                                                                       \
            count(&wakes);                                                                                   \
        return result;                                                                                       \
    }

WAKES(poll, "GLIBC_2.2.5", (struct pollfd * fds, nfds_t count_, int timeout), (fds, count_, timeout),
      timeout != 0)
/* Programs that were compiled with _FORTIFY_SOURCE call this instead of poll. */
WAKES(__poll_chk, "GLIBC_2.16", (struct pollfd * fds, nfds_t count_, int timeout, size_t size),
      (fds, count_, timeout, size), timeout != 0)
WAKES(ppoll, "GLIBC_2.4", (struct pollfd * fds, nfds_t count_, const struct timespec *t, const sigset_t *m),
      (fds, count_, t, m), is_long(t))
WAKES(epoll_wait, "GLIBC_2.3.2", (int fd, struct epoll_event *events, int most, int timeout),
      (fd, events, most, timeout), timeout != 0)
WAKES(epoll_pwait2, "GLIBC_2.35",
      (int fd, struct epoll_event *events, int most, const struct timespec *t, const sigset_t *m),
      (fd, events, most, t, m), is_long(t))
WAKES(pthread_cond_wait, "GLIBC_2.3.2", (pthread_cond_t * cond, pthread_mutex_t *lock), (cond, lock), true)
WAKES(pthread_cond_timedwait, "GLIBC_2.3.2",
      (pthread_cond_t * cond, pthread_mutex_t *lock, const struct timespec *t), (cond, lock, t), true)
WAKES(pthread_cond_clockwait, "GLIBC_2.30",
      (pthread_cond_t * cond, pthread_mutex_t *lock, clockid_t clock, const struct timespec *t),
      (cond, lock, clock, t), true)
