/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks the backend of a device to close, and waits until it has. Call all functions with the context locked. Functions
 * whose names end in _start or _poll are parts of a phase.
 */
#ifndef LIBXL__DEVICE_CLOSE_H
#define LIBXL__DEVICE_CLOSE_H

#include "await.h"
#include "device.h"

/* Embed this in the operation's state; zero-initialise it, then set the members above the empty line. */
typedef struct libxl__device_close {
    const libxl__device *device;
    /* The backend's state when it was read last, in the operation's memory; NULL: it has none. */
    const char *state;
    bool force; /* the guest is not asked, and its frontend is removed */

    libxl__xs_batch *batch;              /* the last request to the backend */
    const libxl__xs_request *state_node; /* reads the state again; NULL: the request is under way */
    libxl__await left;                   /* waits until the backend has closed, or is no longer closing */
    unsigned times_asked;                /* the number of repeated requests */
    bool asking;                         /* a repeated request is under way */
} libxl__device_close;

/* Sets `state` to a copy of the value that was read. Errors: NOMEM. */
int libxl__device_close_see(libxl__ao *ao, libxl__device_close *close, const char *value);
/* Returns whether the state that was read last is Closed, or was missing. */
bool libxl__device_close_is_done(const libxl__device_close *close);

/*
 * Ask the backend to close: set its node `online` to 0 and its state to Closing. With force, the same transaction removes the
 * frontend. Errors: those of libxl__xs_run and libxl__xs_result, recorded in ao.
 */
int libxl__device_close_ask_start(libxl__ao *ao, libxl__device_close *close);
int libxl__device_close_ask_poll(libxl__ao *ao, libxl__device_close *close);

/*
 * Wait until the backend has closed or is gone. Without force, the request is repeated if the backend has overwritten it. Errors,
 * recorded in ao: DEVICE (the backend has left the state Closing too often), those of libxl__await_step and those of the request.
 */
int libxl__device_close_wait_start(libxl__ao *ao, libxl__device_close *close);
int libxl__device_close_wait_poll(libxl__ao *ao, libxl__device_close *close);

#endif
