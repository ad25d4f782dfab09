/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table that names the class of devices for each operation.
 *
 * Owns: nothing. The caller holds the context's lock.
 */
#include "device_operations.h"

#include <stddef.h>
#include <stdio.h>

static const struct device_operation {
    const libxl__device_class *cls;
    size_t config_at; /* the offset of the device's configuration in the operation's args */
} operations[LIBXL__OP_COUNT] = {
/*
 * Defines the row of an operation. `member` is the member of the operation's args that contains the device or
 * the list.
 */
#define ROW(OPERATION, operation, name, member)                                                              \
    [LIBXL__OP_##OPERATION] = {&libxl__class_##name, offsetof(libxl__##operation##_args, member)},
#define REMOVALS(NAME, name)                                                                                 \
    ROW(DEVICE_##NAME##_REMOVE, device_##name##_remove, name, in.name)                                       \
    ROW(DEVICE_##NAME##_DESTROY, device_##name##_destroy, name, in.name)
#define OTHERS(NAME, name)                                                                                   \
    ROW(DEVICE_##NAME##_ADD, device_##name##_add, name, in.name)                                             \
    ROW(DEVICE_##NAME##_CHECK, device_##name##_check, name, in.name)                                         \
    ROW(DOMAIN_LIST_##NAME##S, domain_list_##name##s, name, out.list)
    LIBXL__DEVICES(REMOVALS) LIBXL__ALL_DEVICES(OTHERS)
        ROW(DEVICE_DISK_SAFE_REMOVE, device_disk_safe_remove, disk, in.disk)
#undef ROW
#undef REMOVALS
#undef OTHERS
};

void libxl__device_of_operation(libxl__ao *ao, libxl__device *device)
{
    const struct device_operation *operation = &operations[ao->cls - libxl__operations];
    *device = (libxl__device){.cls = operation->cls,
                              .domid = ao->subject.number,
                              .config = (char *)libxl__ao_args(ao) + operation->config_at};
    snprintf(device->kind, sizeof(device->kind), "%s", operation->cls->kind);
}

int libxl__device_set_backend(libxl__ao *ao, libxl__device *device, const char *path)
{
    if (!path)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "domain %u has no %s %u", device->domid, device->kind,
                              device->devid);
    if (!libxl__device_parse_backend(device, path))
        return libxl__ao_fail(ao, ERROR_DEVICE,
                              LIBXL__TOOLSTACK "/backend: '%s' is not the path of a backend",
                              LIBXL__TOOLSTACK_OF(device), path);
    return 0;
}
