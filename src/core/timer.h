/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Timers: a heap of deadlines on the monotonic clock, and one timerfd for the nearest deadline.
 *
 * Call every function with the context locked, unless the comment says otherwise. Any thread may call it. A
 * libxl__timer belongs to its user and must live until it has expired or was stopped.
 */
#ifndef LIBXL__TIMER_H
#define LIBXL__TIMER_H

#include <stdint.h>

#include "loop.h"

typedef struct libxl__timer libxl__timer;

/*
 * The function that is called once, with the context locked, after the deadline. The timer is stopped before
 * the call. The function may start the timer again.
 */
typedef void libxl__timer_callback(libxl_ctx *ctx, libxl__timer *timer);

struct libxl__timer { /* A timer. Zero-initialise it: a zeroed timer is stopped. */
    libxl__timer_callback *callback;
    uint64_t deadline;  /* the time when the callback is called, in ns, CLOCK_MONOTONIC */
    uint32_t heap_slot; /* the timer's index in the heap + 1; 0: the timer is stopped */
};

typedef struct libxl__timers {
    libxl__fd source; /* the registration of the timerfd */
    libxl__timer **heap;
    uint32_t count, room;
    uint64_t armed; /* the time that the timerfd is set to, in ns; 0: it is not set */
} libxl__timers;

/* Opens the timerfd. Called once, while the context is created. Returns 0 or FAIL. */
int libxl__timers_open(libxl_ctx *ctx);
/*
 * Closes the timerfd and frees the heap. Called once, unlocked, while the context is destroyed. Does not call
 * the callbacks of started timers.
 */
void libxl__timers_close(libxl_ctx *ctx);

/* Returns the time in ns on the monotonic clock. Needs no lock. */
uint64_t libxl__now(void);

/*
 * Calls `callback` after `delay` ns. If the timer is started already, replaces the timer's deadline and callback.
 * Returns 0. If the timer was stopped before and there is no memory, returns NOMEM.
 */
int libxl__timer_start(libxl_ctx *ctx, libxl__timer *timer, uint64_t delay, libxl__timer_callback *callback);

/* Stops a timer. Its callback is not called afterwards. Does nothing if the timer is stopped already. */
void libxl__timer_stop(libxl_ctx *ctx, libxl__timer *timer);

#define LIBXL__SECONDS(n)      ((uint64_t)(n)*1000000000)
#define LIBXL__MILLISECONDS(n) ((uint64_t)(n)*1000000)
/* A delay that does not end. It keeps a timer in the heap, so that the next libxl__timer_start needs no memory. */
#define LIBXL__NEVER (UINT64_MAX / 2)

#endif
