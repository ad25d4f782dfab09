/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of a domain that is being created, and the QEMU that serves some of them: a part of the
 * operations of making.h. Call the functions with the context locked.
 */
#ifndef LIBXL__CREATE_DEVICES_H
#define LIBXL__CREATE_DEVICES_H

#include "build.h"
#include "device_model.h"
#include "device_operations.h"

/* Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__create_devices {
    libxl__device_groups groups;
    libxl__device_model model;
    bool needs_model;
    int rc; /* the first error of the additions and of QEMU; 0: none */
} libxl__create_devices;

/*
 * Starts QEMU, if a device needs it, and the additions of all devices. `saved` is the state of the QEMU of a saved
 * domain, or NULL; the caller keeps it. Continue with libxl__create_devices_poll. Errors, recorded in ao: those of
 * libxl__device_model_start and libxl__device_groups_start.
 */
int libxl__create_devices_start(libxl__ao *ao, libxl__create_devices *devices, const libxl__build *build,
                                libxl_domain_config *config, libxl__qemu_saved *saved);
/*
 * Returns LIBXL__AO_WAIT until QEMU and all additions have ended. Then returns 0 or the first error, recorded in ao.
 * The first error stops the start of QEMU and the other additions.
 */
int libxl__create_devices_poll(libxl__ao *ao, libxl__create_devices *devices);
/* Stops QEMU's start and the additions that have not ended. Call libxl__create_devices_poll again afterwards. */
void libxl__create_devices_stop(libxl__create_devices *devices);

/*
 * devices_agree.c: checks that no two devices of a configuration have the same number, and that each USB device gets a
 * port of a controller in the configuration. libxl__devices_complete must have completed the configuration. Errors,
 * recorded in ao: NOMEM, INVAL, NOTFOUND, NI, BUSY.
 */
int libxl__devices_agree(libxl__ao *ao, const libxl_domain_config *config);

#endif
