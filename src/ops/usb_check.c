/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usb_check.h, and the hidden operation device_usbdev_check, which checks a device and adds nothing.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "usb_check.h"

#include <string.h>

int libxl__usb_check_config(libxl__ao *ao, const libxl_device_usbdev *usbdev)
{
    if (usbdev->type != LIBXL_USBDEV_TYPE_HOSTDEV)
        return libxl__ao_fail(ao, ERROR_INVAL, "type: %d is not a type of devices", (int)usbdev->type);
    if (!usbdev->u.hostdev.hostbus || !usbdev->u.hostdev.hostaddr)
        return libxl__ao_fail(ao, ERROR_INVAL, "u.hostdev: hostbus and hostaddr name the device; 0 is none");
    if (usbdev->port < 0 || usbdev->port > LIBXL__USB_PORTS)
        return libxl__ao_fail(ao, ERROR_INVAL, "port: %d is not 0 to %d", usbdev->port, LIBXL__USB_PORTS);
    if (usbdev->port && usbdev->ctrl < 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "port: a port needs the number of its controller in `ctrl`");
    return 0;
}

int libxl__usb_check_start(libxl__ao *ao, libxl__usb_check *check, const libxl_device_usbdev *usbdev)
{
    libxl__usb_device *device = &check->device;
    device->interfaces = libxl__gc_alloc(&ao->gc, LIBXL__USB_INTERFACES * sizeof(*device->interfaces));
    if (!device->interfaces)
        return ERROR_NOMEM;
    device->bus = usbdev->u.hostdev.hostbus;
    device->address = usbdev->u.hostdev.hostaddr;
    check->look.devices = device;
    check->look.count = 1;
    const int rc = libxl__usb_scan_start(ao, &check->scan, LIBXL_DOMID_ALL);
    return rc == LIBXL__AO_WAIT ? libxl__usb_start(ao, &check->look, LIBXL__USB_LOOK) : rc;
}

int libxl__usb_check_owners(libxl__ao *ao, const libxl__usb_check *check, uint32_t domid)
{
    const libxl__usb_scan *scan = &check->scan;
    const libxl__usb_device *device = &check->device;
    for (uint32_t i = 0; i < scan->count; i++) {
        const libxl__usb_controller *controller = &scan->controllers[i];
        const bool own = controller->device.domid == domid;
        for (int port = 1; port <= controller->ports; port++) {
            const char *busid = libxl__usb_scan_port(controller, port);
            if (!busid || strcmp(busid, device->busid) != 0 || controller->device.backend_domid ||
                (own && check->replaces))
                continue;
            return libxl__ao_fail(ao, own ? ERROR_DEVICE_EXISTS : ERROR_BUSY,
                                  "u.hostdev: domain %u has the device %u-%u", controller->device.domid,
                                  device->bus, device->address);
        }
    }
    return 0;
}

int libxl__usb_check_poll(libxl__ao *ao, libxl__usb_check *check, uint32_t domid)
{
    const libxl__usb_device *device = &check->device;
    const int scanned = libxl__usb_scan_poll(ao, &check->scan);
    if (scanned == LIBXL__AO_WAIT || libxl__usb_busy(&check->look))
        return LIBXL__AO_WAIT;
    const int rc = scanned ? scanned : libxl__usb_poll(ao, &check->look);
    if (rc)
        return rc;
    if (!device->exists)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "u.hostdev: this host has no USB device %u-%u", device->bus,
                              device->address);
    if (device->hub)
        return libxl__ao_fail(ao, ERROR_NOT_ASSIGNABLE, "u.hostdev: the device %u-%u is a hub", device->bus,
                              device->address);
    return libxl__usb_check_owners(ao, check, domid);
}

/* ---- device_usbdev_check */

typedef libxl__usb_check device_usbdev_check_state;

static int look_start(libxl__ao *ao, libxl__usb_check *check)
{
    const libxl__device_usbdev_check_args *args = libxl__ao_args(ao);
    check->replaces = args->in.replaces;
    const int rc = libxl__usb_check_config(ao, &args->in.usbdev);
    return rc ? rc : libxl__usb_check_start(ao, check, &args->in.usbdev);
}

static int look_poll(libxl__ao *ao, libxl__usb_check *check)
{
    return libxl__usb_check_poll(ao, check, ao->subject.number);
}

#include "_libxl_phases_device_usbdev_check.h"
