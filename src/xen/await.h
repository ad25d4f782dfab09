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
    enum { LIBXL__AWAIT_IDLE, LIBXL__AWAIT_WATCHING, LIBXL__AWAIT_READING, LIBXL__AWAIT_DONE } state;
    libxl__watch_source node;
    libxl__alarm patience;
    libxl__xs_batch *reading;
    libxl__xs_request *request;
    libxl__await_test *test;
    const char *path;   /* the operation's memory */
    const char *wanted; /* for test */
};

/* Locked, all of them. */

/* Waits for `test` to be true of the node at `path`, at most `limit_ns` (0: for ever). Errors: NOMEM, FAIL.
 */
int libxl__await_start(libxl__ao *ao, libxl__await *await, const char *path, libxl__await_test *test,
                       const char *wanted, uint64_t limit_ns);

/*
 * Called each time the body is. LIBXL__AO_WAIT; 0: it holds what was waited for, await->value; TIMEDOUT or
 * another error, noted in ao with the path.
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
