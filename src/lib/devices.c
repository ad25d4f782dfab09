/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions that return information about devices (_libxl_devices.h, libxl_utils.h). Most
 * are generated. Each runs operations of this library. Owns: nothing. Any thread may call these functions,
 * without the context's lock.
 */
#include "ops.h"
#include "vdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

/*
 * Stores the states of the device with this kind and number in *status. The caller owns the paths in *status.
 * status->kind is NULL. Errors: NOTFOUND, without an error message, and those of libxl_domain_list_devices.
 */
static int take_status(libxl_ctx *ctx, uint32_t domid, const char *kind, int devid,
                       libxl_device_status *status)
{
    libxl_device_status_list list;
    int rc = libxl_domain_list_devices(ctx, domid, &list, NULL);
    if (rc)
        return rc;
    rc = ERROR_NOTFOUND;
    for (int i = 0; i < list.num_devices && rc; i++) {
        libxl_device_status *at = &list.devices[i];
        if (devid < 0 || at->devid != (uint32_t)devid || strcmp(at->kind, kind) != 0)
            continue;
        *status = *at;
        status->kind = at->backend = at->frontend = NULL;
        rc = 0;
    }
    libxl_device_status_list_dispose(&list);
    return rc;
}

#include "_libxl_device_functions.h"

/* ---- what getinfo needs besides the states of a device */

static int disk_devid(const libxl_device_disk *disk)
{
    const int devid = disk->vdev ? libxl__vdev_number(disk->vdev) : -1;
    return devid < 0 ? libxl__refuse(ERROR_INVAL, "vdev: not the name of a virtual disk") : devid;
}

static int vtpm_more(libxl_ctx *ctx, uint32_t domid, const libxl_device_vtpm *vtpm, libxl_vtpminfo *vtpminfo)
{
    (void)ctx;
    (void)domid;
    vtpminfo->uuid = vtpm->uuid;
    return 0;
}

/* Runs domain_console_tty for a pseudo-terminal. The path stays NULL while QEMU has not made the terminal. */
static int channel_more(libxl_ctx *ctx, uint32_t domid, const libxl_device_channel *channel,
                        libxl_channelinfo *channelinfo)
{
    channelinfo->connection = channel->connection;
    if (channel->connection != LIBXL_CHANNEL_CONNECTION_PTY)
        return 0;
    const int rc = libxl_domain_console_tty(ctx, domid, (uint32_t)channel->devid, LIBXL_CONSOLE_TYPE_PV,
                                            &channelinfo->u.pty.path, NULL);
    return rc == ERROR_NOTFOUND ? 0 : rc;
}

/* ---- devices that are not identified by a number */

static bool has_number(const libxl_device_disk *disk, const void *wanted)
{
    return disk->vdev && libxl__vdev_number(disk->vdev) == *(const int *)wanted;
}

int libxl_vdev_to_device_disk(libxl_ctx *ctx, uint32_t domid, const char *vdev, libxl_device_disk *disk)
{
    const int number = libxl__vdev_number(vdev);
    if (number < 0)
        return libxl__refuse(ERROR_INVAL, "vdev: '%s' is not the name of a virtual disk", vdev);
    const int rc = find_disk(ctx, domid, has_number, &number, disk);
    return rc == ERROR_NOTFOUND ? libxl__refuse(rc, "domain %u has no disk %s", domid, vdev) : rc;
}

static bool has_address(const libxl_device_nic *nic, const void *wanted)
{
    return memcmp(nic->mac, wanted, sizeof(libxl_mac)) == 0;
}

int libxl_mac_to_device_nic(libxl_ctx *ctx, uint32_t domid, const char *mac, libxl_device_nic *nic)
{
    libxl_mac address;
    int end = 0;
    if (sscanf(mac, LIBXL_MAC_FMT "%n", &address[0], &address[1], &address[2], &address[3], &address[4],
               &address[5], &end) != 6 ||
        mac[end])
        return libxl__refuse(ERROR_INVAL, "mac: '%s' is not a MAC address", mac);
    const int rc = find_nic(ctx, domid, has_address, address, nic);
    return rc == ERROR_NOTFOUND ? libxl__refuse(rc, "domain %u has no nic with the address %s", domid, mac)
                                : rc;
}

static bool has_uuid(const libxl_device_vtpm *vtpm, const void *wanted)
{
    return libxl_uuid_compare(&vtpm->uuid, wanted) == 0;
}

int libxl_uuid_to_device_vtpm(libxl_ctx *ctx, uint32_t domid, libxl_uuid *uuid, libxl_device_vtpm *vtpm)
{
    const int rc = find_vtpm(ctx, domid, has_uuid, uuid, vtpm);
    return rc == ERROR_NOTFOUND ? libxl__refuse(rc, "domain %u has no vtpm with the UUID " LIBXL_UUID_FMT,
                                                domid, LIBXL_UUID_BYTES(*uuid))
                                : rc;
}
