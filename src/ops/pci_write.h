/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the nodes of PCI devices that a domain gets. Call all functions with the context locked. */
#ifndef LIBXL__PCI_WRITE_H
#define LIBXL__PCI_WRITE_H

#include "await.h"
#include "pci_device.h"

/*
 * The nodes that are written in one transaction. Embed it in the operation's state; zero-initialise it. Then set
 * the members above the empty line.
 */
typedef struct libxl__pci_write {
    uint32_t domid;
    /*
     * The guest is PV and is not being created. If it has PCI devices already, its driver must attach the new ones, so
     * the backend must be connected first.
     */
    bool asks;
    bool creating; /* the domain is being created or reset by this operation's parent */
    const libxl__pci_function *functions;
    const libxl_device_pci **config_of; /* the configuration of each function */
    uint32_t count;

    libxl__pci_tree tree;
    libxl__await settled;
    libxl__xs_batch *batch;
    unsigned tries;
    enum { LIBXL__PCI_READING, LIBXL__PCI_SETTLING, LIBXL__PCI_WRITING } step;
    bool appended; /* a result: the domain had PCI devices before */
} libxl__pci_write;

/*
 * Call these from a phase's start and poll. The transaction is repeated if another program has changed the
 * backend's directory. Errors, recorded in ao: NOMEM, INVAL (too many functions), DEVICE_EXISTS,
 * GUEST_CANNOT_ANSWER, DOMAIN_DESTROYED, BUSY (a process makes or resets the domain), DEVICE, and those of libxl__xs_result.
 */
int libxl__pci_write_start(libxl__ao *ao, libxl__pci_write *write);
int libxl__pci_write_poll(libxl__ao *ao, libxl__pci_write *write);
/*
 * For the undo. Takes back a transaction that was not sent. Returns LIBXL__AO_WAIT until a transaction that was
 * sent has ended. Then stores in *written whether the nodes were written, and returns 0.
 */
int libxl__pci_write_end(libxl__pci_write *write, bool *written);

#endif
