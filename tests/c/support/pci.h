/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI devices of the simulated host, and guests that can have them. */
#ifndef PCI_H
#define PCI_H

#include <libxl.h>

/* Returns the configuration of a device of bus `bus`, with device 0. The caller disposes of it. */
static inline libxl_device_pci pci_of(uint8_t bus, uint8_t func)
{
    libxl_device_pci pci;
    libxl_device_pci_init(&pci);
    pci.bus = bus;
    pci.func = func;
    pci.vfunc_mask = 1;
    return pci;
}

/* Gives the devices that tests use back to their drivers. No domain may have them. */
void pci_return(libxl_ctx *ctx);

#endif
