/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for a xenstore node to hold something: a watch, a read each time it fires, a time limit. */
#ifndef LIBXL__AWAIT_H
#define LIBXL__AWAIT_H

#include "watch.h"
#include "xs.h"

typedef struct libxl__await libxl__await;

/* Whether this value (NULL: no node) is what is waited for. The value may be a guest's: look at it, do not
 * follow it. */
typedef bool libxl__await_test(const libxl__await *await, const char *value);

/* A wait that is under way. The operation's, zeroed. */
struct libxl__await {
    libxl__source source; /* fires when the node may have changed, and when time is up */
    libxl__watch *watch;
    libxl__timer patience;
    libxl__xs_batch *reading; /* under way, or NULL */
    libxl__await_test *test;
    const char *wanted; /* for test */
    bool changed;       /* since the last reading began */
    bool late, failed, done;
};

/* Locked, all of them. */

/*
 * Waits for `test` to be true of the node at `path`, at most `limit_ns` (0: for ever). `wanted` is the test's,
 * and stays the caller's. Errors: NOMEM, FAIL, NO_XENSTORE, noted in ao; then nothing is waited for.
 */
int libxl__await_start(libxl__ao *ao, libxl__await *await, const char *path, libxl__await_test *test,
                       const char *wanted, uint64_t limit_ns);

/* From now on at most so long. Errors: NOMEM, if it had no limit. */
int libxl__await_limit(libxl__ao *ao, libxl__await *await, uint64_t limit_ns);

/* Has the node read though it has not changed. */
void libxl__await_look(libxl__await *await);

/*
 * Called each time the body is. LIBXL__AO_WAIT; 0: it holds what was waited for; TIMEDOUT or another error,
 * noted in ao with the path.
 */
int libxl__await_step(libxl__ao *ao, libxl__await *await);

/* After it was done: waits for the next time, by the same watch and without a limit. */
void libxl__await_again(libxl__await *await);

/* Tests. Is `wanted`; is there and not empty; is a device's state (xen/io/xenbus.h) of at least `wanted`, or
 * gone. */
libxl__await_test libxl__await_equal;
libxl__await_test libxl__await_present;
libxl__await_test libxl__await_device_state;

#endif
