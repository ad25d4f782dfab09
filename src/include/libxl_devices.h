/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions that return information about devices. Included by libxl.h.
 *
 * Each function runs an operation of this library and waits for it. The function's comment begins with the
 * operation's name. The operation can also be called asynchronously. Any thread may call the functions. After
 * an error, libxl_error_message has the reason. While a function waits, callbacks and event hooks may run on
 * the calling thread, as in any synchronous call.
 */
#ifndef LIBXL_DEVICES_H
#define LIBXL_DEVICES_H

/*
 * Runs domain_list_disks. Returns an array of the domain's disks and stores their number in *num. The caller
 * frees the array with libxl_device_disk_list_free. Returns NULL after an error, and if there are no disks.
 */
libxl_device_disk *libxl_device_disk_list(libxl_ctx *ctx, uint32_t domid, int *num);
void libxl_device_disk_list_free(libxl_device_disk *list, int num);
/*
 * Runs domain_list_devices. Stores the states of the disk that disk->vdev names. The caller disposes of
 * *diskinfo. Errors: NOTFOUND, INVAL, and those of the operation.
 */
int libxl_device_disk_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_disk *disk,
                              libxl_diskinfo *diskinfo);

/*
 * Runs domain_list_nics. Returns an array of the domain's network interfaces and stores their number in *num.
 * The caller frees the array with libxl_device_nic_list_free. Returns NULL after an error, and if there are
 * no interfaces.
 */
libxl_device_nic *libxl_device_nic_list(libxl_ctx *ctx, uint32_t domid, int *num);
void libxl_device_nic_list_free(libxl_device_nic *list, int num);
/*
 * Runs domain_list_devices. Stores the states of the network interface with the number nic->devid. The caller
 * disposes of *nicinfo. Errors: NOTFOUND, and those of the operation.
 */
int libxl_device_nic_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_nic *nic,
                             libxl_nicinfo *nicinfo);

/*
 * Runs domain_list_vkbs. Returns an array of the domain's keyboards and pointers and stores their number in
 * *num. The caller frees the array with libxl_device_vkb_list_free. Returns NULL after an error, and if there
 * are no such devices.
 */
libxl_device_vkb *libxl_device_vkb_list(libxl_ctx *ctx, uint32_t domid, int *num);
void libxl_device_vkb_list_free(libxl_device_vkb *list, int num);
/*
 * Runs domain_list_devices. Stores the states of the device with the number vkb->devid. The caller disposes
 * of *vkbinfo. Errors: NOTFOUND, and those of the operation.
 */
int libxl_device_vkb_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_vkb *vkb,
                             libxl_vkbinfo *vkbinfo);

/*
 * Runs domain_list_channels. Returns an array of the domain's channels and stores their number in *num. The
 * caller frees the array with libxl_device_channel_list_free. Returns NULL after an error, and if there are
 * no channels.
 */
libxl_device_channel *libxl_device_channel_list(libxl_ctx *ctx, uint32_t domid, int *num);
void libxl_device_channel_list_free(libxl_device_channel *list, int num);
/*
 * Runs domain_list_channels, domain_list_devices and domain_console_tty. Stores the connection and the states
 * of the channel with the number channel->devid. The caller disposes of *channelinfo. Errors: NOTFOUND, and
 * those of the operations.
 */
int libxl_device_channel_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_channel *channel,
                                 libxl_channelinfo *channelinfo);

/*
 * Runs domain_list_vtpms. Returns an array of the domain's virtual TPMs and stores their number in *num. The
 * caller frees the array with libxl_device_vtpm_list_free. Returns NULL after an error, and if there are no
 * TPMs.
 */
libxl_device_vtpm *libxl_device_vtpm_list(libxl_ctx *ctx, uint32_t domid, int *num);
void libxl_device_vtpm_list_free(libxl_device_vtpm *list, int num);
/*
 * Runs domain_list_vtpms and domain_list_devices. Stores the UUID and the states of the TPM with the number
 * vtpm->devid. The caller disposes of *vtpminfo. Errors: NOTFOUND, and those of the operations.
 */
int libxl_device_vtpm_getinfo(libxl_ctx *ctx, uint32_t domid, const libxl_device_vtpm *vtpm,
                              libxl_vtpminfo *vtpminfo);

#endif
