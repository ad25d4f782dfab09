/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of a file. A class is a key whose value is a list of specifications. Each function below reads one
 * specification into a device. The caller has set the device's initial values. Call the functions on the thread that
 * uses the libxl__xl (xl.h), without a lock. Errors are recorded in x. The writers do not fail; errors of `out` are
 * found by the caller (ferror).
 */
#ifndef LIBXL__XL_DEVICES_H
#define LIBXL__XL_DEVICES_H

#include "spec.h"
#include "write.h"

void libxl__xl_read_disk(libxl__xl *x, libxl_device_disk *disk, const libxl__xl_text *spec);
void libxl__xl_read_nic(libxl__xl *x, libxl_device_nic *nic, const libxl__xl_text *spec);
void libxl__xl_read_pci(libxl__xl *x, libxl_device_pci *pci, const libxl__xl_text *spec);
void libxl__xl_read_p9(libxl__xl *x, libxl_device_p9 *p9, const libxl__xl_text *spec);
void libxl__xl_read_pvcallsif(libxl__xl *x, libxl_device_pvcallsif *device, const libxl__xl_text *spec);
void libxl__xl_read_vtpm(libxl__xl *x, libxl_device_vtpm *vtpm, const libxl__xl_text *spec);
void libxl__xl_read_channel(libxl__xl *x, libxl_device_channel *device, const libxl__xl_text *spec);
void libxl__xl_read_vkb(libxl__xl *x, libxl_device_vkb *vkb, const libxl__xl_text *spec);
void libxl__xl_read_vdispl(libxl__xl *x, libxl_device_vdispl *vdispl, const libxl__xl_text *spec);
void libxl__xl_read_usbctrl(libxl__xl *x, libxl_device_usbctrl *ctrl, const libxl__xl_text *spec);
void libxl__xl_read_usbdev(libxl__xl *x, libxl_device_usbdev *dev, const libxl__xl_text *spec);

/*
 * The readers of the keys of devices. Each reads all devices of one class. A row of the table of keys points
 * to one of these functions.
 */
libxl__xl_reader libxl__xl_disks, libxl__xl_nics, libxl__xl_pcis, libxl__xl_vfbs, libxl__xl_p9s,
    libxl__xl_vtpms, libxl__xl_pvcallsifs, libxl__xl_channels, libxl__xl_vkbs, libxl__xl_vdispls,
    libxl__xl_vsnds, libxl__xl_usbctrls, libxl__xl_usbdevs, libxl__xl_dtdevs;
/* ranges.c: the readers of the keys for the host's resources. */
libxl__xl_reader libxl__xl_ioports, libxl__xl_irqs, libxl__xl_iomem;

/*
 * Write the specification of a device. Leave out the values that equal those of a device with initial values.
 */
void libxl__xl_write_disk(FILE *out, const libxl_device_disk *disk);
void libxl__xl_write_nic(FILE *out, const libxl_device_nic *nic, int index);
void libxl__xl_write_vdispl(FILE *out, const libxl_device_vdispl *vdispl, const libxl_device_vdispl *base);
void libxl__xl_write_usbctrl(FILE *out, const libxl_device_usbctrl *ctrl, const libxl_device_usbctrl *base);
void libxl__xl_write_usbdev(FILE *out, const libxl_device_usbdev *dev, const libxl_device_usbdev *base);

/* The writers of the keys of devices. Each writes a key with its list of specifications. */
libxl__xl_writer libxl__xl_write_disks, libxl__xl_write_nics, libxl__xl_write_pcis, libxl__xl_write_vfbs,
    libxl__xl_write_p9s, libxl__xl_write_vtpms, libxl__xl_write_pvcallsifs, libxl__xl_write_channels,
    libxl__xl_write_vkbs, libxl__xl_write_vdispls, libxl__xl_write_vsnds, libxl__xl_write_usbctrls,
    libxl__xl_write_usbdevs, libxl__xl_write_dtdevs, libxl__xl_write_ioports, libxl__xl_write_irqs,
    libxl__xl_write_iomem;

/*
 * Write a list of `count` strings. The first function writes the beginning of the list. The second writes the
 * separator or the end of the list after string number `i`.
 */
void libxl__xl_begin_list(FILE *out, const char *key, int count);
void libxl__xl_next_item(FILE *out, int i, int count);

/*
 * Stores the next string of a list, which is *next, and moves *next to the item after it. Returns true, or
 * false at the end of the list. In xl, an item that is itself a list ends the list. This function does the
 * same, and records a message.
 */
bool libxl__xl_item(libxl__xl *x, const char *key, const libxl__xl_value **next, libxl__xl_text *out);

/* Returns whether the value of a key is a list. Records a message if the value is not a list. */
bool libxl__xl_is_list(libxl__xl *x, const char *key, const libxl__xl_text *text);

#endif
