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
    const char *state; /* of the backend, as it was seen last, in the operation's memory; NULL: it has none */
    bool force;        /* the guest is not asked: its frontend is removed */

    libxl__xs_batch *batch;              /* of the last request */
    const libxl__xs_request *state_node; /* reads the state again; NULL: the request is under way */
    libxl__await left;                   /* until the backend has closed, or is no longer closing */
    unsigned times_asked;                /* again */
    bool asking;                         /* again, in the wait */
} libxl__device_close;

/* Sets `state` to a copy of the value that was read. Errors: NOMEM. */
int libxl__device_close_see(libxl__ao *ao, libxl__device_close *close, const char *value);
/* Returns whether the backend was closed, or had no state, when it was seen last. */
bool libxl__device_close_is_done(const libxl__device_close *close);

/*
 * Tells the backend that the device goes: sets `online` to 0 and the state to Closing. With force the frontend is
 * removed in the same transaction. Errors: those of libxl__xs_run and libxl__xs_result, recorded in ao.
 */
int libxl__device_close_ask_start(libxl__ao *ao, libxl__device_close *close);
int libxl__device_close_ask_poll(libxl__ao *ao, libxl__device_close *close);

/*
 * Waits until the backend has closed or is gone. Without force, a backend that has overwritten the request is asked
 * again. Errors, recorded in ao: DEVICE (it has left the state Closing too often), those of libxl__await_step and those
 * of the request.
 */
int libxl__device_close_wait_start(libxl__ao *ao, libxl__device_close *close);
int libxl__device_close_wait_poll(libxl__ao *ao, libxl__device_close *close);

#endif
