/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class disk: a virtual block device. The kernel (backend kind vbd) or a QEMU (qdisk) serves it. This
 * file handles the configuration and the nodes of a disk. disk_host.c connects a disk to this host.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"
#include "disk_host.h"
#include "vdev.h"

#include <stdio.h>
#include <string.h>

static libxl_device_disk *disk_of(const libxl__device *device)
{
    return device->config;
}

/* ---- check: the configuration of a disk */

/* The table of the formats that QEMU's backend reads, with their names in the node params. */
static const struct {
    const char *name;
    libxl_disk_format format;
    bool served; /* whether the QEMU that this library starts can serve the format */
} qemu_formats[] = {{"aio", LIBXL_DISK_FORMAT_RAW, true},
                    {"qcow2", LIBXL_DISK_FORMAT_QCOW2, true},
                    {"qcow", LIBXL_DISK_FORMAT_QCOW, false},
                    {"vhd", LIBXL_DISK_FORMAT_VHD, true},
                    {"qed", LIBXL_DISK_FORMAT_QED, true}};

enum { QEMU_FORMATS = sizeof(qemu_formats) / sizeof(*qemu_formats) };

const char *libxl__disk_format_name(libxl_disk_format format)
{
    for (unsigned i = 0; i < QEMU_FORMATS; i++)
        if (qemu_formats[i].format == format)
            return qemu_formats[i].served ? qemu_formats[i].name : NULL;
    return NULL;
}

static bool by_qemu(const libxl__device *device)
{
    return disk_of(device)->backend == LIBXL_DISK_BACKEND_QDISK;
}

/*
 * Checks the format, and chooses the backend: the kernel serves raw disks, and QEMU serves the other formats.
 */
static int check_format(libxl__ao *ao, libxl_device_disk *disk, bool hvm)
{
    const bool empty = !disk->pdev_path || !*disk->pdev_path;
    if (empty && disk->is_cdrom)
        disk->format = LIBXL_DISK_FORMAT_EMPTY;
    /* The device model changes the medium of a drive, so it also serves the drive's PV twin. */
    if (hvm && disk->is_cdrom)
        disk->backend = LIBXL_DISK_BACKEND_QDISK;
    if (disk->format == LIBXL_DISK_FORMAT_EMPTY && !disk->is_cdrom)
        return libxl__ao_fail(ao, ERROR_INVAL, "format: only the drive of a CD can be empty");
    if (disk->format == LIBXL_DISK_FORMAT_EMPTY && !empty)
        return libxl__ao_fail(ao, ERROR_INVAL, "pdev_path: an empty drive has none");
    if (empty && !disk->is_cdrom)
        return libxl__ao_fail(ao, ERROR_INVAL, "pdev_path: missing");
    if (disk->is_cdrom && disk->readwrite)
        return libxl__ao_fail(ao, ERROR_INVAL, "readwrite: the medium of a CD is read only");
    if (disk->format == LIBXL_DISK_FORMAT_UNKNOWN)
        disk->format = LIBXL_DISK_FORMAT_RAW;
    const bool raw = disk->format == LIBXL_DISK_FORMAT_RAW;
    if (!empty && !libxl__disk_format_name(disk->format))
        return libxl__ao_fail(ao, ERROR_NI, "format: %s is not implemented",
                              libxl_disk_format_to_string(disk->format));
    if (disk->backend == LIBXL_DISK_BACKEND_UNKNOWN)
        disk->backend = raw ? LIBXL_DISK_BACKEND_PHY : LIBXL_DISK_BACKEND_QDISK;
    if (disk->backend == LIBXL_DISK_BACKEND_PHY && !raw)
        return libxl__ao_fail(ao, ERROR_INVAL, "backend: phy has raw disks only, not %s",
                              libxl_disk_format_to_string(disk->format));
    if (disk->backend != LIBXL_DISK_BACKEND_PHY && disk->backend != LIBXL_DISK_BACKEND_QDISK)
        return libxl__ao_fail(ao, ERROR_NI, "backend: %s is not implemented; phy and qdisk are",
                              libxl_disk_backend_to_string(disk->backend));
    if (disk->backend == LIBXL_DISK_BACKEND_QDISK && disk->script)
        return libxl__ao_fail(ao, ERROR_INVAL, "script: a disk that QEMU serves has none");
    return 0;
}

/* Checks the fields for which this library supports only the values that libxl stores by default. */
static int check_supported(libxl__ao *ao, const libxl_device_disk *disk)
{
    const char *field = NULL;
    if (disk->specification != LIBXL_DISK_SPECIFICATION_UNKNOWN &&
        disk->specification != LIBXL_DISK_SPECIFICATION_XEN)
        field = "specification";
    else if (libxl_defbool_val(disk->colo_enable))
        field = "colo_enable";
    else if (libxl_defbool_val(disk->colo_restore_enable))
        field = "colo_restore_enable";
    return field ? libxl__ao_fail(ao, ERROR_NI, "%s: not implemented", field) : 0;
}

static int number_of(const void *config)
{
    const libxl_device_disk *disk = config;
    return disk->vdev ? libxl__vdev_number(disk->vdev) : -1;
}

static int identify(libxl__ao *ao, libxl__device *device)
{
    const libxl_device_disk *disk = disk_of(device);
    const int number = number_of(disk);
    if (!disk->vdev)
        return libxl__ao_fail(ao, ERROR_INVAL, "vdev: missing");
    if (number < 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "vdev: '%s' is not the name of a virtual disk", disk->vdev);
    device->devid = (uint32_t)number;
    return 0;
}

static int check(libxl__ao *ao, libxl__device *device)
{
    libxl_device_disk *disk = disk_of(device);
    int rc = identify(ao, device);
    if (!rc)
        rc = check_supported(ao, disk);
    if (!rc)
        rc = check_format(ao, disk, device->hvm);
    if (rc)
        return rc;
    device->unserved = disk->format == LIBXL_DISK_FORMAT_EMPTY;
    libxl_defbool_setdefault(&disk->discard_enable, disk->readwrite);
    libxl_defbool_setdefault(&disk->trusted, true);
    snprintf(device->backend_kind, sizeof(device->backend_kind), "%s", by_qemu(device) ? "qdisk" : "vbd");
    return 0;
}

/* ---- write: the nodes of a disk */

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl_device_disk *disk = disk_of(nodes->device);
    const char *script = disk->script ? disk->script : LIBXL__DISK_SCRIPT;
    const char *type = disk->is_cdrom ? "cdrom" : "disk";
    if (by_qemu(nodes->device)) {
        libxl__backend_key(nodes, "params", "%s:%s",
                           nodes->device->unserved ? "aio" : libxl__disk_format_name(disk->format),
                           nodes->device->unserved ? "" : disk->pdev_path);
    } else {
        libxl__backend_key(nodes, "params", "%s", disk->pdev_path);
        libxl__backend_key(nodes, "script", "%s%s", *script == '/' ? "" : LIBXL__SCRIPTS "/", script);
    }
    libxl__backend_key(nodes, "removable", "%d", disk->removable ? 1 : 0);
    libxl__backend_key(nodes, "bootable", "1");
    libxl__backend_key(nodes, "dev", "%s", disk->vdev);
    libxl__backend_key(nodes, "type", "%s", by_qemu(nodes->device) ? "qdisk" : "phy");
    libxl__backend_key(nodes, "mode", "%s", disk->readwrite ? "w" : "r");
    libxl__backend_key(nodes, "device-type", "%s", type);
    libxl__backend_key(nodes, "discard-enable", "%d", libxl_defbool_val(disk->discard_enable));
    if (disk->direct_io_safe)
        libxl__backend_key(nodes, "direct-io-safe", "1");
    libxl__backend_key(nodes, "specification", "xen");
    if (nodes->device->pv)
        libxl__frontend_key(nodes, "protocol", "x86_64-abi");
    libxl__frontend_key(nodes, "virtual-device", "%u", nodes->device->devid);
    libxl__frontend_key(nodes, "device-type", "%s", type);
    libxl__frontend_key(nodes, "trusted", "%d", libxl_defbool_val(disk->trusted));
}

/* ---- read: the configuration from the nodes */

enum { PARAMS, SCRIPT, TYPE, DEV, MODE, DEVICE_TYPE, REMOVABLE, DISCARD, DIRECT_IO };
static const char *const read_keys[] = {"params",         "script",      "type",      "dev",
                                        "mode",           "device-type", "removable", "discard-enable",
                                        "direct-io-safe", NULL};

static bool is(const char *value, const char *wanted)
{
    return value && strcmp(value, wanted) == 0;
}

/*
 * Splits the node params of QEMU's backend, which has the form FORMAT:PATH. Stores the format and returns the
 * path.
 */
static const char *split_params(const char *params, libxl_disk_format *format)
{
    for (unsigned i = 0; i < QEMU_FORMATS; i++) {
        const size_t length = strlen(qemu_formats[i].name);
        if (strncmp(params, qemu_formats[i].name, length) == 0 && params[length] == ':') {
            *format = qemu_formats[i].format;
            return params + length + 1;
        }
    }
    return params;
}

static int read_config(const libxl__device *device, void *config, const char *const values[])
{
    libxl_device_disk *disk = config;
    const char *path = values[PARAMS], *script = values[SCRIPT];
    (void)device;
    disk->format = path && *path ? LIBXL_DISK_FORMAT_RAW : LIBXL_DISK_FORMAT_EMPTY;
    if (is(values[TYPE], "qdisk") && path)
        path = split_params(path, &disk->format);
    if (path && !*path)
        disk->format = LIBXL_DISK_FORMAT_EMPTY;
    disk->backend = is(values[TYPE], "qdisk") ? LIBXL_DISK_BACKEND_QDISK : LIBXL_DISK_BACKEND_PHY;
    disk->readwrite = values[MODE] && values[MODE][0] == 'w';
    disk->is_cdrom = is(values[DEVICE_TYPE], "cdrom");
    disk->removable = is(values[REMOVABLE], "1");
    disk->direct_io_safe = is(values[DIRECT_IO], "1");
    libxl__device_keep_flag(&disk->discard_enable, values[DISCARD]);
    int rc = libxl__device_keep_text(&disk->pdev_path, path);
    if (!rc)
        rc = libxl__device_keep_text(&disk->vdev, values[DEV]);
    if (!rc && script && !is(script, LIBXL__DISK_SCRIPT))
        rc = libxl__device_keep_text(&disk->script, script);
    return rc;
}

/* ---- the row of the table of classes */

LIBXL__DEVICE_CONFIG(disk)
const libxl__device_class libxl__class_disk = {
    LIBXL__DEVICE_ROW_WITHOUT_DEVID(disk, disks, "vbd"),
    .waits_for_backend = true,
    .closes_without_frontend = true,
    .host_size = sizeof(libxl__disk_host),
    .identify = identify,
    .number = number_of,
    .check = check,
    .probe_start = libxl__disk_probe_start,
    .probe_poll = libxl__disk_probe_poll,
    .write = write_nodes,
    .read_keys = read_keys,
    .read = read_config,
    .online_start = libxl__disk_online_start,
    .online_poll = libxl__disk_online_poll,
    .abandon = libxl__disk_abandon,
    .offline_keys = libxl__disk_offline_keys,
    .offline_start = libxl__disk_offline_start,
    .offline_poll = libxl__disk_offline_poll,
};
