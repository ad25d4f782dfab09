/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The devices with which a guest cannot be saved or migrated. Call all functions with the context locked. */
#ifndef LIBXL__SAVE_DEVICES_H
#define LIBXL__SAVE_DEVICES_H

#include "ops.h"

/*
 * Adds to the batch a request that reads the number of the domain's PCI devices. The state of such a device is in the
 * device, and Xen cannot read it.
 */
libxl__xs_request *libxl__save_pci_read(libxl__xs_batch *batch, uint32_t domid);
/*
 * Checks the answer to the request of libxl__save_pci_read. Errors: INVAL, recorded in ao, with the path of the node,
 * if the domain has PCI devices.
 */
int libxl__save_pci_check(libxl__ao *ao, const libxl__xs_request *pci);
/*
 * Checks that a domain that is to be migrated has no USB device of this host. At the receiver the same bus and address
 * would name another device. Errors: INVAL, recorded in ao, with the path of the device in the configuration.
 */
int libxl__migrate_usb_check(libxl__ao *ao, const libxl_domain_config *config);

#endif
