/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that make and check disks, for the tests in sim/. disk_add(), disk_remove() and disk_destroy()
 * dispose of their argument `disk`. */
#ifndef DISK_H
#define DISK_H

#include "harness.h"

#define DISK_IMAGE "/run/disk.img"

/* Makes DISK_IMAGE, the file that holds the contents of a test's disk. */
void disk_make_image(void);
libxl_device_disk disk_of(const char *vdev, const char *path);
/* Each of these functions runs the operation that it is named after, and returns the operation's result. */
int disk_add(scene *s, libxl_domid domid, libxl_device_disk disk);
int disk_remove(scene *s, libxl_domid domid, libxl_device_disk disk);
int disk_destroy(scene *s, libxl_domid domid, libxl_device_disk disk);
/* Returns a new guest that has the disk xvda. */
libxl_domid guest_with_disk(scene *s, const char *command_line);
/* Fails the test if a disk of the guest has a node in any of its trees, or if an empty parent node
 * is left. */
void disk_check_gone(libxl_domid domid);
/* Waits until disk_check_gone() would succeed. */
void disk_wait_gone(scene *s, libxl_domid domid);
/* Returns the number of loop devices that have a file. */
int loop_count(void);

#endif
