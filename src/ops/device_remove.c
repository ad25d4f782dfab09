/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_NAME_remove: asks the guest to let a device go. The removal is an operation of its own (device_detach.c), which
 * goes on if the guest refuses, does not answer in time, or the caller gives up.
 *
 * Owns: nothing beyond the operation. Locks: the context's lock, held by the caller.
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
