/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_NAME_destroy: removes a device by force. A nested operation removes the device (device_detach.c).
 * The nested operation continues if the caller aborts this operation.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "device_operations.h"

typedef libxl__nested device_destroy_state;

static int detach_poll(libxl__ao *ao, libxl__nested *detach)
{
    return libxl__detach_poll(ao, detach);
}

static int detach_start(libxl__ao *ao, libxl__nested *detach)
{
    return libxl__detach_given(ao, detach, true);
}

#include "_libxl_phases_device_destroy.h"
