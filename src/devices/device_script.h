/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs the hotplug script of a device whose backend is in this domain, as libxl does: with the same arguments and
 * variables. A script writes hotplug-status, and if it fails hotplug-error, into the backend's tree.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__DEVICE_SCRIPT_H
#define LIBXL__DEVICE_SCRIPT_H

#include "device.h"
#include "host_script.h"

/* The greatest number of variables that a class adds. */
enum { LIBXL__SCRIPT_VARIABLES = 4 };

/* A run of a script. Embed it in the class's state; zero-initialise it, and again before the next run. */
typedef struct libxl__device_script {
    /* NAME=VALUE. The class sets them before the start. NULL ends the list. */
    const char *variables[LIBXL__SCRIPT_VARIABLES + 1];

    libxl__script script;
    libxl__xs_batch *batch; /* reads hotplug-status and hotplug-error; NULL: the script runs */
    const libxl__xs_request *status, *error;
    int rc; /* the script's result */
} libxl__device_script;

/* Returns the script's path, in the operation's memory. A name that does not begin with a slash is a file in LIBXL__SCRIPTS.
 * Returns NULL if there is no memory. */
const char *libxl__device_script_path(libxl__ao *ao, const char *script);

/*
 * Starts `path` with the argument `action` and with `argument`, unless that is NULL. The texts must be valid until the
 * operation ends. Errors, recorded in ao: SCRIPT (it cannot be started), FAIL, NOMEM.
 */
int libxl__device_script_start(libxl__ao *ao, libxl__device_script *run, const libxl__device *device,
                               const char *path, const char *action, const char *argument);
/*
 * Returns LIBXL__AO_WAIT until the script has ended and its two nodes were read; then 0 or an error. Errors, recorded in ao
 * with the script's last line and hotplug-error: SCRIPT (the script has failed, or was killed after 40 s), BUSY (the script
 * reports that another domain uses the device), FAIL, and those of xenstore.
 */
int libxl__device_script_poll(libxl__ao *ao, libxl__device_script *run, const libxl__device *device);

#endif
