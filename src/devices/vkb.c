/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class vkb: a paravirtual keyboard and pointer. A QEMU serves it, or a program that somebody else starts (backend
 * kind vinput).
 *
 * Owns: nothing beyond the operation. Locks: the context's lock, held by the caller.
 */
#include "_libxl_types_internal.h"
#include "device.h"

#include <stddef.h>
#include <stdio.h>

static libxl_device_vkb *vkb_of(const libxl__device *device)
{
    return device->config;
}

static int check(libxl__ao *ao, libxl__device *device)
{
    libxl_device_vkb *vkb = vkb_of(device);
    const bool foreign = vkb->backend_type == LIBXL_VKB_BACKEND_LINUX;
    if (foreign && !vkb->unique_id)
        return libxl__ao_fail(ao, ERROR_INVAL, "unique_id: missing; the backend finds the device by it");
    device->devid = (uint32_t)vkb->devid;
    snprintf(device->backend_kind, sizeof(device->backend_kind), "%s", foreign ? "vinput" : "vkbd");
    return 0;
}

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl_device_vkb *vkb = vkb_of(nodes->device);
    const struct {
        const char *key;
        uint32_t value;
    } numbers[] = {
        {"feature-disable-keyboard", vkb->feature_disable_keyboard},
        {"feature-disable-pointer", vkb->feature_disable_pointer},
        {"feature-abs-pointer", vkb->feature_abs_pointer},
        {"feature-raw-pointer", vkb->feature_raw_pointer},
        {"feature-multi-touch", vkb->feature_multi_touch},
        {"multi-touch-width", vkb->multi_touch_width},
        {"multi-touch-height", vkb->multi_touch_height},
        {"multi-touch-num-contacts", vkb->multi_touch_num_contacts},
        {"width", vkb->width},
        {"height", vkb->height},
    };
    if (vkb->unique_id)
        libxl__backend_key(nodes, "unique-id", "%s", vkb->unique_id);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if (numbers[i].value)
            libxl__backend_key(nodes, numbers[i].key, "%u", numbers[i].value);
}

LIBXL__DEVICE_CONFIG(vkb)
const libxl__device_class libxl__class_vkb = {
    LIBXL__DEVICE_ROW(vkb, vkbs, "vkbd"),
    .devid_at = offsetof(libxl_device_vkb, devid),
    .waits_for_backend = true,
    .closes_without_frontend = true,
    .check = check,
    .write = write_nodes,
};
