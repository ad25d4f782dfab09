/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of virtual disks, and the numbers that they have in xenstore (xen-vbd-interface(7)). */
#ifndef LIBXL__VDEV_H
#define LIBXL__VDEV_H

/*
 * The number of a disk or partition: "xvda", "xvdb2", "hdc", "sda1", "d3p1", or a number as it is. -1: none
 * of these. Needs no lock.
 */
int libxl__vdev_number(const char *vdev);

#endif
