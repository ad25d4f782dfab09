/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes and checks network interfaces, for the tests in sim/. */
#ifndef NIC_H
#define NIC_H

#include "harness.h"

/* Returns an interface with the number 0. If `bridge` is NULL, the interface is on the default bridge. */
libxl_device_nic nic_of(const char *bridge);
/* Each of these functions runs the operation that it is named after, and returns the operation's result.
 * nic_add() disposes of `nic`. The other functions remove the interface with the number 0. */
int nic_add(scene *s, libxl_domid domid, libxl_device_nic nic);
int nic_remove(scene *s, libxl_domid domid);
int nic_destroy(scene *s, libxl_domid domid);
/* Returns whether domain 0 has an interface with this name. `format` is the name with a %u for the domid. */
bool nic_has_link(const char *format, libxl_domid domid);
/* Fails the test if an interface of the guest has a node in any of its trees, or if domain 0 still
 * has the interface. */
void nic_check_gone(libxl_domid domid);

#endif
