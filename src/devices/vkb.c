/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class vkb: a paravirtual keyboard and pointer. A QEMU (backend kind vkbd) or a program that the
 * administrator starts (backend kind vinput) serves the device.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/*
 * The keys of a device, each with its member of libxl_device_vkb. The last key, unique_id, is not in this
 * list.
 */
#define FLAGS(X)                                                                                             \
    X("feature-disable-keyboard", feature_disable_keyboard)                                                  \
    X("feature-disable-pointer", feature_disable_pointer)                                                    \
    X("feature-abs-pointer", feature_abs_pointer)                                                            \
    X("feature-raw-pointer", feature_raw_pointer)                                                            \
    X("feature-multi-touch", feature_multi_touch)
#define NUMBERS(X)                                                                                           \
    X("multi-touch-width", multi_touch_width)                                                                \
    X("multi-touch-height", multi_touch_height)                                                              \
    X("multi-touch-num-contacts", multi_touch_num_contacts)                                                  \
    X("width", width)                                                                                        \
    X("height", height)

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl_device_vkb *vkb = vkb_of(nodes->device);
    if (vkb->unique_id)
        libxl__backend_key(nodes, "unique-id", "%s", vkb->unique_id);
#define WRITE(key, member)                                                                                   \
    if (vkb->member)                                                                                         \
        libxl__backend_key(nodes, key, "%u", (unsigned)vkb->member);
    FLAGS(WRITE)
    NUMBERS(WRITE)
#undef WRITE
}

#define KEY(key, member) key,
static const char *const read_keys[] = {FLAGS(KEY) NUMBERS(KEY) "unique-id", NULL};
#undef KEY

static int read_config(const libxl__device *device, void *config, const char *const values[])
{
    libxl_device_vkb *vkb = config;
    vkb->backend_type =
        strcmp(device->backend_kind, "vinput") ? LIBXL_VKB_BACKEND_QEMU : LIBXL_VKB_BACKEND_LINUX;
#define READ_FLAG(key, member)   vkb->member = *values && strcmp(*values, "1") == 0, values++;
#define READ_NUMBER(key, member) vkb->member = *values ? (uint32_t)strtoul(*values, NULL, 10) : 0, values++;
    FLAGS(READ_FLAG)
    NUMBERS(READ_NUMBER)
#undef READ_FLAG
#undef READ_NUMBER
    return libxl__device_keep_text(&vkb->unique_id, *values);
}

LIBXL__DEVICE_CONFIG(vkb)
const libxl__device_class libxl__class_vkb = {
    LIBXL__DEVICE_ROW(vkb, vkbs, "vkbd"),
    .waits_for_backend = true,
    .closes_without_frontend = true,
    .check = check,
    .write = write_nodes,
    .read_keys = read_keys,
    .read = read_config,
};
