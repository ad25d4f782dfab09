/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class pvcallsif: sockets that the backend's domain serves (PV Calls).
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"

#include <stddef.h>
#include <string.h>

static int check(libxl__ao *ao, libxl__device *device)
{
    const libxl_device_pvcallsif *pvcallsif = device->config;
    (void)ao;
    device->devid = (uint32_t)pvcallsif->devid;
    strcpy(device->backend_kind, "pvcalls");
    return 0;
}

LIBXL__DEVICE_CONFIG(pvcallsif)
const libxl__device_class libxl__class_pvcallsif = {
    LIBXL__DEVICE_ROW(pvcallsif, pvcallsifs, "pvcalls"),
    .waits_for_backend = true,
    .closes_without_frontend = true,
    .check = check,
};
