/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gives USB devices of a domain back to the host. The removal of a device and the removal of a controller use this.
 * At the time of the call the nodes of the ports still name the devices. Call all functions with the context locked.
 */
#ifndef LIBXL__USB_RELEASE_H
#define LIBXL__USB_RELEASE_H

#include "qmp.h"
#include "usb.h"
#include "xs.h"

/*
 * One release of USB devices. Embed it in the operation's state; zero-initialise it. Then set the members above the
 * empty line.
 */
typedef struct libxl__usb_release {
    uint32_t domid;
    libxl_usbctrl_type type; /* the type of the devices' controller */
    /* The devices, in the operation's memory; only their names are set. */
    libxl__usb_device *devices;
    uint32_t count;

    libxl__xs_batch *batch;
    const libxl__xs_request **nodes; /* one request for each device, or for each interface of each device */
    libxl__usb_job job;
    libxl__qmp qmp;
    uint32_t unplugged; /* the index of the next device that the device model unplugs */
    enum {
        LIBXL__USB_LISTING,
        LIBXL__USB_READING,
        LIBXL__USB_GIVING,
        LIBXL__USB_FORGETTING,
        LIBXL__USB_LOOKING,
        LIBXL__USB_UNPLUGGING,
    } step;
} libxl__usb_release;

/*
 * The names that QEMU has for a controller (argument: devid) and for a device (arguments: bus, address). libxl uses
 * the same names.
 */
#define LIBXL__USB_CONTROLLER_ID "xenusb-%u"
#define LIBXL__USB_DEVICE_ID     "xenusb-%u-%u"

/*
 * Gives the devices back. With the type PV, each interface is unbound from usbback and bound to its former driver,
 * and the nodes with the paths of these drivers are removed. With the type DEVICEMODEL, the device model unplugs
 * the devices. With the type QUSB, these functions do nothing: QEMU follows the nodes of the ports itself. A device
 * that is not plugged in any more, and a device model that has ended, are no errors. Call these from a phase's
 * start and poll. They return LIBXL__AO_WAIT, 0 or an error, recorded in ao. Errors: BUSY, PERMISSION, FAIL, and
 * those of libxl__xs_result.
 */
int libxl__usb_release_start(libxl__ao *ao, libxl__usb_release *release);
int libxl__usb_release_poll(libxl__ao *ao, libxl__usb_release *release);

/*
 * Make the device model unplug the device or the controller with the name `id`. `qmp` must have no commands yet. Call
 * these from a phase's start and poll. A name that the device model does not know, and a device model that has ended,
 * are no errors.
 */
int libxl__usb_unplug_start(libxl__ao *ao, libxl__qmp *qmp, uint32_t domid, const char *id);
int libxl__usb_unplug_poll(libxl__ao *ao, libxl__qmp *qmp);

#endif
