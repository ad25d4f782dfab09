/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl writes defaults into the device that a program adds. libvirt reads one of these values: which backend serves
 * a disk. Owns: nothing. Any thread may call these functions, without the context's lock.
 */
#include "dropin.h"

#include <libxl_utils.h>

int libxl_device_disk_add(libxl_ctx *ctx, uint32_t domid, const libxl_device_disk *disk,
                          const libxl_asyncop_how *how)
{
    const int rc = aioxen_device_disk_add(ctx, domid, disk, how);
    if (rc || how || disk->backend != LIBXL_DISK_BACKEND_UNKNOWN || !disk->vdev)
        return rc;
    libxl_device_disk added;
    libxl_device_disk_init(&added);
    /* The addition has succeeded, so a failure to read the disk is ignored. The backend then stays unknown. */
    if (!libxl_vdev_to_device_disk(ctx, domid, disk->vdev, &added))
        /* libxl's header has no `const` here, so programs pass a disk that may be written. */
        ((libxl_device_disk *)disk)->backend = added.backend;
    libxl_device_disk_dispose(&added);
    return 0;
}
