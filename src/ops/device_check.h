/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The check of a device before its nodes are written: the configuration, the backend's domain, the device's number,
 * and what the host has. The check changes nothing. The operation's class decides the class of the device. Call all
 * functions with the context locked.
 */
#ifndef LIBXL__DEVICE_CHECK_H
#define LIBXL__DEVICE_CHECK_H

#include "device_operations.h"

/* One check. Embed this in the operation's state, and set the members above the empty line. */
typedef struct libxl__device_check {
    libxl__device *device; /* libxl__device_check_start fills in this structure */
    /* If `adds` is set, the check stores a copy of the configuration here. */
    libxl__device_original *original;
    libxl__domain_source *server; /* the check starts this source if another domain serves the device */
    bool adds;                    /* the device is added to a domain that exists, not in a creation */
    bool replaces;                /* see libxl__device.replaces */

    libxl__name_search backend_name;
    libxl__xs_directory numbers;
    libxl__xs_batch *batch;
    enum { NAMING, NUMBERING, PROBING } step;
    bool chooses_number; /* the configuration has no number, so the check has chosen the next free number */
} libxl__device_check;

/*
 * Starts the check of the operation's device. Return LIBXL__AO_WAIT, 0, or an error that is recorded in ao: INVAL,
 * NI, NOTFOUND, DEVICE_EXISTS, BUSY, SCRIPT, FAIL, and those of xenstore and the hypervisor.
 */
int libxl__device_check_start(libxl__ao *ao, libxl__device_check *s);
int libxl__device_check_poll(libxl__ao *ao, libxl__device_check *s);

/* Records that the domain has the device already. Returns DEVICE_EXISTS. */
int libxl__device_exists(libxl__ao *ao, const libxl__device *device);

#endif
