/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces of the tests in sim/. */
#ifndef NIC_H
#define NIC_H

#include "harness.h"

/* Number 0. `bridge` NULL: the default. */
libxl_device_nic nic_of(const char *bridge);
/* Run the operation; each returns its result. nic_add() takes over the interface; the others are about number 0. */
int nic_add(scene *s, libxl_domid domid, libxl_device_nic nic);
int nic_remove(scene *s, libxl_domid domid);
int nic_destroy(scene *s, libxl_domid domid);
/* Returns whether the list of the interfaces of domain 0 contains this; the format has one domid. */
bool nic_has_link(const char *format, libxl_domid domid);
/* The guest's interfaces have no nodes in any of the trees, and domain 0 has none of its interfaces. */
void nic_check_gone(libxl_domid domid);

#endif
