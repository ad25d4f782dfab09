/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters of the whole process. build/bench/shared/counters.so defines the functions. The functions are NULL
 * if counters.so is not preloaded. Any thread may call them.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

/* Returns the number of calls of malloc, calloc, realloc, posix_memalign and free. */
unsigned long counters_allocations(void) __attribute__((weak));
/* Returns the number of times that poll, epoll_wait, pthread_cond_wait or
 * pthread_cond_timedwait has returned. */
unsigned long counters_wakes(void) __attribute__((weak));

#endif
