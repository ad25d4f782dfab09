/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions that look at devices. Included by libxl.h.
 *
 * Each is an operation of this library under libxl's name; the comment names the operation, which can also be called
 * asynchronously. Any thread may call the functions. libxl_error_message has the reason of an error. While one waits,
 * callbacks and event hooks may run on the calling thread, as in any synchronous call.
 */
#ifndef LIBXL_DEVICES_H
#define LIBXL_DEVICES_H

/*
 * domain_list_disks. Returns an array of the domain's disks and stores their number in *num. The caller frees the array
 * with libxl_device_disk_list_free. NULL: an error, or no disks.
 */
libxl_device_disk *libxl_device_disk_list(libxl_ctx *ctx, uint32_t domid, int *num);
void libxl_device_disk_list_free(libxl_device_disk *list, int num);
/*
 * domain_list_devices. Stores the states of the disk that disk->vdev names; the caller disposes of *diskinfo. Errors:
 * NOTFOUND, INVAL, and those of the operation.
 */
int libxl_device_disk_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_disk *disk,
                              libxl_diskinfo *diskinfo);

/*
 * domain_list_nics. Returns an array of the domain's network interfaces and stores their number in *num. The caller frees
 * the array with libxl_device_nic_list_free. NULL: an error, or no interfaces.
 */
libxl_device_nic *libxl_device_nic_list(libxl_ctx *ctx, uint32_t domid, int *num);
void libxl_device_nic_list_free(libxl_device_nic *list, int num);
/*
 * domain_list_devices. Stores the states of the interface with the number nic->devid; the caller disposes of *nicinfo.
 * Errors: NOTFOUND, and those of the operation.
 */
int libxl_device_nic_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_nic *nic,
                             libxl_nicinfo *nicinfo);

#endif
