/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_NAME_remove: asks the guest to release a device, and removes the device. A nested operation does both
 * (device_detach.c). The nested operation continues after this operation has ended. This operation ends first if the
 * guest refuses, if the guest does not answer in time, or if the caller aborts.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "device_operations.h"

typedef libxl__nested device_remove_state;

static int detach_poll(libxl__ao *ao, libxl__nested *detach)
{
    return libxl__detach_poll(ao, detach);
}

static int detach_start(libxl__ao *ao, libxl__nested *detach)
{
    return libxl__detach_given(ao, detach, false);
}

#include "_libxl_phases_device_remove.h"
