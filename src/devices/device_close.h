/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks the backend of a device to close, and waits until the backend has closed. Call all functions with the
 * context locked. Functions whose names end in _start or _poll are parts of a phase.
 */
#ifndef LIBXL__DEVICE_CLOSE_H
#define LIBXL__DEVICE_CLOSE_H

#include "await.h"
#include "device.h"

/*
 * One request to close, and the wait. Embed this in the operation's state; zero-initialise it. Then set the
 * members above the empty line.
 */
typedef struct libxl__device_close {
    const libxl__device *device;
    /* The backend's state when it was read last, in `text`. NULL: the node was missing. */
    const char *state;
    bool force; /* the guest is not asked, and its frontend is removed */
    /*
     * The number of functions that a PCI backend must have when it is asked to close. The number differs if another
     * program has added a function after this operation has read the number. 0: the number is not checked.
     */
    uint32_t functions;

    libxl__xs_batch *batch; /* the batch with the last request to the backend */
    /* The request that reads the state again; NULL: the request to close is under way. */
    const libxl__xs_request *state_node;
    /* Waits until the backend has closed, or has another state than Closing. */
    libxl__await left;
    /* The first octets of the backend's state, to which `state` points; a correct state has one digit. */
    char text[16];
    unsigned times_looked; /* the number of the backend's states that were read and did not end the wait */
    /* The number of requests to close that have failed because the backend had changed its state. */
    unsigned times_changed;
    bool asking;     /* a repeated request was sent and is not answered yet */
    bool separately; /* the nodes are changed one by one, because a transaction was given up */
} libxl__device_close;

/* Sets `state` to a copy of the value that was read. */
void libxl__device_close_see(libxl__device_close *close, const char *value);
/* Returns whether the backend's state was Closed or missing when it was read last. */
bool libxl__device_close_is_done(const libxl__device_close *close);

/*
 * Ask the backend to close: set the backend's node `online` to 0 and its state to Closing. If `force` is set,
 * the same transaction removes the frontend. If other clients change these nodes all the time, `force`
 * changes them one by one. Errors, recorded in ao: DEVICE (`force` is not set, and other clients change the
 * nodes all the time), BUSY (the number of functions is not `functions`; nothing was changed), those of libxl__xs_run
 * and libxl__xs_result.
 */
int libxl__device_close_ask_start(libxl__ao *ao, libxl__device_close *close);
int libxl__device_close_ask_poll(libxl__ao *ao, libxl__device_close *close);

/*
 * Wait until the backend has closed or is gone. If `force` is not set and the backend has overwritten the
 * state Closing, the request is repeated. If `force` is set, the wait also ends after a few other changes of
 * the state, because such a backend does not close. Errors, recorded in ao: DEVICE (the backend has left the state
 * Closing too often), those of libxl__await_step and those of the request.
 */
int libxl__device_close_wait_start(libxl__ao *ao, libxl__device_close *close);
int libxl__device_close_wait_poll(libxl__ao *ao, libxl__device_close *close);

#endif
