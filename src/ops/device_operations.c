/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table that names the class of devices for each operation.
 *
 * Owns: nothing. Locks: the context's lock, held by the caller.
 */
#include "device_operations.h"

#include <stddef.h>
#include <stdio.h>

static const struct device_operation {
    const libxl__device_class *cls;
    size_t config_at; /* the offset of the device's configuration in the operation's args */
} operations[LIBXL__OP_COUNT] = {
#define ROWS(NAME, name)                                                                                     \
    [LIBXL__OP_DEVICE_##NAME##                                                                               \
        _ADD] = {&libxl__class_##name, offsetof(libxl__device_##name##_add_args, in.name)},                  \
        [LIBXL__OP_DEVICE_##NAME##                                                                           \
            _REMOVE] = {&libxl__class_##name, offsetof(libxl__device_##name##_remove_args, in.name)},        \
    [LIBXL__OP_DEVICE_##NAME##                                                                               \
        _DESTROY] = {&libxl__class_##name, offsetof(libxl__device_##name##_destroy_args, in.name)},          \
    [LIBXL__OP_DOMAIN_LIST_##NAME##                                                                          \
        S] = {&libxl__class_##name, offsetof(libxl__domain_list_##name##s_args, out.list)},
    LIBXL__DEVICES(ROWS)
#undef ROWS
        [LIBXL__OP_DEVICE_DISK_SAFE_REMOVE] = {&libxl__class_disk,
                                               offsetof(libxl__device_disk_safe_remove_args, in.disk)},
};

void libxl__device_of_operation(libxl__ao *ao, libxl__device *device)
{
    const struct device_operation *operation = &operations[ao->cls - libxl__operations];
    *device = (libxl__device){.cls = operation->cls,
                              .domid = ao->subject.number,
                              .config = (char *)libxl__ao_args(ao) + operation->config_at};
    snprintf(device->kind, sizeof(device->kind), "%s", operation->cls->kind);
}
