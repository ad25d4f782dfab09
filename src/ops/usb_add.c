/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_usbdev_add: gives a USB device of the host to a domain.
 *
 * The operation holds libxl's lock of changes to the domain, so that no other toolstack takes the same port. A
 * creation does not take the lock, because no other program knows the domain. From the reading of all ports until the
 * port is written, the operation also holds the lock of domain 0. So only one of several operations that add the same
 * device gets it. xl does not take the lock of domain 0. While a controller is added or removed, the lock is not
 * held, because the device model of one domain must not delay the operations on the others. Then the ports are read
 * again. The stored configuration is changed when the lock is no longer held, because another program may keep the
 * domain's file locked for seconds.
 *
 * Owns: the port and the device until the operation completes with success. Each undo has its memory and its worker
 * before its phase changes anything. The caller holds the context's lock.
 */
#include "change_lock.h"
#include "device_operations.h"
#include "marks.h"
#include "usb_check.h"
#include "usb_give.h"

#include <string.h>

typedef struct usb_add {
    bool creating, hvm;
    libxl_device_usbdev usbdev; /* the configuration, with the chosen controller and port */
    libxl__change_lock lock, turn;
    libxl__usb_check check;
    libxl__usb_controller *controller;
    bool makes_controller;
    bool rereads;                 /* the phase `claim` has the lock `turn`, and reads the ports again */
    libxl__nested adding, detach; /* the addition of a controller, and its undo */
    libxl__userdata stored;
    libxl__xs_batch *writing, *clearing;
    bool clears; /* the undo of `write` has started */
    libxl__usb_give give;
    bool given; /* `give` has ended, and `reading` reads the node of the port again */
    /* reads the device in the port, and whether the port's controller is being removed */
    libxl__xs_batch *reading;
    const libxl__xs_request *port, *online;
} device_usbdev_add_state;

static int run(libxl__xs_batch *batch, libxl__xs_mode mode)
{
    const int rc = libxl__xs_run(batch, mode);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* ---- lock: takes libxl's lock, so that no other toolstack changes the domain's devices */

static int lock_start(libxl__ao *ao, struct usb_add *s)
{
    const libxl__device_usbdev_add_args *args = libxl__ao_args(ao);
    xc_domaininfo_t info;
    s->creating = ao->notify_target == LIBXL__AO_PARENT;
    s->usbdev = args->in.usbdev;
    int rc = libxl__usb_check_config(ao, &s->usbdev);
    if (!rc && !ao->subject.number)
        rc = libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 has this host's USB devices already");
    if (!rc)
        rc = libxl__hv_info(ao, ao->subject.number, &info);
    s->hvm = !rc && libxl__hv_type(&info) == LIBXL_DOMAIN_TYPE_HVM;
    return rc || s->creating ? rc : libxl__change_lock_take(ao, &s->lock);
}

static int lock_poll(libxl__ao *ao, struct usb_add *s)
{
    return libxl__change_lock_take(ao, &s->lock);
}

/* ---- turn: takes the lock of domain 0, so that no other operation chooses a device of this host */

static int turn_start(libxl__ao *ao, struct usb_add *s)
{
    s->turn.of_host = true;
    return libxl__change_lock_take(ao, &s->turn);
}

static int turn_poll(libxl__ao *ao, struct usb_add *s)
{
    return libxl__change_lock_take(ao, &s->turn);
}

/* ---- check: checks that the device is free, and chooses a free port */

static int check_start(libxl__ao *ao, struct usb_add *s)
{
    return libxl__usb_check_start(ao, &s->check, &s->usbdev);
}

/* Returns the first free port of a controller, or 0. */
static int free_port(const libxl__usb_controller *controller)
{
    for (int port = 1; port <= controller->ports; port++) {
        const char *busid = libxl__usb_scan_port(controller, port);
        if (busid && !*busid)
            return port;
    }
    return 0;
}

/* Chooses the port of the controller that the configuration names. */
static int choose_port(libxl__ao *ao, struct usb_add *s)
{
    libxl_device_usbdev *usbdev = &s->usbdev;
    s->controller = libxl__usb_scan_find(&s->check.scan, ao->subject.number, usbdev->ctrl);
    if (!s->controller)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "ctrl: domain %u has no USB controller %d",
                              ao->subject.number, usbdev->ctrl);
    if (!usbdev->port && !(usbdev->port = free_port(s->controller)))
        return libxl__ao_fail(ao, ERROR_BUSY, "ctrl: controller %d has no free port", usbdev->ctrl);
    const char *busid = libxl__usb_scan_port(s->controller, usbdev->port);
    if (!busid)
        return libxl__ao_fail(ao, ERROR_INVAL, "port: controller %d has no port %d", usbdev->ctrl,
                              usbdev->port);
    if (*busid)
        return libxl__ao_fail(ao, ERROR_BUSY, "port: port %d of controller %d is in use", usbdev->port,
                              usbdev->ctrl);
    return s->controller->device.backend_domid
               ? libxl__ao_fail(ao, ERROR_NI, "ctrl: domain %u serves controller %d, and not this domain",
                                s->controller->device.backend_domid, usbdev->ctrl)
               : 0;
}

/* Chooses the first controller with a free port, or decides that a controller is added. */
static int choose(libxl__ao *ao, struct usb_add *s)
{
    const uint32_t domid = ao->subject.number;
    if (s->usbdev.ctrl >= 0)
        return choose_port(ao, s);
    for (uint32_t i = 0; i < s->check.scan.count; i++) {
        const libxl__usb_controller *controller = &s->check.scan.controllers[i];
        const int devid = (int)controller->device.devid;
        if (controller->device.domid == domid && !controller->device.backend_domid && free_port(controller) &&
            (s->usbdev.ctrl < 0 || devid < s->usbdev.ctrl))
            s->usbdev.ctrl = devid;
    }
    s->makes_controller = s->usbdev.ctrl < 0;
    if (!s->makes_controller)
        return choose_port(ao, s);
    s->usbdev.ctrl = libxl__usb_scan_next(&s->check.scan, domid);
    s->usbdev.port = 1;
    return 0;
}

static int check_poll(libxl__ao *ao, struct usb_add *s)
{
    const int rc = libxl__usb_check_poll(ao, &s->check, ao->subject.number);
    return rc ? rc : choose(ao, s);
}

/* ---- controller: if no controller has a free port, adds one */

static int controller_start(libxl__ao *ao, struct usb_add *s)
{
    if (!s->makes_controller)
        return 0;
    libxl__change_lock_leave(ao->ctx, &s->turn);
    const libxl__device device = {.cls = &libxl__class_usbctrl,
                                  .domid = ao->subject.number,
                                  .devid = (uint32_t)s->usbdev.ctrl,
                                  .emulated = s->hvm,
                                  .kind = "vusb"};
    const int rc = libxl__detach_reserve(ao, &s->detach, &device, true);
    libxl__ao *child =
        rc ? NULL : libxl__nested_create(ao, &s->adding, &libxl__operations[LIBXL__OP_DEVICE_USBCTRL_ADD]);
    if (!child)
        return rc ? rc : ERROR_NOMEM;
    libxl__device_usbctrl_add_args *args = libxl__ao_args(child);
    child->subject = ao->subject;
    args->in.domid = ao->subject.number;
    libxl_device_usbctrl_init(&args->in.usbctrl);
    args->in.usbctrl.devid = s->usbdev.ctrl;
    libxl__nested_start(&s->adding);
    return LIBXL__AO_WAIT;
}

static int controller_poll(libxl__ao *ao, struct usb_add *s)
{
    (void)ao;
    return s->adding.done ? s->adding.rc : LIBXL__AO_WAIT;
}

static int controller_undo(libxl__ao *ao, struct usb_add *s)
{
    libxl__change_lock_leave(ao->ctx, &s->turn);
    if (!s->adding.started)
        return 0;
    if (!s->adding.done) {
        libxl__ao_request_stop(s->adding.child, ERROR_ABORTED);
        if (!s->adding.done)
            return LIBXL__AO_WAIT;
    }
    if (s->adding.rc)
        return 0;
    const int rc =
        s->detach.started ? libxl__detach_poll(ao, &s->detach) : libxl__detach_start(ao, &s->detach);
    return rc == ERROR_NOTFOUND ? 0 : rc;
}

/* ---- claim: takes the lock of domain 0 again after a controller was added without it, and chooses the port again */

static int claim_start(libxl__ao *ao, struct usb_add *s)
{
    return s->makes_controller ? libxl__change_lock_take(ao, &s->turn) : 0;
}

static int claim_poll(libxl__ao *ao, struct usb_add *s)
{
    int rc = s->rereads ? libxl__usb_scan_poll(ao, &s->check.scan) : libxl__change_lock_take(ao, &s->turn);
    if (rc)
        return rc;
    if (!s->rereads) {
        s->rereads = true;
        return libxl__usb_scan_start(ao, &s->check.scan, LIBXL_DOMID_ALL);
    }
    rc = libxl__usb_check_owners(ao, &s->check, ao->subject.number);
    return rc ? rc : choose_port(ao, s);
}

/* ---- write: writes the device into the port's node */

static int write_start(libxl__ao *ao, struct usb_add *s)
{
    s->clearing = libxl__xs_batch_new(ao, ao->subject.number);
    s->writing = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->clearing || !s->writing)
        return ERROR_NOMEM;
    const int rc = libxl__xs_reserve(s->clearing, LIBXL__USB_PORT_REQUESTS, LIBXL__USB_PORT_OCTETS);
    if (rc)
        return rc;
    libxl__xs_require_domain(s->writing, &ao->subject.uuid);
    if (!s->creating)
        libxl__mark_require_none(s->writing, &ao->subject.uuid);
    libxl__usb_write_port(s->writing, s->controller, s->usbdev.port, ERROR_BUSY, "", s->check.device.busid);
    return run(s->writing, LIBXL__XS_TRANSACTION);
}

static int write_poll(libxl__ao *ao, struct usb_add *s)
{
    if (!libxl__xs_done(s->writing))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_rc(s->writing);
    if (rc == ERROR_BUSY)
        return libxl__ao_fail(ao, rc,
                              "port: port %d of controller %d is in use, or the domain is being reset",
                              s->usbdev.port, s->usbdev.ctrl);
    if (rc == ERROR_DOMAIN_DESTROYED)
        return libxl__ao_fail(ao, rc, "domain %u was destroyed", ao->subject.number);
    if (rc)
        return libxl__xs_result(s->writing);
    libxl__change_lock_leave(ao->ctx, &s->turn);
    return 0;
}

/*
 * Empties the port's node if the node still names the device. After a destruction it may name another device, or not
 * exist.
 */
static int write_undo(libxl__ao *ao, struct usb_add *s)
{
    (void)ao;
    if (!s->writing || libxl__xs_take_back(s->writing))
        return 0;
    if (!libxl__xs_done(s->writing))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(s->writing))
        return 0;
    if (!s->clears) {
        s->clears = true;
        libxl__usb_write_port(s->clearing, s->controller, s->usbdev.port, ERROR_NOTFOUND,
                              s->check.device.busid, "");
        libxl__xs_run_anyway(s->clearing, LIBXL__XS_TRANSACTION);
    }
    return libxl__xs_done(s->clearing) ? 0 : LIBXL__AO_WAIT;
}

/* ---- record: adds the device to the stored configuration; a creation stores the whole configuration itself */

static int record_start(libxl__ao *ao, struct usb_add *s)
{
    if (s->creating)
        return 0;
    const libxl_device_usbctrl usbctrl = {.devid = s->usbdev.ctrl};
    const int rc = libxl__usb_record(ao, &s->stored, ao->subject.number, &s->usbdev,
                                     s->makes_controller ? &usbctrl : NULL, true);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int record_poll(libxl__ao *ao, struct usb_add *s)
{
    return libxl__userdata_changed(ao, &s->stored);
}

static int record_undo(libxl__ao *ao, struct usb_add *s)
{
    return libxl__userdata_change_back(ao, &s->stored);
}

/*
 * ---- host: usbback or the device model gets the device. A destruction of the domain takes no lock. A destruction
 * writes 0 into the node `online`, gives the device in the port back, and removes the nodes. It is possible that it
 * has looked at the device before usbback got the device. So this phase reads the nodes after usbback has got the
 * device: if `online` is not 0 at this time, a later destruction finds the device with usbback.
 */

static int host_start(libxl__ao *ao, struct usb_add *s)
{
    s->give.domid = ao->subject.number;
    s->give.type = s->controller->type;
    s->give.ctrl = s->usbdev.ctrl;
    s->give.port = s->usbdev.port;
    s->give.device = &s->check.device;
    return libxl__usb_give_start(ao, &s->give);
}

static int read_port(libxl__ao *ao, struct usb_add *s)
{
    const libxl__device *device = &s->controller->device;
    s->given = true;
    s->reading = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->reading)
        return ERROR_NOMEM;
    s->port = libxl__usb_read_port(s->reading, s->controller, s->usbdev.port);
    if (!device->emulated)
        s->online = libxl__xs_read(s->reading, LIBXL__BACKEND "/online", LIBXL__BACKEND_OF(device));
    return run(s->reading, LIBXL__XS_ONE_BY_ONE);
}

static int check_port(libxl__ao *ao, const struct usb_add *s)
{
    if (!libxl__xs_done(s->reading))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->reading);
    if (rc)
        return rc;
    const char *port = libxl__xs_value(s->port), *online = s->online ? libxl__xs_value(s->online) : NULL;
    const bool goes = online && strcmp(online, "0") == 0;
    if (port && !strcmp(port, s->check.device.busid) && !goes)
        return 0;
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domain %u or its USB controller %d was destroyed",
                          ao->subject.number, s->usbdev.ctrl);
}

static int host_poll(libxl__ao *ao, struct usb_add *s)
{
    if (s->given)
        return check_port(ao, s);
    const int rc = libxl__usb_give_poll(ao, &s->give);
    return rc ? rc : read_port(ao, s);
}

/* If a creation fails, its teardown ends QEMU. So the device is not unplugged before. */
static int host_undo(libxl__ao *ao, struct usb_add *s)
{
    if (s->creating && s->give.type == LIBXL_USBCTRL_TYPE_DEVICEMODEL)
        return 0;
    return libxl__usb_give_undo(ao, &s->give);
}

#include "_libxl_phases_device_usbdev_add.h"
