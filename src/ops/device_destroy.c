/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_NAME_destroy: removes a device by force. The removal is an operation of its own (device_detach.c), which goes on
 * if the caller gives up.
 *
 * Owns: nothing beyond the operation. Locks: the context's lock, held by the caller.
 */
#include "device_operations.h"

typedef libxl__nested device_destroy_state;

static int detach_poll(libxl__ao *ao, libxl__nested *detach)
{
    return libxl__detach_poll(ao, detach);
}

static int detach_start(libxl__ao *ao, libxl__nested *detach)
{
    libxl__device device;
    xc_domaininfo_t info;
    libxl__device_of_operation(ao, &device);
    int rc = libxl__hv_info(ao, device.domid, &info);
    if (!rc)
        rc = libxl__device_identify(ao, &device);
    if (!rc)
        rc = libxl__detach_reserve(ao, detach, &device, true);
    if (rc)
        return rc;
    libxl__detach_recorded(detach);
    libxl__detach_start(detach);
    return detach_poll(ao, detach);
}

#include "_libxl_phases_device_destroy.h"
