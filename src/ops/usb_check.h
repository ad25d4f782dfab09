/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The check of a USB device before it is given to a domain: what the kernel knows about the device, and whether a
 * domain has it. The check changes nothing. Call all functions with the context locked.
 */
#ifndef LIBXL__USB_CHECK_H
#define LIBXL__USB_CHECK_H

#include "usb_scan.h"

/* One check. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__usb_check {
    bool replaces; /* an input; see libxl__device.replaces */

    libxl__usb_device device; /* the result; the arrays are in the operation's memory */
    libxl__usb_scan scan;     /* the result: the controllers of all domains */
    libxl__usb_job look;
} libxl__usb_check;

/* Checks a configuration. Errors: INVAL, recorded in ao. */
int libxl__usb_check_config(libxl__ao *ao, const libxl_device_usbdev *usbdev);
/*
 * Call these from a phase's start and poll. `domid` is the domain that gets the device. They return LIBXL__AO_WAIT, 0,
 * or an error that is recorded in ao: NOTFOUND, NOT_ASSIGNABLE, DEVICE_EXISTS (the domain has the device), BUSY (another
 * domain has it), NOMEM, FAIL, and those of libxl__xs_result.
 */
int libxl__usb_check_start(libxl__ao *ao, libxl__usb_check *check, const libxl_device_usbdev *usbdev);
int libxl__usb_check_poll(libxl__ao *ao, libxl__usb_check *check, uint32_t domid);
/* Checks that no port in check->scan has the device. Errors, recorded in ao: DEVICE_EXISTS, BUSY. */
int libxl__usb_check_owners(libxl__ao *ao, const libxl__usb_check *check, uint32_t domid);

#endif
