/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class disk: a virtual block device, served by the kernel (backend kind vbd) or by a QEMU (qdisk).
 *
 * The fast path serves a block device without a script: it writes physical-device, which is all that the kernel's
 * backend waits for, and the nodes that the script would write.
 *
 * Owns: nothing beyond the operation. Locks: the context's lock, held by the caller.
 */
#include "_libxl_types_internal.h"
#include "device.h"
#include "device_script.h"
#include "disk_share.h"
#include "host_file.h"
#include "host_loop.h"
#include "vdev.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/major.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEFAULT_SCRIPT "block"

enum { LONGEST_STEP_MS = 64, OPEN_LIMIT_MS = 1000, RELEASE_LIMIT_MS = 10000 };

typedef struct disk_host {
    libxl__file_look look;
    libxl__disk_share share; /* of a block device */
    libxl__device_script run;
    bool sharing;            /* the probe looks at `share` */
    libxl__loop_device loop; /* of a file */
    libxl__xs_batch *batch;  /* writes what the script would write */
    libxl__loop_keep keep;
    libxl__loop_release release;
    libxl__alarm alarm; /* of the next look, at something that nothing notifies of */
    unsigned waited_ms, step_ms;
    enum { TAKING, RUNNING, WRITING, KEEPING, OPENING } step; /* of online */
    int number;                                               /* offline: of the loop device */
} disk_host;

static libxl_device_disk *disk_of(const libxl__device *device)
{
    return device->config;
}

/* ---- check */

/* The name of a format in the node params, as QEMU's backend reads it. NULL: QEMU does not have it. */
static const char *qemu_format(libxl_disk_format format)
{
    switch (format) {
    case LIBXL_DISK_FORMAT_RAW: return "aio";
    case LIBXL_DISK_FORMAT_QCOW2: return "qcow2";
    case LIBXL_DISK_FORMAT_VHD: return "vhd";
    case LIBXL_DISK_FORMAT_QED: return "qed";
    default: return NULL;
    }
}

static bool by_qemu(const libxl__device *device)
{
    return disk_of(device)->backend == LIBXL_DISK_BACKEND_QDISK;
}

/* The kernel serves raw disks, QEMU the other formats. */
static int check_format(libxl__ao *ao, libxl_device_disk *disk)
{
    if (disk->format == LIBXL_DISK_FORMAT_UNKNOWN)
        disk->format = LIBXL_DISK_FORMAT_RAW;
    const bool raw = disk->format == LIBXL_DISK_FORMAT_RAW;
    if (!qemu_format(disk->format))
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
        rc = check_format(ao, disk);
    if (rc)
        return rc;
    if (!disk->pdev_path || !*disk->pdev_path)
        return libxl__ao_fail(ao, ERROR_INVAL, "pdev_path: missing");
    libxl_defbool_setdefault(&disk->discard_enable, disk->readwrite);
    libxl_defbool_setdefault(&disk->trusted, true);
    snprintf(device->backend_kind, sizeof(device->backend_kind), "%s", by_qemu(device) ? "qdisk" : "vbd");
    return 0;
}

/* ---- probe: a worker looks at the block device or file */

static bool has_default_script(const libxl_device_disk *disk)
{
    return !disk->script || !strcmp(disk->script, DEFAULT_SCRIPT) ||
           !strcmp(disk->script, LIBXL__SCRIPTS "/" DEFAULT_SCRIPT);
}

static int probe_start(libxl__ao *ao, libxl__device *device)
{
    disk_host *host = device->host;
    if (!has_default_script(disk_of(device)) || device->backend_domid)
        return 0; /* only the script, or the other domain, knows what pdev_path means */
    host->look.path = disk_of(device)->pdev_path;
    host->look.read_only = !disk_of(device)->readwrite;
    const int rc = libxl__file_look_start(ao, &host->look);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int probe_poll(libxl__ao *ao, libxl__device *device)
{
    disk_host *host = device->host;
    const libxl__file_facts *facts = &host->look.facts;
    int rc;
    if (host->sharing)
        return libxl__disk_share_poll(ao, &host->share, host->look.path);
    rc = libxl__file_look_poll(ao, &host->look, "pdev_path");
    if (rc || S_ISREG(facts->mode))
        return rc;
    if (facts->mounted == LIBXL__MOUNTED_WRITABLE || (facts->mounted && !host->look.read_only))
        return libxl__ao_fail(ao, ERROR_BUSY, "pdev_path: %s: it is mounted on this host", host->look.path);
    if (S_ISBLK(facts->mode)) {
        host->sharing = true;
        rc = libxl__disk_share_start(ao, &host->share, facts->device, !host->look.read_only);
        return rc ? rc : LIBXL__AO_WAIT;
    }
    return libxl__ao_fail(ao, ERROR_INVAL, "pdev_path: %s: neither a file nor a block device",
                          host->look.path);
}

/* ---- write */

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl_device_disk *disk = disk_of(nodes->device);
    const char *script = disk->script ? disk->script : DEFAULT_SCRIPT;
    const char *type = disk->is_cdrom ? "cdrom" : "disk";
    if (by_qemu(nodes->device)) {
        libxl__backend_key(nodes, "params", "%s:%s", qemu_format(disk->format), disk->pdev_path);
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

/* ---- read */

enum { PARAMS, SCRIPT, TYPE, DEV, MODE, DEVICE_TYPE, REMOVABLE, DISCARD, DIRECT_IO };
static const char *const read_keys[] = {"params",         "script",      "type",      "dev",
                                        "mode",           "device-type", "removable", "discard-enable",
                                        "direct-io-safe", NULL};

static bool is(const char *value, const char *wanted)
{
    return value && strcmp(value, wanted) == 0;
}

/* Splits FORMAT:PATH, as qemu's disks have it. Returns the path. */
static const char *split_params(const char *params, libxl_disk_format *format)
{
    static const struct {
        const char *prefix;
        libxl_disk_format format;
    } formats[] = {{"aio:", LIBXL_DISK_FORMAT_RAW},
                   {"qcow2:", LIBXL_DISK_FORMAT_QCOW2},
                   {"qcow:", LIBXL_DISK_FORMAT_QCOW},
                   {"vhd:", LIBXL_DISK_FORMAT_VHD},
                   {"qed:", LIBXL_DISK_FORMAT_QED}};
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (strncmp(params, formats[i].prefix, strlen(formats[i].prefix)) == 0) {
            *format = formats[i].format;
            return params + strlen(formats[i].prefix);
        }
    return params;
}

static int keep_text(char **to, const char *text)
{
    *to = text ? strdup(text) : NULL;
    return text && !*to ? ERROR_NOMEM : 0;
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
    if (values[DISCARD])
        libxl_defbool_set(&disk->discard_enable, is(values[DISCARD], "1"));
    int rc = keep_text(&disk->pdev_path, path);
    if (!rc)
        rc = keep_text(&disk->vdev, values[DEV]);
    if (!rc && script && !is(script, LIBXL__SCRIPTS "/" DEFAULT_SCRIPT))
        rc = keep_text(&disk->script, script);
    return rc;
}

/* ---- online: the kernel's backend learns the number of the block device, or of a loop device that has the file */

static int write_number(libxl__ao *ao, libxl__device *device)
{
    disk_host *host = device->host;
    const bool loop = *host->loop.path;
    host->step = WRITING;
    const dev_t number = loop ? makedev(LOOP_MAJOR, host->loop.number) : host->look.facts.device;
    char text[32];
    host->batch = libxl__xs_batch_new(ao, device->domid);
    if (!host->batch)
        return ERROR_NOMEM;
    snprintf(text, sizeof(text), "%x:%x", major(number), minor(number));
#define NODE(key, value)                                                                                     \
    libxl__xs_write(host->batch, LIBXL__XS_INHERITS, value, LIBXL__BACKEND "/" key, LIBXL__BACKEND_OF(device))
    libxl__xs_require(host->batch, ERROR_DOMAIN_DESTROYED, NULL, LIBXL__BACKEND "/state",
                      LIBXL__BACKEND_OF(device));
    if (loop)
        NODE("node", host->loop.path);
    NODE("physical-device-path", loop ? host->loop.path : host->look.path);
    NODE("physical-device", text);
    NODE("hotplug-status", "connected");
#undef NODE
    const int rc = libxl__xs_run(host->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Looks again later: after 1 ms, 2 ms, 4 ms ... Returns LIBXL__AO_WAIT, 0 when the waits have taken `limit_ms` together,
 * or an error.
 */
static int look_later(libxl__ao *ao, disk_host *host, unsigned limit_ms)
{
    if (host->alarm.source.ao && !host->alarm.rang)
        return LIBXL__AO_WAIT;
    if (host->waited_ms >= limit_ms)
        return 0;
    host->step_ms = host->step_ms ? host->step_ms * 2 : 1;
    if (host->step_ms > LONGEST_STEP_MS)
        host->step_ms = LONGEST_STEP_MS;
    host->waited_ms += host->step_ms;
    const int rc = libxl__alarm_set(ao, &host->alarm, LIBXL__MILLISECONDS(host->step_ms));
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Waits until the kernel's backend has opened the block device. If it cannot, it writes its error instead, which the
 * caller watches. Without /sys the wait ends after OPEN_LIMIT_MS.
 */
static int wait_opened(libxl__ao *ao, const libxl__device *device)
{
    disk_host *host = device->host;
    char path[80];
    snprintf(path, sizeof(path), "/sys/bus/xen-backend/devices/vbd-%u-%u/physical_device", device->domid,
             device->devid);
    host->step = OPENING;
    return !access(path, F_OK) ? 0 : look_later(ao, host, OPEN_LIMIT_MS);
}

/* The tree names the loop device now, so that whoever removes the disk can release the device. */
static int number_written(libxl__ao *ao, const libxl__device *device)
{
    disk_host *host = device->host;
    int rc = libxl__xs_result(host->batch);
    if (rc || !*host->loop.path)
        return rc ? rc : wait_opened(ao, device);
    host->step = KEEPING;
    rc = libxl__loop_keep_start(ao, &host->keep, host->loop.number);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int start_script(libxl__ao *ao, const libxl__device *device, const char *script, const char *action)
{
    disk_host *host = device->host;
    const char *path = libxl__device_script_path(ao, script);
    host->step = RUNNING;
    const int rc =
        path ? libxl__device_script_start(ao, &host->run, device, path, action, NULL) : ERROR_NOMEM;
    return rc ? rc : LIBXL__AO_WAIT;
}

static int online_start(libxl__ao *ao, libxl__device *device)
{
    disk_host *host = device->host;
    if (by_qemu(device))
        return 0;
    if (!host->look.path)
        return start_script(ao, device, disk_of(device)->script, "add");
    if (S_ISBLK(host->look.facts.mode))
        return write_number(ao, device);
    host->loop.file = host->look.path;
    host->loop.read_only = host->look.read_only;
    const int rc = libxl__loop_take(ao, &host->loop);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int online_poll(libxl__ao *ao, libxl__device *device)
{
    disk_host *host = device->host;
    int rc = 0;
    switch (host->step) {
    case TAKING:
        rc = libxl__loop_take_poll(ao, &host->loop, "pdev_path");
        return rc ? rc : write_number(ao, device);
    case RUNNING: rc = libxl__device_script_poll(ao, &host->run, device); break;
    case WRITING: return libxl__xs_done(host->batch) ? number_written(ao, device) : LIBXL__AO_WAIT;
    case KEEPING: rc = libxl__loop_keep_poll(ao, &host->keep); break;
    case OPENING: break;
    }
    return rc ? rc : wait_opened(ao, device);
}

/* The removal that follows waits until nobody has the loop device open. */
static int abandon(libxl__ao *ao, libxl__device *device)
{
    disk_host *host = device->host;
    libxl__loop_let_go(ao->ctx, &host->loop);
    return 0;
}

/* ---- offline: the loop device of a file is released, which this library or a script has taken, or another script is run */

enum { NODE_KEY, SCRIPT_KEY };
static const char *const offline_keys[] = {"node", "script", NULL};

static int offline_start(libxl__ao *ao, libxl__device *device)
{
    disk_host *host = device->host;
    const char *node = device->values[NODE_KEY], *script = device->values[SCRIPT_KEY];
    char rest;
    if (script && !is(script, LIBXL__SCRIPTS "/" DEFAULT_SCRIPT) && !access(script, X_OK))
        return start_script(ao, device, script, "remove");
    if (!node || sscanf(node, "/dev/loop%d%c", &host->number, &rest) != 1)
        return 0;
    const int rc = libxl__loop_release_start(ao, &host->release, host->number);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* The loop device is free when the backend has closed it, which it does after it has written that it is closed. */
static int offline_poll(libxl__ao *ao, libxl__device *device)
{
    disk_host *host = device->host;
    if (host->step == RUNNING)
        return libxl__device_script_poll(ao, &host->run, device);
    const int rc = libxl__loop_release_poll(ao, &host->release);
    if (rc || !libxl__loop_in_use(host->number))
        return rc;
    return look_later(ao, host, RELEASE_LIMIT_MS);
}

/* ---- the row */

LIBXL__DEVICE_CONFIG(disk)
const libxl__device_class libxl__class_disk = {
    LIBXL__DEVICE_ROW(disk, disks, "vbd"),
    .waits_for_backend = true,
    .closes_without_frontend = true,
    .host_size = sizeof(disk_host),
    .identify = identify,
    .number = number_of,
    .check = check,
    .probe_start = probe_start,
    .probe_poll = probe_poll,
    .write = write_nodes,
    .read_keys = read_keys,
    .read = read_config,
    .online_start = online_start,
    .online_poll = online_poll,
    .abandon = abandon,
    .offline_keys = offline_keys,
    .offline_start = offline_start,
    .offline_poll = offline_poll,
};
