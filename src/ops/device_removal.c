/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The removal of a device as a part of other operations. Such an operation runs the hidden operation
 * device_detach as a nested operation. The nested operation continues if its parent ends first.
 *
 * Owns: nothing beyond the operations. The caller holds the context's lock.
 */
#include "device_operations.h"

#include <string.h>

int libxl__detach_fill(libxl__ao *child, uint32_t domid, const libxl_uuid *uuid, const char *kind,
                       uint32_t devid, bool force)
{
    libxl__device_detach_args *args = libxl__ao_args(child);
    child->subject.number = domid;
    child->subject.uuid = *uuid;
    args->in.domid = domid;
    args->in.devid = devid;
    args->in.force = force;
    args->in.kind = strdup(kind);
    return args->in.kind ? 0 : ERROR_NOMEM;
}

int libxl__detach_reserve(libxl__ao *parent, libxl__nested *detach, const libxl__device *device, bool force)
{
    libxl__ao *child = libxl__nested_create(parent, detach, &libxl__operations[LIBXL__OP_DEVICE_DETACH]);
    if (!child)
        return ERROR_NOMEM;
    detach->outlives = true;
    const int rc =
        libxl__detach_fill(child, device->domid, &parent->subject.uuid, device->kind, device->devid, force);
    return rc ? rc : libxl__detach_prepare(child, device);
}

void libxl__detach_abandon(libxl__nested *detach, bool abandoned)
{
    libxl__device_detach_args *args = libxl__ao_args(detach->child);
    args->in.abandoned = abandoned;
}

int libxl__detach_start(libxl__ao *parent, libxl__nested *detach)
{
    libxl__nested_start(detach);
    return libxl__detach_poll(parent, detach);
}

int libxl__detach_poll(libxl__ao *parent, const libxl__nested *detach)
{
    if (detach->done)
        return detach->rc;
    const char *refusal = libxl__detach_refusal(detach->child);
    if (!refusal)
        return LIBXL__AO_WAIT;
    return libxl__ao_fail(parent, ERROR_DEVICE_REFUSED, "the guest says: %s", refusal);
}

int libxl__detach_given(libxl__ao *parent, libxl__nested *detach, bool force)
{
    libxl__device device;
    xc_domaininfo_t info;
    libxl__device_of_operation(parent, &device);
    int rc = libxl__hv_info(parent, device.domid, &info);
    if (!rc)
        rc = libxl__device_identify(parent, &device);
    if (!rc)
        rc = libxl__detach_reserve(parent, detach, &device, force);
    if (rc)
        return rc;
    libxl__device_detach_args *args = libxl__ao_args(detach->child);
    args->in.recorded = true;
    return libxl__detach_start(parent, detach);
}
