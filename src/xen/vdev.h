/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of virtual disks, and the numbers that they have in xenstore (xen-vbd-interface(7)). */
#ifndef LIBXL__VDEV_H
#define LIBXL__VDEV_H

/*
 * Returns the number of a disk or partition: "xvda", "xvdb2", "hdc", "sda1", "d3p1", or a number, which stands for itself.
 * Returns -1 for anything else. Any thread, locked or not.
 */
int libxl__vdev_number(const char *vdev);

#endif
