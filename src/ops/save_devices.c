/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The caller holds the context's lock. */
#include "save_devices.h"
#include "pci_device.h"

#include <string.h>

#define NUMBER LIBXL__PCI_BACKEND "/num_devs"

libxl__xs_request *libxl__save_pci_read(libxl__xs_batch *batch, uint32_t domid)
{
    return libxl__xs_read(batch, NUMBER, domid);
}

int libxl__save_pci_check(libxl__ao *ao, const libxl__xs_request *pci)
{
    const char *number = libxl__xs_value(pci);
    const uint32_t domid = ao->subject.number;
    if (!number || strcmp(number, "0") == 0)
        return 0;
    return libxl__ao_fail(ao, ERROR_INVAL,
                          "domid: domain %u has a PCI device (" NUMBER "), whose state cannot be saved",
                          domid, domid);
}

int libxl__migrate_usb_check(libxl__ao *ao, const libxl_domain_config *config)
{
    if (!config->num_usbdevs)
        return 0;
    return libxl__ao_fail(ao, ERROR_INVAL,
                          "usbdevs[0]: domain %u has a USB device of this host, which cannot move",
                          ao->subject.number);
}
