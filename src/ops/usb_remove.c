/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_usbdev_remove: takes a USB device from a domain.
 *
 * Owns: libxl's lock of changes, until the operation ends. The caller holds the context's lock.
 */
#include "change_lock.h"
#include "usb_release.h"
#include "usb_scan.h"

#include <stdio.h>

typedef struct usb_remove {
    libxl_device_usbdev usbdev;
    libxl__change_lock lock;
    libxl__usb_scan scan;
    libxl__usb_controller *controller;
    libxl__usb_device device;
    libxl__usb_job look;
    bool looking;
    libxl__xs_batch *batch;
    libxl__usb_release release;
    libxl__userdata stored;
} device_usbdev_remove_state;

/* ---- lock: takes libxl's lock, so that no other toolstack changes the domain's devices */

static int lock_start(libxl__ao *ao, struct usb_remove *s)
{
    const libxl__device_usbdev_remove_args *args = libxl__ao_args(ao);
    xc_domaininfo_t info;
    s->usbdev = args->in.usbdev;
    if (s->usbdev.ctrl < 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "ctrl: %d is not the number of a controller", s->usbdev.ctrl);
    if (s->usbdev.port < 1)
        return libxl__ao_fail(ao, ERROR_INVAL, "port: %d is not the number of a port", s->usbdev.port);
    const int rc = libxl__hv_info(ao, ao->subject.number, &info);
    return rc ? rc : libxl__change_lock_take(ao, &s->lock);
}

static int lock_poll(libxl__ao *ao, struct usb_remove *s)
{
    return libxl__change_lock_take(ao, &s->lock);
}

/* ---- find: finds the port and the device in it */

static int find_start(libxl__ao *ao, struct usb_remove *s)
{
    return libxl__usb_scan_start(ao, &s->scan, ao->subject.number);
}

static int start_looking(libxl__ao *ao, struct usb_remove *s)
{
    const libxl_device_usbdev *usbdev = &s->usbdev;
    s->controller = libxl__usb_scan_find(&s->scan, ao->subject.number, usbdev->ctrl);
    if (!s->controller)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "ctrl: domain %u has no USB controller %d",
                              ao->subject.number, usbdev->ctrl);
    const char *busid = libxl__usb_scan_port(s->controller, usbdev->port);
    if (!busid || !libxl__usb_is_busid(busid))
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "port: there is no device in port %d of controller %d",
                              usbdev->port, usbdev->ctrl);
    snprintf(s->device.busid, sizeof(s->device.busid), "%s", busid);
    s->looking = true;
    s->look.devices = &s->device;
    s->look.count = 1;
    return libxl__usb_start(ao, &s->look, LIBXL__USB_LOOK);
}

static int find_poll(libxl__ao *ao, struct usb_remove *s)
{
    const int rc = s->looking ? libxl__usb_poll(ao, &s->look) : libxl__usb_scan_poll(ao, &s->scan);
    return rc || s->looking ? rc : start_looking(ao, s);
}

/* ---- host: the host gets the device back */

static int host_start(libxl__ao *ao, struct usb_remove *s)
{
    s->release.domid = ao->subject.number;
    s->release.type = s->controller->type;
    s->release.devices = &s->device;
    /* A device that another domain serves is not on this host. */
    s->release.count = s->controller->device.backend_domid ? 0 : 1;
    return libxl__usb_release_start(ao, &s->release);
}

static int host_poll(libxl__ao *ao, struct usb_remove *s)
{
    return libxl__usb_release_poll(ao, &s->release);
}

/*
 * ---- write: empties the port's node. If the process dies before this, the node still names the device, so the
 * removal of the controller gives the device back.
 */

static int write_start(libxl__ao *ao, struct usb_remove *s)
{
    s->batch = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->batch)
        return ERROR_NOMEM;
    libxl__usb_write_port(s->batch, s->controller, s->usbdev.port, ERROR_NOTFOUND, s->device.busid, "");
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int write_poll(libxl__ao *ao, struct usb_remove *s)
{
    (void)ao;
    return libxl__xs_done(s->batch) ? libxl__xs_result(s->batch) : LIBXL__AO_WAIT;
}

/* ---- record: removes the device from the stored configuration */

static int record_start(libxl__ao *ao, struct usb_remove *s)
{
    libxl_device_usbdev usbdev = s->usbdev;
    usbdev.u.hostdev.hostbus = s->device.bus;
    usbdev.u.hostdev.hostaddr = s->device.address;
    const int rc = libxl__usb_record(ao, &s->stored, ao->subject.number, &usbdev, NULL, false);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int record_poll(libxl__ao *ao, struct usb_remove *s)
{
    return libxl__userdata_changed(ao, &s->stored);
}

#include "_libxl_phases_device_usbdev_remove.h"
