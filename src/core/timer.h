/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timers: a heap of deadlines on the monotonic clock, and one timerfd for the nearest. */
#ifndef LIBXL__TIMER_H
#define LIBXL__TIMER_H

#include <stdint.h>

#include "loop.h"

typedef struct libxl__timer libxl__timer;

/* Called once, under the lock, after the deadline; the timer is stopped by then and may be started again. */
typedef void libxl__timer_callback(libxl_ctx *ctx, libxl__timer *timer);

struct libxl__timer { /* all zero: stopped */
    libxl__timer_callback *callback;
    uint64_t deadline;  /* ns, CLOCK_MONOTONIC */
    uint32_t heap_slot; /* index + 1; 0: stopped */
};

typedef struct libxl__timers {
    libxl__fd source;
    libxl__timer **heap;
    uint32_t count, room;
    uint64_t armed; /* what the timerfd is set to; 0: nothing */
} libxl__timers;

/* Everything here: the context locked. */

int libxl__timers_open(libxl_ctx *ctx);
void libxl__timers_close(libxl_ctx *ctx);

/* Now, in ns on the monotonic clock. Needs no lock. */
uint64_t libxl__now(void);

/* Calls `callback` in `delay` ns. A started timer is moved. Errors: NOMEM; a started timer never fails. */
int libxl__timer_start(libxl_ctx *ctx, libxl__timer *timer, uint64_t delay, libxl__timer_callback *callback);

/* A stopped timer is left as it is. */
void libxl__timer_stop(libxl_ctx *ctx, libxl__timer *timer);

#define LIBXL__SECONDS(n)      ((uint64_t)(n)*1000000000)
#define LIBXL__MILLISECONDS(n) ((uint64_t)(n)*1000000)

#endif
