/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HVM guests, and what their QEMU has. */
#ifndef HVM_H
#define HVM_H

#include "harness.h"

/* Makes an HVM guest that runs, and that can have PCI devices. */
libxl_domid hvm_guest(scene *s);
/* Returns whether the guest's QEMU has a PCI device, or a USB controller, with this name. */
bool hvm_has(scene *s, libxl_domid domid, const char *id);

#endif
