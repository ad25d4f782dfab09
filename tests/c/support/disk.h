/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks of the tests in sim/. The functions take over the disk that they are given. */
#ifndef DISK_H
#define DISK_H

#include "harness.h"

#define DISK_IMAGE "/run/disk.img"

/* Makes the file DISK_IMAGE. */
void disk_make_image(void);
libxl_device_disk disk_of(const char *vdev, const char *path);
/* Run the operation; each returns its result. */
int disk_add(scene *s, libxl_domid domid, libxl_device_disk disk);
int disk_remove(scene *s, libxl_domid domid, libxl_device_disk disk);
int disk_destroy(scene *s, libxl_domid domid, libxl_device_disk disk);
/* Returns a new guest that has the disk xvda. */
libxl_domid guest_with_disk(scene *s, const char *command_line);
/* The disks of the guest have no nodes in any of the trees, and their parents are gone, too. */
void disk_check_gone(libxl_domid domid);
/* Waits for that. */
void disk_wait_gone(scene *s, libxl_domid domid);
/* Returns the number of loop devices that have a file. */
int loop_count(void);

#endif
