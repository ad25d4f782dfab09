/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class vtpm: a virtual TPM, which another domain serves.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"

#include <stddef.h>
#include <string.h>

static libxl_device_vtpm *vtpm_of(const libxl__device *device)
{
    return device->config;
}

static int choose(libxl__ao *ao, void *config)
{
    libxl_device_vtpm *vtpm = config;
    if (libxl_uuid_is_nil(&vtpm->uuid))
        libxl_uuid_generate(&vtpm->uuid);
    if (libxl_uuid_is_nil(&vtpm->uuid))
        return libxl__ao_fail(ao, ERROR_FAIL, "uuid: no random number: %m");
    return 0;
}

static int check(libxl__ao *ao, libxl__device *device)
{
    (void)ao;
    device->devid = (uint32_t)vtpm_of(device)->devid;
    strcpy(device->backend_kind, "vtpm");
    return 0;
}

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl_device_vtpm *vtpm = vtpm_of(nodes->device);
    libxl__backend_key(nodes, "handle", "%u", nodes->device->devid);
    libxl__backend_key(nodes, "uuid", LIBXL_UUID_FMT, LIBXL_UUID_BYTES(vtpm->uuid));
    libxl__backend_key(nodes, "resume", "False");
    libxl__frontend_key(nodes, "handle", "%u", nodes->device->devid);
}

static const char *const read_keys[] = {"uuid", NULL};

/*
 * Reads the configuration from the nodes. If the node uuid does not have the form that this library writes,
 * the UUID is nil.
 */
static int read_config(const libxl__device *device, void *config, const char *const values[])
{
    libxl_device_vtpm *vtpm = config;
    (void)device;
    if (values[0] && libxl_uuid_from_string(&vtpm->uuid, values[0]))
        libxl_uuid_clear(&vtpm->uuid);
    return 0;
}

LIBXL__DEVICE_CONFIG(vtpm)
const libxl__device_class libxl__class_vtpm = {
    LIBXL__DEVICE_ROW(vtpm, vtpms, "vtpm"),
    .waits_for_backend = true,
    .closes_without_frontend = true,
    .choose = choose,
    .check = check,
    .write = write_nodes,
    .read_keys = read_keys,
    .read = read_config,
};
