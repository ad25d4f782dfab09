/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions that return information about devices (libxl_devices.h, libxl_utils.h). Each
 * runs an operation of this library. Owns: nothing. Any thread may call these functions, without the
 * context's lock.
 */
#include "ops.h"
#include "vdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

/* ---- lists of devices */

/* Defines libxl_device_NAME_list and libxl_device_NAME_list_free. */
#define LIST(name)                                                                                           \
    libxl_device_##name *libxl_device_##name##_list(libxl_ctx *ctx, uint32_t domid, int *num)                \
    {                                                                                                        \
        libxl_##name##_list list;                                                                            \
        *num = 0;                                                                                            \
        if (libxl_domain_list_##name##s(ctx, domid, &list, NULL))                                            \
            return NULL;                                                                                     \
        *num = list.num_devices;                                                                             \
        if (*num)                                                                                            \
            return list.devices;                                                                             \
        libxl_##name##_list_dispose(&list);                                                                  \
        return NULL;                                                                                         \
    }                                                                                                        \
    void libxl_device_##name##_list_free(libxl_device_##name *list, int num)                                 \
    {                                                                                                        \
        libxl_##name##_list_dispose(&(libxl_##name##_list){.devices = list, .num_devices = num});            \
    }

LIST(disk)
LIST(nic)
LIST(vkb)
LIST(vtpm)
LIST(channel)

/* ---- one device of a list */

/*
 * Defines find_NAME, which stores a copy of the first device for which `fits` returns true. Errors: NOTFOUND,
 * without an error message.
 */
#define FIND(name)                                                                                           \
    static int find_##name(libxl_ctx *ctx, uint32_t domid,                                                   \
                           bool (*fits)(const libxl_device_##name *, const void *), const void *wanted,      \
                           libxl_device_##name *found)                                                       \
    {                                                                                                        \
        libxl_##name##_list list;                                                                            \
        int rc = libxl_domain_list_##name##s(ctx, domid, &list, NULL);                                       \
        if (rc)                                                                                              \
            return rc;                                                                                       \
        rc = ERROR_NOTFOUND;                                                                                 \
        for (int i = 0; i < list.num_devices && rc; i++)                                                     \
            if (fits(&list.devices[i], wanted)) {                                                            \
                libxl_device_##name##_init(found);                                                           \
                libxl_device_##name##_copy(ctx, found, &list.devices[i]);                                    \
                rc = 0;                                                                                      \
            }                                                                                                \
        libxl_##name##_list_dispose(&list);                                                                  \
        return rc;                                                                                           \
    }

FIND(disk)
FIND(nic)
FIND(vkb)
FIND(vtpm)
FIND(channel)

#define IS_NUMBER(name)                                                                                      \
    static bool is_##name(const libxl_device_##name *name, const void *wanted)                               \
    {                                                                                                        \
        return name->devid >= 0 && name->devid == *(const int *)wanted;                                      \
    }
#define FIND_BY_NUMBER(name)                                                                                 \
    IS_NUMBER(name)                                                                                          \
    int libxl_devid_to_device_##name(libxl_ctx *ctx, uint32_t domid, int devid, libxl_device_##name *name)   \
    {                                                                                                        \
        const int rc = find_##name(ctx, domid, is_##name, &devid, name);                                     \
        return rc == ERROR_NOTFOUND ? libxl__refuse(rc, "domain %u has no " #name " %d", domid, devid) : rc; \
    }

FIND_BY_NUMBER(nic)
FIND_BY_NUMBER(vkb)
FIND_BY_NUMBER(vtpm)
IS_NUMBER(channel)

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

/* ---- the states of a device */

/*
 * Stores the states of the device with this kind and number in *status. The caller owns the paths in *status.
 * status->kind is NULL. Errors: NOTFOUND, and those of libxl_domain_list_devices.
 */
static int take_status(libxl_ctx *ctx, uint32_t domid, const char *kind, const char *class, int devid,
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
    return rc ? libxl__refuse(rc, "domain %u has no %s %d", domid, class, devid) : 0;
}

/* Initialises the members that all libxl_NAMEinfo structures have. */
#define INFO_OF(from, guest)                                                                                 \
    .backend = (from)->backend, .backend_id = (from)->backend_domid, .frontend = (from)->frontend,           \
    .frontend_id = (guest), .devid = (libxl_devid)(from)->devid, .state = (from)->frontend_state,            \
    .evtch = (from)->event_channel

int libxl_device_disk_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_disk *disk,
                              libxl_diskinfo *diskinfo)
{
    libxl_device_status status;
    const int number = disk->vdev ? libxl__vdev_number(disk->vdev) : -1;
    libxl_diskinfo_init(diskinfo);
    if (number < 0)
        return libxl__refuse(ERROR_INVAL, "vdev: not the name of a virtual disk");
    const int rc = take_status(ctx, domid, "vbd", "disk", number, &status);
    if (rc)
        return rc == ERROR_NOTFOUND ? libxl__refuse(rc, "domain %u has no disk %s", domid, disk->vdev) : rc;
    *diskinfo = (libxl_diskinfo){INFO_OF(&status, domid), .rref = status.ring_ref};
    return 0;
}

int libxl_device_nic_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_nic *nic,
                             libxl_nicinfo *nicinfo)
{
    libxl_device_status status;
    libxl_nicinfo_init(nicinfo);
    const int rc = take_status(ctx, domid, "vif", "nic", nic->devid, &status);
    if (!rc)
        *nicinfo = (libxl_nicinfo){INFO_OF(&status, domid), .rref_tx = status.ring_ref,
                                   .rref_rx = status.rx_ring_ref};
    return rc;
}

int libxl_device_vkb_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_vkb *vkb,
                             libxl_vkbinfo *vkbinfo)
{
    libxl_device_status status;
    libxl_vkbinfo_init(vkbinfo);
    const int rc = take_status(ctx, domid, "vkbd", "vkb", vkb->devid, &status);
    if (!rc)
        *vkbinfo = (libxl_vkbinfo){INFO_OF(&status, domid), .rref = status.ring_ref};
    return rc;
}

int libxl_device_vtpm_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_vtpm *vtpm,
                              libxl_vtpminfo *vtpminfo)
{
    libxl_device_status status;
    libxl_device_vtpm found;
    libxl_vtpminfo_init(vtpminfo);
    int rc = libxl_devid_to_device_vtpm(ctx, domid, vtpm->devid, &found);
    if (rc)
        return rc;
    rc = take_status(ctx, domid, "vtpm", "vtpm", vtpm->devid, &status);
    if (!rc)
        *vtpminfo = (libxl_vtpminfo){INFO_OF(&status, domid), .rref = status.ring_ref, .uuid = found.uuid};
    libxl_device_vtpm_dispose(&found);
    return rc;
}

/* Stores the path of a channel's terminal. Stores NULL while QEMU has not made the terminal. */
static int take_terminal(libxl_ctx *ctx, uint32_t domid, libxl_devid devid, char **path)
{
    const int rc = libxl_domain_console_tty(ctx, domid, (uint32_t)devid, LIBXL_CONSOLE_TYPE_PV, path, NULL);
    return rc == ERROR_NOTFOUND ? 0 : rc;
}

int libxl_device_channel_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_channel *channel,
                                 libxl_channelinfo *channelinfo)
{
    libxl_device_status status;
    libxl_device_channel found;
    libxl_channelinfo_init(channelinfo);
    int rc = find_channel(ctx, domid, is_channel, &channel->devid, &found);
    if (rc)
        return rc == ERROR_NOTFOUND ? libxl__refuse(rc, "domain %u has no channel %d", domid, channel->devid)
                                    : rc;
    rc = take_status(ctx, domid, "console", "channel", channel->devid, &status);
    if (!rc)
        *channelinfo = (libxl_channelinfo){INFO_OF(&status, domid), .rref = status.ring_ref,
                                           .connection = found.connection};
    if (!rc && found.connection == LIBXL_CHANNEL_CONNECTION_PTY)
        rc = take_terminal(ctx, domid, channel->devid, &channelinfo->u.pty.path);
    libxl_device_channel_dispose(&found);
    if (rc)
        libxl_channelinfo_dispose(channelinfo);
    return rc;
}
