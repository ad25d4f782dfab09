/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of sysfs that host_pci.c and host_usb.c share: the drivers of devices, and their files bind and unbind.
 *
 * All functions except libxl__sysfs_is_driver can block. Call them on a worker, unlocked. They use only their
 * arguments. Each function that returns `int` returns 0, or an error whose message is stored in `why`.
 */
#ifndef LIBXL__HOST_SYSFS_H
#define LIBXL__HOST_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    LIBXL__SYSFS_WHY = 224,    /* the size of a message, in octets */
    LIBXL__SYSFS_DRIVER = 160, /* the size of the path of a driver's directory, in octets */
};

/* Stores a message. Returns `rc`. */
int libxl__sysfs_fail(char why[LIBXL__SYSFS_WHY], int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Stores the message about a call on a file of sysfs that has failed with errno. Returns PERMISSION, BUSY, NOMEM
 * or FAIL, and never INVAL, because the application has not chosen the path.
 */
int libxl__sysfs_fail_errno(char why[LIBXL__SYSFS_WHY], const char *path);
/* Writes a text into the file DIRECTORY/NAME. Errors: those of libxl__sysfs_fail_errno. */
int libxl__sysfs_write(char why[LIBXL__SYSFS_WHY], const char *directory, const char *name, const char *text);
/* Returns whether a path is that of a driver in the directory `drivers`. The path may come from a hostile program. */
bool libxl__sysfs_is_driver(const char *drivers, const char *path);
/*
 * Stores the path of the directory of a device's driver; "": no driver. `device` is the device's directory, and
 * `drivers` the directory of the bus's drivers. Errors: FAIL (the name is too long), those of
 * libxl__sysfs_fail_errno.
 */
int libxl__sysfs_driver_of(const char *drivers, const char *device, char driver[LIBXL__SYSFS_DRIVER],
                           char why[LIBXL__SYSFS_WHY]);

#endif
