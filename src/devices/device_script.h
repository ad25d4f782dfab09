/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs the hotplug script of a device whose backend is in this domain. The script gets the same arguments and
 * variables as from libxl. A script writes the node hotplug-status into the backend's tree. If the script
 * fails, it also writes the node hotplug-error.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__DEVICE_SCRIPT_H
#define LIBXL__DEVICE_SCRIPT_H

#include "device.h"
#include "host_script.h"

/* The greatest number of variables that a class adds. */
enum { LIBXL__SCRIPT_VARIABLES = 4 };

/* A run of a script. Embed it in the class's state. Zero-initialise it before each run. */
typedef struct libxl__device_script {
    /*
     * The environment variables of the class, as NAME=VALUE. The class sets them before the start. NULL ends
     * the list.
     */
    const char *variables[LIBXL__SCRIPT_VARIABLES + 1];

    libxl__script script;
    libxl__xs_batch *batch; /* reads hotplug-status and hotplug-error; NULL: the script is still running */
    const libxl__xs_request *status, *error;
    int rc; /* the script's result: 0 or an error */
} libxl__device_script;

/*
 * Returns the script's path, in the operation's memory. A name that does not begin with a slash is a file in
 * LIBXL__SCRIPTS. Returns NULL if there is no memory.
 */
const char *libxl__device_script_path(libxl__ao *ao, const char *script);

/*
 * Starts the script `path` with the arguments `action` and `argument`. `argument` NULL: only `action` is
 * passed. The texts must be valid until the operation ends. Errors, recorded in ao: SCRIPT (the script cannot
 * be started), FAIL, NOMEM.
 */
int libxl__device_script_start(libxl__ao *ao, libxl__device_script *run, const libxl__device *device,
                               const char *path, const char *action, const char *argument);
/*
 * Returns LIBXL__AO_WAIT until the script has ended and the nodes hotplug-status and hotplug-error were read. Then
 * returns 0 or an error. Errors, recorded in ao with the script's last line and hotplug-error: SCRIPT (the script has
 * failed, or was killed after 40 s), BUSY (the script reports that another domain uses the device), FAIL, and those
 * of xenstore.
 */
int libxl__device_script_poll(libxl__ao *ao, libxl__device_script *run, const libxl__device *device);

#endif
