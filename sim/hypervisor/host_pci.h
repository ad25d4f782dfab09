/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Simulates the parts of Linux and of Xen by which a guest gets PCI and USB devices of the host. /sys/bus/pci and
 * /sys/bus/usb are directories of the world (aioxen_sim/world.py), in which the devices and drivers are ordinary
 * directories.
 *
 * Lock: the caller holds machine->lock, unless the comment says otherwise.
 */
#ifndef AIOXEN_SIM_HOST_PCI_H
#define AIOXEN_SIM_HOST_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_FOLDER   "/sys/bus/pci"
#define USB_FOLDER   "/sys/bus/usb"
#define MAX_PCI      32 /* the greatest number of devices that domains other than domain 0 own */
#define PCI_BDF_SIZE 16

struct pci_owner {
    uint32_t sbdf;   /* the device, as in XEN_DOMCTL_assign_device */
    uint32_t domid;  /* the owner: a guest, or DOMID_IO */
    uint64_t serial; /* the owner's serial; 0: DOMID_IO */
};

struct xen_domctl;
struct domain;

/* pci.c. Carries out XEN_DOMCTL_assign_device, test_assign_device or deassign_device. Returns 0 or -errno. */
long do_domctl_pci(const struct xen_domctl *op);
/* The hypercall physdev_op: maps and unmaps the interrupts of devices. Returns 0 or -errno. */
long do_physdev_op(uint64_t cmd, void *arg);
/* Gives the devices of a domain that ends to DOMID_IO, as Xen does. */
void pci_release(const struct domain *d);

/*
 * host_pci.c. Marks a descriptor that was opened for writing below PCI_FOLDER or USB_FOLDER. Call without the lock.
 */
void host_pci_opened(int fd, const char *path, int flags);
/*
 * Carries out a write if `fd` is a marked descriptor. Stores the result, the number of octets or -errno.
 * Returns whether the write was carried out. Call without the lock.
 */
bool host_pci_write(int fd, const void *data, size_t size, long *result);
/*
 * host_usb.c. Carries out a write of the name of an interface into a file. `path` is relative to USB_FOLDER. Returns
 * 0 or an errno.
 */
int host_usb_write(const char *path, const char *interface);

#endif
