/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions that look at devices (libxl_devices.h, libxl_utils.h). Each calls an operation of this
 * library. Owns: nothing. Any thread may call these functions, without the context's lock.
 */
#include "ops.h"
#include "vdev.h"

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
    return list.devices; /* the caller frees it */
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

/* Moves the paths of `from` to `to`. */
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
