/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waits until the backend of a device has reached a state. If the backend or the guest's driver writes an
 * error node, the wait fails with the text of this node. Call all functions with the context locked.
 */
#ifndef LIBXL__DEVICE_BACKEND_H
#define LIBXL__DEVICE_BACKEND_H

#include "device.h"

/*
 * A wait for a backend. Embed this in the operation's state; zero-initialise it. If another domain serves the
 * device, the operation starts `server`.
 */
typedef struct libxl__backend_wait {
    libxl__await state, backend_error, frontend_error;
    libxl__domain_source server; /* follows the backend's domain, if another domain serves the device */
    bool reads_errors;           /* the backend has closed, and the error nodes are being read */
    /* An input: the guest does not run yet, so it cannot write an error node, and no such node is watched. */
    bool without_guest;
    /*
     * An input: an error node of the guest ends the wait only if the backend closes. Linux's pcifront writes an error
     * when it loses its last device. So the node may contain the error of a former device.
     */
    bool old_errors;
    /*
     * An input: only the state Connected ends the wait. In the states Reconfiguring and Reconfigured, which are
     * greater, pciback is still adding a device.
     */
    bool settles;
} libxl__backend_wait;

/*
 * Starts the wait. `wanted` is the number of the awaited state, as a text that must stay valid until the wait ends.
 * Errors, recorded in ao: those of libxl__await_start.
 */
int libxl__backend_wait_start(libxl__ao *ao, libxl__backend_wait *wait, const libxl__device *device,
                              const char *wanted);
/*
 * Call this from a phase's poll. Returns LIBXL__AO_WAIT until the backend has reached the awaited state. Then returns
 * 0 or an error. Errors, recorded in ao: DEVICE (the backend or the guest's driver has written an error, or the
 * backend has closed or lost its nodes), NO_BACKEND (the backend's domain has ended), and those of libxl__await_step.
 */
int libxl__backend_wait_poll(libxl__ao *ao, libxl__backend_wait *wait, const libxl__device *device);
/* Returns LIBXL__AO_WAIT, or DEVICE if an error was written since the start, or an error of libxl__await_step. */
int libxl__backend_wait_errors(libxl__ao *ao, libxl__backend_wait *wait);

#endif
