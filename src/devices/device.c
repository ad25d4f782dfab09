/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of device classes, and the functions that read and write the three trees of a device of any
 * class.
 *
 * Owns: nothing. The caller holds the context's lock.
 */
#include "device.h"
#include "marks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The class of all unknown kinds. The nodes of such a device are removed without a request to the backend and
 * without a wait.
 */
static const libxl__device_class other = {.name = "other", .array = "", .kind = "", .stateless = true};

const libxl__device_class *const libxl__device_classes[] = {
    &libxl__class_disk,      &libxl__class_nic,     &libxl__class_p9,      &libxl__class_vfb,
    &libxl__class_vkb,       &libxl__class_vtpm,    &libxl__class_vdispl,  &libxl__class_vsnd,
    &libxl__class_pvcallsif, &libxl__class_channel, &libxl__class_usbctrl, NULL,
};

const libxl__device_class *libxl__device_class_of(const char *kind)
{
    for (const libxl__device_class *const *cls = libxl__device_classes; *cls; cls++)
        if (strcmp((*cls)->kind, kind) == 0)
            return *cls;
    return strcmp(kind, libxl__class_pci.kind) ? &other : &libxl__class_pci;
}

int libxl__device_number(const libxl__device_class *cls, const void *config)
{
    return cls->number ? cls->number(config) : *(const libxl_devid *)((const char *)config + cls->devid_at);
}

uint32_t libxl__device_next_number(const libxl__device_class *cls, const char *const *names, uint32_t count)
{
    uint32_t next = (uint32_t)cls->first_devid;
    for (uint32_t i = 0; i < count; i++) {
        unsigned number;
        if (sscanf(names[i], "%u", &number) == 1 && number < INT32_MAX && number >= next)
            next = number + 1;
    }
    return next;
}

/*
 * Gives numbers to the devices of one class that have none. The numbers are higher than all numbers that
 * other devices have.
 */
static void number_devices(const libxl__device_class *cls, char *configs, int count)
{
    libxl_devid next = cls->first_devid;
    for (int i = 0; i < count; i++) {
        const libxl_devid devid = libxl__device_number(cls, configs + (size_t)i * cls->config_size);
        if (devid >= next && devid < INT32_MAX)
            next = devid + 1;
    }
    for (int i = 0; i < count; i++) {
        libxl_devid *devid = (libxl_devid *)(configs + (size_t)i * cls->config_size + cls->devid_at);
        if (*devid < cls->first_devid)
            *devid = next++;
    }
}

int libxl__devices_complete(libxl__ao *ao, libxl_domain_config *config)
{
    int rc = 0;
    for (const libxl__device_class *const *at = libxl__device_classes; *at && !rc; at++) {
        const libxl__device_class *cls = *at;
        char *configs = *(char **)((char *)config + cls->config_at);
        const int count = *(int *)((char *)config + cls->count_at);
        if (!cls->number)
            number_devices(cls, configs, count);
        for (int i = 0; cls->choose && i < count && !rc; i++)
            rc = cls->choose(ao, configs + (size_t)i * cls->config_size);
    }
    return rc;
}

int libxl__device_identify(libxl__ao *ao, libxl__device *device)
{
    if (device->cls->identify)
        return device->cls->identify(ao, device);
    const libxl_devid devid = libxl__device_number(device->cls, device->config);
    if (devid < 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "devid: %d is not the number of a device", devid);
    device->devid = (uint32_t)devid;
    return 0;
}

bool libxl__device_set_emulated(libxl__device *device, const char *type)
{
    const char *emulated = device->cls->emulated_type;
    device->emulated = type && emulated && !strcmp(type, emulated);
    if (device->emulated) {
        device->backend_domid = 0;
        snprintf(device->backend_kind, sizeof(device->backend_kind), "%s", device->kind);
    }
    return device->emulated;
}

int libxl__device_reserve(libxl__ao *ao, libxl__device *device)
{
    device->host = libxl__gc_alloc(&ao->gc, device->cls->host_size);
    return device->host ? 0 : ERROR_NOMEM;
}

/* ---- writing the trees of a device */

void libxl__backend_key(const libxl__device_nodes *nodes, const char *key, const char *format, ...)
{
    const libxl__device *device = nodes->device;
    va_list args;
    va_start(args, format);
    const char *value = libxl__xs_text(nodes->batch, format, args);
    va_end(args);
    if (!device->emulated)
        libxl__xs_write(nodes->batch, LIBXL__XS_INHERITS, value, LIBXL__BACKEND "/%s",
                        LIBXL__BACKEND_OF(device), key);
    libxl__xs_write(nodes->batch, LIBXL__XS_INHERITS, value, LIBXL__TOOLSTACK "/%s",
                    LIBXL__TOOLSTACK_OF(device), key);
}

void libxl__frontend_key(const libxl__device_nodes *nodes, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *value = libxl__xs_text(nodes->batch, format, args);
    va_end(args);
    libxl__xs_write(nodes->batch, LIBXL__XS_INHERITS, value, LIBXL__FRONTEND "/%s",
                    LIBXL__FRONTEND_OF(nodes->device), key);
}

/* Writes the keys that only the device's class has. */
static void write_own_keys(const libxl__device_nodes *nodes)
{
    if (nodes->device->cls->write)
        nodes->device->cls->write(nodes);
}

void libxl__device_write(libxl__xs_batch *batch, const libxl__device *device, const libxl_uuid *uuid,
                         bool first)
{
    const libxl__device_nodes nodes = {.batch = batch, .device = device};
    libxl__xs_set_backend(batch, device->backend_domid);
    libxl__xs_require_domain(batch, uuid);
    libxl__xs_require_absent(batch, ERROR_DEVICE_EXISTS, LIBXL__TOOLSTACK, LIBXL__TOOLSTACK_OF(device));
    if (!first)
        libxl__mark_require_none(batch, uuid);
    if (device->emulated) {
        write_own_keys(&nodes);
        return;
    }
    libxl__xs_remove(batch, LIBXL__BACKEND, LIBXL__BACKEND_OF(device));
    libxl__xs_remove(batch, "/local/domain/%u/error/backend/%s/%u/%u", LIBXL__BACKEND_OF(device));
    if (!first) {
        libxl__xs_remove(batch, LIBXL__FRONTEND, LIBXL__FRONTEND_OF(device));
        libxl__xs_remove(batch, "/local/domain/%u/error/device/%s/%u", LIBXL__FRONTEND_OF(device));
    }
    libxl__xs_write(batch, LIBXL__XS_FRONTEND, "", LIBXL__FRONTEND, LIBXL__FRONTEND_OF(device));
    libxl__xs_write(batch, LIBXL__XS_BACKEND, "", LIBXL__BACKEND, LIBXL__BACKEND_OF(device));
#define LINK(path, key, target, ...)                                                                         \
    do {                                                                                                     \
        char value[LIBXL__DEVICE_PATH];                                                                      \
        snprintf(value, sizeof(value), target, __VA_ARGS__);                                                 \
        libxl__xs_write(batch, LIBXL__XS_INHERITS, value, path "/" key, path##_OF(device));                  \
    } while (0)
    LINK(LIBXL__TOOLSTACK, "frontend", LIBXL__FRONTEND, LIBXL__FRONTEND_OF(device));
    LINK(LIBXL__TOOLSTACK, "backend", LIBXL__BACKEND, LIBXL__BACKEND_OF(device));
    LINK(LIBXL__BACKEND, "frontend", LIBXL__FRONTEND, LIBXL__FRONTEND_OF(device));
    LINK(LIBXL__FRONTEND, "backend", LIBXL__BACKEND, LIBXL__BACKEND_OF(device));
#undef LINK
    write_own_keys(&nodes);
    libxl__backend_key(&nodes, "frontend-id", "%u", device->domid);
    libxl__backend_key(&nodes, "online", "1");
    libxl__frontend_key(&nodes, "backend-id", "%u", device->backend_domid);
    libxl__frontend_key(&nodes, "state", "1");
    libxl__backend_key(&nodes, "state", "1");
}

/* ---- removing the trees of a device */

void libxl__device_look_for_errors(libxl__xs_batch *batch, const libxl__device *device,
                                   libxl__device_removal *removal)
{
    removal->backend_errors = libxl__xs_read(batch, "/local/domain/%u/error/backend/%s/%u",
                                             device->backend_domid, device->backend_kind, device->domid);
    removal->frontend_errors = removal->ending ? NULL
                                               : libxl__xs_read(batch, "/local/domain/%u/error/device/%s",
                                                                device->domid, device->kind);
}

void libxl__device_errors_seen(libxl__device_removal *removal)
{
    removal->has_backend_errors = libxl__xs_value(removal->backend_errors);
    removal->has_frontend_errors = removal->frontend_errors && libxl__xs_value(removal->frontend_errors);
}

void libxl__device_read_parents(libxl__xs_batch *batch, const libxl__device *device,
                                const libxl__device_removal *removal)
{
    const uint32_t guest = device->domid, backend = device->backend_domid;
    libxl__xs_read(batch, "/local/domain/%u", backend);
    libxl__xs_read(batch, "/local/domain/%u/backend", backend);
    libxl__xs_read(batch, "/local/domain/%u/backend/%s", backend, device->backend_kind);
    if (removal->has_backend_errors) {
        libxl__xs_read(batch, "/local/domain/%u/error", backend);
        libxl__xs_read(batch, "/local/domain/%u/error/backend", backend);
        libxl__xs_read(batch, "/local/domain/%u/error/backend/%s", backend, device->backend_kind);
    }
    if (removal->has_frontend_errors) {
        libxl__xs_read(batch, "/local/domain/%u/error", guest);
        libxl__xs_read(batch, "/local/domain/%u/error/device", guest);
    }
    if (removal->ending)
        return;
    libxl__xs_read(batch, "/local/domain/%u/device", guest);
    libxl__xs_read(batch, "/libxl/%u", guest);
    libxl__xs_read(batch, "/libxl/%u/device", guest);
}

static void remove_errors(libxl__xs_batch *batch, const libxl__device *device,
                          const libxl__device_removal *removal)
{
    if (removal->has_backend_errors) {
        libxl__xs_remove(batch, "/local/domain/%u/error/backend/%s/%u/%u", LIBXL__BACKEND_OF(device));
        libxl__xs_prune(batch, 4, "/local/domain/%u/error/backend/%s/%u", device->backend_domid,
                        device->backend_kind, device->domid);
    }
    if (removal->has_frontend_errors) {
        libxl__xs_remove(batch, "/local/domain/%u/error/device/%s/%u", LIBXL__FRONTEND_OF(device));
        libxl__xs_prune(batch, 2, "/local/domain/%u/error/device/%s", device->domid, device->kind);
    }
}

void libxl__device_remove_nodes(libxl__xs_batch *batch, const libxl__device *device,
                                const libxl__device_removal *removal)
{
    libxl__xs_remove(batch, LIBXL__BACKEND, LIBXL__BACKEND_OF(device));
    libxl__xs_prune(batch, 3, "/local/domain/%u/backend/%s/%u", device->backend_domid, device->backend_kind,
                    device->domid);
    remove_errors(batch, device, removal);
    if (removal->ending) {
        /*
         * The toolstack's tree is removed later, together with those of all other devices. The backend of a stateless
         * device is already gone. If the toolstack's nodes of the device stayed, the device would be listed as
         * failed. So they are removed here.
         */
        if (device->cls->stateless)
            libxl__xs_remove(batch, LIBXL__TOOLSTACK, LIBXL__TOOLSTACK_OF(device));
        return;
    }
    libxl__xs_remove(batch, LIBXL__FRONTEND, LIBXL__FRONTEND_OF(device));
    libxl__xs_remove(batch, LIBXL__TOOLSTACK, LIBXL__TOOLSTACK_OF(device));
    libxl__xs_prune(batch, 1, "/local/domain/%u/device/%s", device->domid, device->kind);
    libxl__xs_prune(batch, 2, "/libxl/%u/device/%s", device->domid, device->kind);
}

/* ---- reading the nodes of a device */

bool libxl__device_parse_backend(libxl__device *device, const char *path)
{
    char again[LIBXL__DEVICE_PATH];
    uint32_t domid, devid;
    if (sscanf(path, "/local/domain/%u/backend/%31[^/]/%u/%u", &device->backend_domid, device->backend_kind,
               &domid, &devid) != 4)
        return false;
    snprintf(again, sizeof(again), LIBXL__BACKEND, LIBXL__BACKEND_OF(device));
    return strcmp(again, path) == 0;
}

int libxl__device_keep_text(char **to, const char *text)
{
    *to = text ? strdup(text) : NULL;
    return text && !*to ? ERROR_NOMEM : 0;
}

void libxl__device_keep_flag(libxl_defbool *to, const char *text)
{
    if (text)
        libxl_defbool_set(to, strcmp(text, "1") == 0);
}
