/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of a file: one class for each key whose value is a list of specifications. Each function reads one
 * specification into a device that has its initial value.
 */
#ifndef LIBXL__XL_DEVICES_H
#define LIBXL__XL_DEVICES_H

#include "spec.h"

void libxl__xl_read_disk(libxl__xl *x, libxl_device_disk *disk, const libxl__xl_text *spec);
void libxl__xl_read_nic(libxl__xl *x, libxl_device_nic *nic, const libxl__xl_text *spec);
void libxl__xl_read_pci(libxl__xl *x, libxl_device_pci *pci, const libxl__xl_text *spec);
void libxl__xl_read_p9(libxl__xl *x, libxl_device_p9 *p9, const libxl__xl_text *spec);

/* Reads one key of a class for all its devices. A row of the table of keys points to one of these functions. */
libxl__xl_reader libxl__xl_disks, libxl__xl_nics, libxl__xl_pcis, libxl__xl_vfbs, libxl__xl_p9s;

/*
 * Returns the next item of a list of strings, starting with *next; NULL: none is left. The end of a list is also where
 * an item is a list, which is recorded.
 */
bool libxl__xl_item(libxl__xl *x, const char *key, const libxl__xl_value **next, libxl__xl_text *out);

/* Returns whether the value of a key is a list, and records if it is not. */
bool libxl__xl_is_list(libxl__xl *x, const char *key, const libxl__xl_text *text);

#endif
