/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that give a USB device of the host to usbback or to the device model. Call all functions with the
 * context locked.
 */
#ifndef LIBXL__USB_GIVE_H
#define LIBXL__USB_GIVE_H

#include "ops.h"
#include "qmp.h"
#include "usb.h"
#include "xs.h"

/* Embed it in the operation's state; zero-initialise it. Then set the members above the empty line. */
typedef struct libxl__usb_give {
    uint32_t domid;
    libxl_usbctrl_type type;   /* the type of the controller */
    int ctrl, port;            /* the numbers of the controller and of the port for the device */
    libxl__usb_device *device; /* the device with its interfaces, in the operation's memory */

    libxl__usb_job take;
    libxl__xs_batch *drivers, *forgetting; /* write and remove the nodes of the former drivers */
    bool was_taken; /* usbback already had an interface, so the nodes of another toolstack stay */
    libxl__qmp plug, unplug;
    bool gives_back, forgets, unplugs; /* the steps of the undo that were started */
} libxl__usb_give;

/*
 * Gives the device. With the type PV, the drivers of its interfaces are written into xenstore, and usbback gets the
 * interfaces. With the type DEVICEMODEL, the device model plugs the device in. With the type QUSB, these functions
 * do nothing: QEMU follows the nodes of the ports itself. Call the first function from a phase's start, and the
 * second one from its poll. They return LIBXL__AO_WAIT, 0 or an error, recorded in ao. Errors: NI (no usbback),
 * BUSY, DEVICE_MODEL, PERMISSION, FAIL, and those of libxl__xs_result.
 */
int libxl__usb_give_start(libxl__ao *ao, libxl__usb_give *give);
int libxl__usb_give_poll(libxl__ao *ao, libxl__usb_give *give);
/*
 * The undo of the two functions. The start has reserved its memory, its worker and its connection. Ignores the
 * errors of the kernel. Returns the errors of libxl__usb_unplug_poll.
 */
int libxl__usb_give_undo(libxl__ao *ao, libxl__usb_give *give);

#endif
