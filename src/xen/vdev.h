/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Converts names of virtual disks to their numbers in xenstore (xen-vbd-interface(7)). */
#ifndef LIBXL__VDEV_H
#define LIBXL__VDEV_H

/*
 * Returns the number of a disk or partition, for example of "xvda", "xvdb2", "hdc", "sda1" or "d3p1". A name
 * that is a number is returned as that number. Returns -1 for any other text. Any thread may call the
 * function, locked or not.
 */
int libxl__vdev_number(const char *vdev);

#endif
