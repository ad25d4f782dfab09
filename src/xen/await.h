/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waits until a xenstore node passes a test. When a watch reports that the node may have changed, the node is read
 * and tested. A wait has no time limit of its own: the limit of the operation's phase applies.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__AWAIT_H
#define LIBXL__AWAIT_H

#include "watch.h"
#include "xs.h"

typedef struct libxl__await libxl__await;

/*
 * Returns whether the wait ends at this value. NULL: the node is missing. A guest may have written the value: do not
 * trust it.
 */
typedef bool libxl__await_test(const libxl__await *await, const char *value);

/* A wait that is under way. Embed this in the operation's state; zero-initialise it. */
struct libxl__await {
    libxl__source source; /* fires when the node may have changed */
    libxl__watch *watch;
    libxl__xs_batch *reading; /* reads the node, and keeps its value once the wait has ended; NULL: no read */
    libxl__await_test *test;
    const char *wanted; /* an argument of the test; belongs to the caller */
    bool changed;       /* the node may have changed since the last read was started */
    bool failed;        /* xenstored does not watch the node */
    bool done;          /* the test is true of the node */
    bool missing;       /* the last read has found no such node */
};

/*
 * Starts a wait until `test` is true of the node at `path`. `path` is copied. `wanted` is for the test; the caller
 * keeps it valid until the wait ends. Errors: NOMEM, FAIL, NO_XENSTORE, recorded in ao. After an error nothing is
 * watched.
 */
int libxl__await_start(libxl__ao *ao, libxl__await *await, const char *path, libxl__await_test *test,
                       const char *wanted);

/* Returns whether the node may have changed since it was read last, or is being read. */
bool libxl__await_is_looking(const libxl__await *await);

/* Makes the next libxl__await_step read the node, even if it has not changed. */
void libxl__await_look(libxl__await *await);

/*
 * Call this from the phase's poll. Returns LIBXL__AO_WAIT, or 0 if the test is true of the node, or an error. Errors:
 * NOMEM, XENSTORE, PERMISSION, NO_XENSTORE, recorded in ao with the path.
 */
int libxl__await_step(libxl__ao *ao, libxl__await *await);

/* Returns the value at which the wait has ended; NULL: the node is missing. It is valid until the operation ends, or until
 * libxl__await_again. */
const char *libxl__await_value(const libxl__await *await);

/*
 * Waits again with the same watch: until the node has changed and the test is true of it. Call this after the wait
 * has ended.
 */
void libxl__await_again(libxl__await *await);

/* The tests. This one is true if the node holds `wanted`. */
libxl__await_test libxl__await_equal;
/* True if the node is empty or missing. */
libxl__await_test libxl__await_empty;
/* True if the node exists and is not empty. */
libxl__await_test libxl__await_present;
/* True if the node holds a device state (xen/io/xenbus.h) that is at least `wanted`, or if the node is missing. */
libxl__await_test libxl__await_device_state;

#endif
