/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waits until a xenstore node passes a test. When a watch reports that the node may have changed, the node is
 * read and tested. A wait has no separate time limit: the limit of the operation's phase applies.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__AWAIT_H
#define LIBXL__AWAIT_H

#include "watch.h"
#include "xs.h"

typedef struct libxl__await libxl__await;

/*
 * A test: returns whether the wait ends when the node has this value. `value` NULL: the node is missing. The
 * test must not trust the value, because a guest may have written it.
 */
typedef bool libxl__await_test(const libxl__await *await, const char *value);

/* A wait for a node. Embed this in the operation's state; zero-initialise it. */
struct libxl__await {
    libxl__source source; /* fires when the node may have changed */
    libxl__watch *watch;
    /*
     * The batch that reads the node. After the wait the batch still contains the node's value. NULL: the node
     * has not been read.
     */
    libxl__xs_batch *reading;
    libxl__await_test *test;
    const char *wanted; /* an argument of the test; belongs to the caller */
    bool changed;       /* the node may have changed since the last read was started */
    bool failed;        /* xenstored has refused the watch, or the watch was lost with the connection */
    bool done;          /* the test was true for the last value that was read */
    bool missing;       /* the node did not exist at the last read */
};

/*
 * Starts a wait until `test` is true for the value of the node at `path`. `path` is copied. `wanted` is an
 * argument of the test; the caller keeps it valid until the wait ends. Returns 0 or an error. Errors: NOMEM,
 * FAIL, NO_XENSTORE, recorded in ao. After an error nothing is watched.
 */
int libxl__await_start(libxl__ao *ao, libxl__await *await, const char *path, libxl__await_test *test,
                       const char *wanted);

/* Returns whether the node is being read, or may have changed since the last read. */
bool libxl__await_is_looking(const libxl__await *await);

/* Makes the next libxl__await_step read the node, even if no watch event has arrived. */
void libxl__await_look(libxl__await *await);

/*
 * Called from the phase's poll. Returns LIBXL__AO_WAIT, 0 if the test is true for the node's value, or an
 * error. Errors: NOMEM, XENSTORE, PERMISSION, NO_XENSTORE, recorded in ao with the path.
 */
int libxl__await_step(libxl__ao *ao, libxl__await *await);

/*
 * Returns the value that ended the wait; NULL: the node is missing. The value is valid until the operation
 * ends or libxl__await_again is called.
 */
const char *libxl__await_value(const libxl__await *await);

/*
 * Starts the next wait with the same watch. The next wait ends when the node has changed and the test is true
 * for the new value. Call this after the previous wait has ended.
 */
void libxl__await_again(libxl__await *await);

/* A test that is true if the node holds `wanted`. */
libxl__await_test libxl__await_equal;
/* A test that is true if the node is empty or missing. */
libxl__await_test libxl__await_empty;
/* A test that is true if the node exists and is not empty. */
libxl__await_test libxl__await_present;
/*
 * A test that is true if the node is missing, or holds a device state (xen/io/xenbus.h) of at least `wanted`.
 */
libxl__await_test libxl__await_device_state;

/*
 * Returns the device state that the text `value` names. Returns -1 for any other text, because a guest may
 * write any text. `value` NULL: the node is missing. Needs no lock.
 */
int libxl__device_state(const char *value);

#endif
