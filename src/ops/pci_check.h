/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The check of PCI devices before they are given to a domain: the configurations, what the kernel knows about the
 * devices, and whether a domain has one of them. The check changes nothing. Call all functions with the context
 * locked.
 */
#ifndef LIBXL__PCI_CHECK_H
#define LIBXL__PCI_CHECK_H

#include "pci_device.h"

/*
 * One check. Embed this in the operation's state; zero-initialise it. Then set the members above the empty line. The
 * arrays are in the operation's memory.
 */
typedef struct libxl__pci_check {
    uint32_t domid;
    const libxl_device_pci *configs; /* the configurations of the devices, which the caller keeps */
    int config_count;
    bool replaces; /* see libxl__device.replaces */
    bool unmarked; /* a domain that a process makes or resets gives BUSY */

    /* The results: the functions of all these devices. */
    libxl__pci_function *functions;
    const libxl_device_pci **config_of; /* the configuration of each function */
    libxl__pci_nodes *nodes;            /* the nodes of each function, as they were read */
    uint32_t count;

    libxl__pci_search search;
    libxl__xs_batch *batch;
    libxl__pci_tree tree;
    libxl__pci_job look;
    enum { LIBXL__PCI_NAMING, LIBXL__PCI_LOOKING } step;
} libxl__pci_check;

/* Stores the type of a domain that can have PCI devices. Errors: NI (PVH), and those of libxl__hv_info. */
int libxl__pci_check_domain(libxl__ao *ao, uint32_t domid, libxl_domain_type *type);
/*
 * Call these from a phase's start and poll. They return LIBXL__AO_WAIT, 0, or an error that is recorded in ao: INVAL,
 * NOTFOUND, DEVICE_EXISTS, BUSY, NOT_ASSIGNABLE, DEVICE, NOMEM, PERMISSION, FAIL, and those of xenstore and the
 * hypervisor.
 */
int libxl__pci_check_start(libxl__ao *ao, libxl__pci_check *s);
int libxl__pci_check_poll(libxl__ao *ao, libxl__pci_check *s);

#endif
