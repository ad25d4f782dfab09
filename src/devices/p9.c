/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class p9: a directory of the backend's domain. The guest mounts the directory by the 9pfs protocol. A
 * QEMU serves it.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"
#include "host_file.h"

#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

static libxl_device_p9 *p9_of(const libxl__device *device)
{
    return device->config;
}

static int check(libxl__ao *ao, libxl__device *device)
{
    const libxl_device_p9 *p9 = p9_of(device);
    if (!p9->tag || !*p9->tag)
        return libxl__ao_fail(ao, ERROR_INVAL, "tag: missing");
    if (!p9->path || *p9->path != '/')
        return libxl__ao_fail(ao, ERROR_INVAL, p9->path ? "path: '%s' is not absolute" : "path: missing",
                              p9->path);
    if (p9->security_model && strcmp(p9->security_model, "none") != 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "security_model: '%s'; 'none' is the only one",
                              p9->security_model);
    device->devid = (uint32_t)p9->devid;
    strcpy(device->backend_kind, "9pfs");
    return 0;
}

/* Checks that the directory exists, because QEMU does not report a missing directory. */
static int probe_start(libxl__ao *ao, libxl__device *device)
{
    libxl__file_look *look = device->host;
    if (!libxl__device_is_served_here(device))
        return 0;
    *look = (libxl__file_look){.path = p9_of(device)->path, .read_only = true};
    const int rc = libxl__file_look_start(ao, look);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int probe_poll(libxl__ao *ao, libxl__device *device)
{
    libxl__file_look *look = device->host;
    const int rc = libxl__file_look_poll(ao, look, "path");
    if (rc || S_ISDIR(look->facts.mode))
        return rc;
    return libxl__ao_fail(ao, ERROR_INVAL, "path: %s is not a folder", p9_of(device)->path);
}

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl_device_p9 *p9 = p9_of(nodes->device);
    libxl__backend_key(nodes, "path", "%s", p9->path);
    libxl__backend_key(nodes, "security_model", "none");
    libxl__frontend_key(nodes, "tag", "%s", p9->tag);
}

static const char *const read_keys[] = {"path", "security_model", NULL};

static int read_config(const libxl__device *device, void *config, const char *const values[])
{
    enum { PATH, SECURITY_MODEL, TAG };
    libxl_device_p9 *p9 = config;
    (void)device;
    int rc = libxl__device_keep_text(&p9->path, values[PATH]);
    if (!rc)
        rc = libxl__device_keep_text(&p9->security_model, values[SECURITY_MODEL]);
    return rc ? rc : libxl__device_keep_text(&p9->tag, values[TAG]);
}

LIBXL__DEVICE_CONFIG(p9)
const libxl__device_class libxl__class_p9 = {
    LIBXL__DEVICE_ROW(p9, p9s, "9pfs"),
    .waits_for_backend = true,
    .closes_without_frontend = true,
    .host_size = sizeof(libxl__file_look),
    .check = check,
    .probe_start = probe_start,
    .probe_poll = probe_poll,
    .write = write_nodes,
    .read_keys = read_keys,
    .frontend_key = "tag",
    .read = read_config,
};
