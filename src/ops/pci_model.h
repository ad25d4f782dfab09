/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI devices of a domain's device model, by QMP. Call all functions with the context locked. */
#ifndef LIBXL__PCI_MODEL_H
#define LIBXL__PCI_MODEL_H

#include "ops.h"
#include "pci_device.h"
#include "qmp.h"

/* The functions of one connection to QEMU, and the connections that the greatest number of functions needs. */
enum { LIBXL__PCI_AT_ONCE = LIBXL__QMP_COMMANDS, LIBXL__PCI_PULLS = LIBXL__PCI_MOST / LIBXL__PCI_AT_ONCE };

/* Functions that are plugged in or unplugged. Embed it in the operation's state; zero-initialise it. */
typedef struct libxl__pci_model {
    libxl__qmp qmp;                     /* the commands that plug in, or unplug */
    libxl__qmp pulls[LIBXL__PCI_PULLS]; /* the commands of the undo, one connection after the other */
    libxl__alarm pause;                 /* the time until the next look */
    libxl__pci_function *functions;
    uint32_t domid, count, done; /* done: the functions that were sent to the device model */
    enum { LIBXL__PCI_PLUGGING, LIBXL__PCI_QUERYING, LIBXL__PCI_PULLING, LIBXL__PCI_PAUSING } step;
    unsigned pulled; /* the connections of the undo that were started */
} libxl__pci_model;

/*
 * Plug functions in. The first function is called from a phase's start, the second one from its poll. They
 * return LIBXL__AO_WAIT, 0 or an error. Stores where the guest sees each function in its `vdevfn`. Errors,
 * recorded in ao: DEVICE_MODEL (the domain has none), and those of libxl__qmp_poll.
 */
int libxl__pci_model_plug(libxl__ao *ao, libxl__pci_model *model, uint32_t domid,
                          libxl__pci_function *functions, uint32_t count);
int libxl__pci_model_plugged(libxl__ao *ao, libxl__pci_model *model);
/*
 * The undo of the two functions: the device model takes the functions out. Its memory was reserved by them. Waits
 * until the device model has answered or has ended, because it may answer late, and would keep a device that it
 * plugs in then. Errors are ignored.
 */
int libxl__pci_model_pull(libxl__ao *ao, libxl__pci_model *model);
/*
 * Unplug functions. The device model asks the guest to release them. These calls return 0 when the device model
 * no longer has the functions. Otherwise as libxl__pci_model_plug.
 */
int libxl__pci_model_unplug(libxl__ao *ao, libxl__pci_model *model, uint32_t domid,
                            libxl__pci_function *functions, uint32_t count);
int libxl__pci_model_unplugged(libxl__ao *ao, libxl__pci_model *model);

#endif
