/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The PCI devices of this host, in /sys/bus/pci, and pciback, the driver that passes them to guests.
 *
 * All functions read or write files of sysfs, and can block: unbinding a driver or resetting a device may take
 * seconds. Call them on a worker, unlocked. They use only their arguments. Each function that returns `int`
 * returns 0, or an error whose message is stored in `why`.
 *
 * A device is named by its SBDF: the segment in the upper 16 bits, then the bus, the device (5 bits) and the
 * function (3 bits), as in Xen.
 */
#ifndef LIBXL__HOST_PCI_H
#define LIBXL__HOST_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host_sysfs.h"

#define LIBXL__PCI_FORMAT "%04x:%02x:%02x.%x"
/* The arguments of LIBXL__PCI_FORMAT. */
#define LIBXL__PCI_PARTS(sbdf) (sbdf) >> 16, (sbdf) >> 8 & 0xff, (sbdf) >> 3 & 0x1f, (sbdf)&7u

enum {
    LIBXL__PCI_BDF = 16,      /* the size of the name of a device, in octets */
    LIBXL__PCI_REGIONS = 7,   /* the regions of a device: six BARs and the ROM */
    LIBXL__PCI_FUNCTIONS = 8, /* the greatest number of functions of a device */
};

/* A range of addresses of a device. */
typedef struct libxl__pci_region {
    uint64_t start, size; /* the first address, and the size in octets; size 0: the region is not used */
    bool ports;           /* the addresses are I/O ports; otherwise they are memory */
} libxl__pci_region;

/* The kernel's information about a device. */
typedef struct libxl__pci_facts {
    bool exists;
    bool assignable;                  /* pciback is the device's driver */
    char driver[LIBXL__SYSFS_DRIVER]; /* the path of the driver's directory; "": no driver */
    unsigned irq;                     /* the number of the interrupt; 0: none */
    libxl__pci_region regions[LIBXL__PCI_REGIONS];
} libxl__pci_facts;

/* Stores the facts about a device. A device that does not exist is no error. Errors: PERMISSION, FAIL. */
int libxl__pci_look(uint32_t sbdf, libxl__pci_facts *facts, char why[LIBXL__SYSFS_WHY]);
/*
 * Stores the devices that are bound to pciback, in order of their SBDF, in a malloc'ed array. Without pciback
 * there are none. Errors: NOMEM, PERMISSION, FAIL.
 */
int libxl__pci_list(uint32_t **list, uint32_t *count, char why[LIBXL__SYSFS_WHY]);
/*
 * Binds a device to pciback. `driver`: the path of its present driver; "": none. If this fails, the device has
 * its driver again. Errors: NI (there is no pciback), PERMISSION, BUSY, FAIL.
 */
int libxl__pci_take(uint32_t sbdf, const char *driver, char why[LIBXL__SYSFS_WHY]);
/*
 * Unbinds a device from pciback, and binds it to a driver; "": to no driver. If pciback does not have the
 * device, only binds it to the driver. Errors: PERMISSION, BUSY, FAIL.
 */
int libxl__pci_give_back(uint32_t sbdf, const char *driver, char why[LIBXL__SYSFS_WHY]);
/* Resets a device, if the kernel can do that. Errors: PERMISSION, FAIL. */
int libxl__pci_reset(uint32_t sbdf, char why[LIBXL__SYSFS_WHY]);
/*
 * Lets the guest that has the device write the device's whole configuration space. Errors: PERMISSION, FAIL.
 */
int libxl__pci_permit_all(uint32_t sbdf, char why[LIBXL__SYSFS_WHY]);
/* Reads a name of the form DDDD:BB:DD.F. Returns whether the text has this form. Needs no worker. */
bool libxl__pci_parse(const char *name, uint32_t *sbdf);
/*
 * Returns whether the path has the form of a driver's directory. The path is in xenstore, where other programs
 * may write it.
 */
bool libxl__pci_is_driver(const char *path);

#endif
