/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plugs PCI devices into a domain's device model and unplugs them, by QMP. Call all functions with the context
 * locked.
 */
#ifndef LIBXL__PCI_MODEL_H
#define LIBXL__PCI_MODEL_H

#include "ops.h"
#include "pci_device.h"
#include "qmp.h"

/*
 * The greatest number of functions of one connection to QEMU, and the number of connections for LIBXL__PCI_MOST
 * functions.
 */
enum { LIBXL__PCI_AT_ONCE = LIBXL__QMP_COMMANDS, LIBXL__PCI_PULLS = LIBXL__PCI_MOST / LIBXL__PCI_AT_ONCE };

/*
 * PCI functions that are plugged into the device model or unplugged. Embed it in the operation's state;
 * zero-initialise it.
 */
typedef struct libxl__pci_model {
    libxl__qmp qmp;                     /* the commands that plug in, or unplug */
    libxl__qmp pulls[LIBXL__PCI_PULLS]; /* the commands that the undo sends; each element is one connection */
    libxl__alarm pause;                 /* ends the pause before QEMU is asked again which devices it has */
    libxl__pci_function *functions;
    uint32_t domid, count, done; /* `done`: the number of functions whose commands were sent */
    enum { LIBXL__PCI_PLUGGING, LIBXL__PCI_QUERYING, LIBXL__PCI_PULLING, LIBXL__PCI_PAUSING } step;
    unsigned pulled; /* the number of connections in `pulls` that were started */
} libxl__pci_model;

/*
 * Plug PCI functions in. Call libxl__pci_model_plug from a phase's start, and libxl__pci_model_plugged from its poll.
 * Both return LIBXL__AO_WAIT, 0 or an error. libxl__pci_model_plugged stores the device and function number that the
 * guest sees in the member `vdevfn` of each PCI function. Errors, recorded in ao: DEVICE_MODEL (the domain has no
 * device model), and those of libxl__qmp_poll.
 */
int libxl__pci_model_plug(libxl__ao *ao, libxl__pci_model *model, uint32_t domid,
                          libxl__pci_function *functions, uint32_t count);
int libxl__pci_model_plugged(libxl__ao *ao, libxl__pci_model *model);
/*
 * The undo of libxl__pci_model_plug, which has reserved the memory for it: the device model unplugs the PCI functions.
 * Waits until the device model has answered or has ended. Without this wait, a device model that answers late would
 * keep a device that it plugs in after the undo. Errors are ignored.
 */
int libxl__pci_model_pull(libxl__ao *ao, libxl__pci_model *model);
/*
 * Unplug PCI functions. The device model asks the guest to release them. Both calls return 0 when the device model
 * no longer has the PCI functions. Otherwise they are like libxl__pci_model_plug and libxl__pci_model_plugged.
 */
int libxl__pci_model_unplug(libxl__ao *ao, libxl__pci_model *model, uint32_t domid,
                            libxl__pci_function *functions, uint32_t count);
int libxl__pci_model_unplugged(libxl__ao *ao, libxl__pci_model *model);

#endif
