/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waits until a xenstore node holds something: a watch, and a read each time it fires. The limit of a phase bounds the wait.
 */
#ifndef LIBXL__AWAIT_H
#define LIBXL__AWAIT_H

#include "watch.h"
#include "xs.h"

typedef struct libxl__await libxl__await;

/* Whether this value (NULL: no node) is what is waited for. The value may be a guest's: look at it, do not
 * follow it. */
typedef bool libxl__await_test(const libxl__await *await, const char *value);

/* A wait that is under way. Embed this in the operation's state; zero-initialise it. */
struct libxl__await {
    libxl__source source; /* fires when the node may have changed */
    libxl__watch *watch;
    libxl__xs_batch *reading; /* under way, or NULL */
    libxl__await_test *test;
    const char *wanted; /* for test */
    bool changed;       /* since the last reading began */
    bool failed, done;
    bool missing; /* there was no such node when it was read last */
};

/* Locked, all of them. */

/*
 * Waits until `test` is true of the node at `path`. `wanted` is for the test; it stays the caller's, and valid. Errors: NOMEM,
 * FAIL, NO_XENSTORE, noted in ao; nothing is watched then.
 */
int libxl__await_start(libxl__ao *ao, libxl__await *await, const char *path, libxl__await_test *test,
                       const char *wanted);

/* Has the node read though it has not changed. */
void libxl__await_look(libxl__await *await);

/*
 * Call this from the phase's poll. Returns LIBXL__AO_WAIT; 0: the test is true of the node; or an error, noted in ao with the
 * path: NOMEM, XENSTORE, PERMISSION, NO_XENSTORE.
 */
int libxl__await_step(libxl__ao *ao, libxl__await *await);

/* After the wait has ended: waits for the next time, by the same watch. */
void libxl__await_again(libxl__await *await);

/* Tests. The node is `wanted`; is empty or not there; is there and not empty; is a device's state (xen/io/xenbus.h) of at least `wanted`, or
 * gone. */
libxl__await_test libxl__await_equal;
libxl__await_test libxl__await_empty;
libxl__await_test libxl__await_present;
libxl__await_test libxl__await_device_state;

#endif
