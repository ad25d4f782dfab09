/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The USB devices of this host, in /sys/bus/usb, and usbback, the driver that serves them to PV guests.
 *
 * All functions that have the argument `why` read or write files of sysfs, and can block: unbinding a driver may
 * take seconds. Call them on a worker, unlocked. They use only their arguments, and return 0 or an error whose
 * message is stored in `why`.
 *
 * A device has a name that stays as long as it is plugged in: the bus, and the ports that lead to it, for example
 * "1-4.2". Its interfaces have names that begin with it, for example "1-4.2:1.0".
 */
#ifndef LIBXL__HOST_USB_H
#define LIBXL__HOST_USB_H

#include <stdbool.h>
#include <stdint.h>

#include "host_sysfs.h"

enum {
    LIBXL__USB_BUSID = 32,      /* the size of the name of a device, in octets */
    LIBXL__USB_NAME = 48,       /* the size of the name of an interface, in octets */
    LIBXL__USB_INTERFACES = 32, /* the greatest number of interfaces of a device */
    LIBXL__USB_PORTS = 31,      /* the greatest number of ports of a controller */
};

/* The path of the directory of usbback. */
#define LIBXL__USBBACK "/sys/bus/usb/drivers/usbback"

typedef struct libxl__usb_interface {
    char name[LIBXL__USB_NAME];
    char driver[LIBXL__SYSFS_DRIVER]; /* the path of the driver's directory; "": no driver */
} libxl__usb_interface;

/* A device, with the kernel's information about it. */
typedef struct libxl__usb_device {
    char busid[LIBXL__USB_BUSID];
    uint8_t bus, address; /* the numbers of the bus and of the device on the bus; 0: not known */
    bool exists;
    bool hub; /* the device is a hub, which no guest can have */
    /* Room for LIBXL__USB_INTERFACES elements; NULL: the interfaces are not looked up. */
    libxl__usb_interface *interfaces;
    uint32_t interface_count;
} libxl__usb_device;

/*
 * Finds a device by its name device->busid, or, if the name is "", by device->bus and device->address. Stores the
 * other members. A device that does not exist is no error. Errors: PERMISSION, NOMEM, FAIL.
 */
int libxl__usb_look(libxl__usb_device *device, char why[LIBXL__SYSFS_WHY]);
/*
 * Binds all interfaces of a device to usbback. If this fails, binds them to their drivers in device->interfaces
 * again, and ignores further errors. Errors: NI (there is no usbback), PERMISSION, BUSY, NOMEM, FAIL.
 */
int libxl__usb_take(const libxl__usb_device *device, char why[LIBXL__SYSFS_WHY]);
/*
 * Unbinds all interfaces of a device from usbback, and binds each of them to its driver in device->interfaces, if
 * it has one there. An interface that the kernel no longer lists is no error. Continues after an error, and
 * returns the first error. Errors: PERMISSION, BUSY, NOMEM, FAIL.
 */
int libxl__usb_give_back(const libxl__usb_device *device, char why[LIBXL__SYSFS_WHY]);
/* Returns whether this host's kernel has usbback. This function only looks up one path, so it needs no worker. */
bool libxl__usb_has_usbback(void);
/*
 * Return whether a text has the form of the name of a device, or of the path of a driver's directory. The text may
 * come from xenstore, where other programs write. These functions need no worker.
 */
bool libxl__usb_is_busid(const char *text);
bool libxl__usb_is_driver(const char *path);

#endif
