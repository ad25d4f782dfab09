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

libxl_device_disk *libxl_device_disk_list(libxl_ctx *ctx, uint32_t domid, int *num)
{
    libxl_disk_list list;
    *num = 0;
    if (libxl_domain_list_disks(ctx, domid, &list, NULL))
        return NULL;
    *num = list.num_devices;
    if (!*num) {
        libxl_disk_list_dispose(&list);
        return NULL;
    }
    return list.devices; /* the caller frees the array */
}

void libxl_device_disk_list_free(libxl_device_disk *list, int num)
{
    libxl_disk_list_dispose(&(libxl_disk_list){.devices = list, .num_devices = num});
}

int libxl_vdev_to_device_disk(libxl_ctx *ctx, uint32_t domid, const char *vdev, libxl_device_disk *disk)
{
    libxl_disk_list list;
    const int number = libxl__vdev_number(vdev);
    if (number < 0)
        return libxl__refuse(ERROR_INVAL, "vdev: '%s' is not the name of a virtual disk", vdev);
    int rc = libxl_domain_list_disks(ctx, domid, &list, NULL);
    if (rc)
        return rc;
    rc = ERROR_NOTFOUND;
    for (int i = 0; i < list.num_devices && rc == ERROR_NOTFOUND; i++)
        if (list.devices[i].vdev && libxl__vdev_number(list.devices[i].vdev) == number) {
            libxl_device_disk_init(disk);
            libxl_device_disk_copy(ctx, disk, &list.devices[i]);
            rc = 0;
        }
    libxl_disk_list_dispose(&list);
    return rc ? libxl__refuse(rc, "domain %u has no disk %s", domid, vdev) : 0;
}

/* Converts a device's state to libxl's structure. The strings of `from` are moved to `to`. */
static void take(libxl_device_status *from, uint32_t domid, libxl_diskinfo *to)
{
    *to = (libxl_diskinfo){.backend = from->backend,
                           .backend_id = from->backend_domid,
                           .frontend = from->frontend,
                           .frontend_id = domid,
                           .devid = (libxl_devid)from->devid,
                           .state = from->frontend_state,
                           .evtch = from->event_channel,
                           .rref = from->ring_ref};
    from->backend = from->frontend = NULL;
}

int libxl_device_disk_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_disk *disk,
                              libxl_diskinfo *diskinfo)
{
    libxl_device_status_list list;
    const int number = disk->vdev ? libxl__vdev_number(disk->vdev) : -1;
    libxl_diskinfo_init(diskinfo);
    if (number < 0)
        return libxl__refuse(ERROR_INVAL, "vdev: not the name of a virtual disk");
    int rc = libxl_domain_list_devices(ctx, domid, &list, NULL);
    if (rc)
        return rc;
    rc = ERROR_NOTFOUND;
    for (int i = 0; i < list.num_devices && rc; i++)
        if (list.devices[i].devid == (uint32_t)number && strcmp(list.devices[i].kind, "vbd") == 0) {
            take(&list.devices[i], domid, diskinfo);
            rc = 0;
        }
    libxl_device_status_list_dispose(&list);
    return rc ? libxl__refuse(rc, "domain %u has no disk %s", domid, disk->vdev) : 0;
}

/* ---- network interfaces */

libxl_device_nic *libxl_device_nic_list(libxl_ctx *ctx, uint32_t domid, int *num)
{
    libxl_nic_list list;
    *num = 0;
    if (libxl_domain_list_nics(ctx, domid, &list, NULL))
        return NULL;
    *num = list.num_devices;
    if (!*num) {
        libxl_nic_list_dispose(&list);
        return NULL;
    }
    return list.devices; /* the caller frees the array */
}

void libxl_device_nic_list_free(libxl_device_nic *list, int num)
{
    libxl_nic_list_dispose(&(libxl_nic_list){.devices = list, .num_devices = num});
}

/*
 * Stores the first network interface with this devid. If `devid` is negative, stores the first one with this
 * MAC address.
 */
static int find_nic(libxl_ctx *ctx, uint32_t domid, int devid, const libxl_mac mac, libxl_device_nic *nic)
{
    libxl_nic_list list;
    int rc = libxl_domain_list_nics(ctx, domid, &list, NULL);
    if (rc)
        return rc;
    rc = ERROR_NOTFOUND;
    for (int i = 0; i < list.num_devices && rc; i++) {
        const libxl_device_nic *at = &list.devices[i];
        if (devid >= 0 ? at->devid == devid : !memcmp(at->mac, mac, sizeof(libxl_mac))) {
            libxl_device_nic_init(nic);
            libxl_device_nic_copy(ctx, nic, at);
            rc = 0;
        }
    }
    libxl_nic_list_dispose(&list);
    return rc;
}

int libxl_mac_to_device_nic(libxl_ctx *ctx, uint32_t domid, const char *mac, libxl_device_nic *nic)
{
    libxl_mac address;
    int end = 0;
    if (sscanf(mac, LIBXL_MAC_FMT "%n", &address[0], &address[1], &address[2], &address[3], &address[4],
               &address[5], &end) != 6 ||
        mac[end])
        return libxl__refuse(ERROR_INVAL, "mac: '%s' is not a MAC address", mac);
    const int rc = find_nic(ctx, domid, -1, address, nic);
    return rc == ERROR_NOTFOUND ? libxl__refuse(rc, "domain %u has no nic with the address %s", domid, mac)
                                : rc;
}

int libxl_devid_to_device_nic(libxl_ctx *ctx, uint32_t domid, int devid, libxl_device_nic *nic)
{
    const int rc = devid < 0 ? ERROR_NOTFOUND : find_nic(ctx, domid, devid, NULL, nic);
    return rc == ERROR_NOTFOUND ? libxl__refuse(rc, "domain %u has no nic %d", domid, devid) : rc;
}

int libxl_device_nic_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_nic *nic,
                             libxl_nicinfo *nicinfo)
{
    libxl_device_status_list list;
    libxl_nicinfo_init(nicinfo);
    int rc = libxl_domain_list_devices(ctx, domid, &list, NULL);
    if (rc)
        return rc;
    rc = ERROR_NOTFOUND;
    for (int i = 0; i < list.num_devices && rc; i++) {
        libxl_device_status *from = &list.devices[i];
        if (nic->devid < 0 || from->devid != (uint32_t)nic->devid || strcmp(from->kind, "vif") != 0)
            continue;
        *nicinfo = (libxl_nicinfo){.backend = from->backend,
                                   .backend_id = from->backend_domid,
                                   .frontend = from->frontend,
                                   .frontend_id = domid,
                                   .devid = nic->devid,
                                   .state = from->frontend_state,
                                   .evtch = from->event_channel,
                                   .rref_tx = from->ring_ref,
                                   .rref_rx = from->rx_ring_ref};
        from->backend = from->frontend = NULL; /* the strings belong to *nicinfo now */
        rc = 0;
    }
    libxl_device_status_list_dispose(&list);
    return rc ? libxl__refuse(rc, "domain %u has no nic %d", domid, nic->devid) : 0;
}
