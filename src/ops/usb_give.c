/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing beyond the operation. The caller holds the context's lock. */
#include "usb_give.h"
#include "usb_release.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

/* ---- giving a device to usbback, and its undo */

/* Reserves the undo: the worker, and the request that removes the nodes. */
static int reserve(libxl__ao *ao, libxl__usb_give *give)
{
    const size_t octets = sizeof(LIBXL__USB_NODES) + LIBXL__USB_NAME;
    give->take.devices = give->device;
    give->take.count = 1;
    give->drivers = libxl__xs_batch_new(ao, give->domid);
    give->forgetting = libxl__xs_batch_new(ao, give->domid);
    if (!give->drivers || !give->forgetting)
        return ERROR_NOMEM;
    const int rc = libxl__xs_reserve(give->forgetting, 1, octets);
    return rc ? rc : libxl__usb_reserve(ao, &give->take);
}

/*
 * Writes the present drivers into xenstore, so that any toolstack can bind the device to them again. If usbback
 * already has an interface, the node of the interface already names its former driver.
 */
static int start_taking(libxl__ao *ao, libxl__usb_give *give)
{
    char device[LIBXL__USB_NAME], interface[LIBXL__USB_NAME];
    int rc = reserve(ao, give);
    if (rc)
        return rc;
    libxl__usb_node_name(give->device->busid, device);
    for (uint32_t i = 0; i < give->device->interface_count; i++) {
        const libxl__usb_interface *at = &give->device->interfaces[i];
        libxl__usb_node_name(at->name, interface);
        if (!strcmp(at->driver, LIBXL__USBBACK))
            give->was_taken = true;
        else if (*at->driver)
            libxl__xs_write(give->drivers, LIBXL__XS_INHERITS, at->driver, LIBXL__USB_DRIVER_NODE, device,
                            interface);
    }
    rc = libxl__xs_run(give->drivers, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int poll_taking(libxl__ao *ao, libxl__usb_give *give)
{
    if (!libxl__xs_done(give->drivers))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(give->drivers);
    if (rc)
        return rc;
    return give->take.job.state == LIBXL__JOB_IDLE ? libxl__usb_start(ao, &give->take, LIBXL__USB_TAKE)
                                                   : libxl__usb_poll(ao, &give->take);
}

static int undo_taking(libxl__ao *ao, libxl__usb_give *give)
{
    if (!give->drivers || libxl__xs_take_back(give->drivers))
        return 0;
    if (!libxl__xs_done(give->drivers) || libxl__usb_busy(&give->take))
        return LIBXL__AO_WAIT;
    if (!give->gives_back && give->take.job.state != LIBXL__JOB_IDLE) {
        give->gives_back = true;
        if (libxl__usb_start(ao, &give->take, LIBXL__USB_GIVE_BACK) == LIBXL__AO_WAIT)
            return LIBXL__AO_WAIT;
    }
    if (give->was_taken)
        return 0;
    if (!give->forgets) {
        char device[LIBXL__USB_NAME];
        give->forgets = true;
        libxl__usb_node_name(give->device->busid, device);
        libxl__xs_remove(give->forgetting, LIBXL__USB_NODES, device);
        libxl__xs_run_anyway(give->forgetting, LIBXL__XS_ONE_BY_ONE);
    }
    return libxl__xs_done(give->forgetting) ? 0 : LIBXL__AO_WAIT;
}

/* ---- giving a device to the device model, and its undo */

static bool add_number(struct json_object *object, const char *key, int number)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", number);
    return libxl__qmp_set_text(object, key, text);
}

static int start_plugging(libxl__ao *ao, libxl__usb_give *give)
{
    char id[32], bus[32];
    snprintf(id, sizeof(id), LIBXL__USB_DEVICE_ID, give->device->bus, give->device->address);
    snprintf(bus, sizeof(bus), LIBXL__USB_CONTROLLER_ID ".0", (unsigned)give->ctrl);
    give->unplug.patient = true;
    int rc = libxl__qmp_add(ao, &give->unplug, "device_del", libxl__qmp_text("id", id), -1);
    if (!rc)
        rc = libxl__qmp_reserve(ao, &give->unplug);
    if (rc)
        return rc;
    struct json_object *object = libxl__qmp_text("driver", "usb-host");
    if (!object || !libxl__qmp_set_text(object, "id", id) || !libxl__qmp_set_text(object, "bus", bus) ||
        !add_number(object, "port", give->port) || !add_number(object, "hostbus", give->device->bus) ||
        !add_number(object, "hostaddr", give->device->address)) {
        json_object_put(object);
        return ERROR_NOMEM;
    }
    rc = libxl__qmp_add(ao, &give->plug, "device_add", object, -1);
    return rc ? rc : libxl__qmp_start(ao, &give->plug, give->domid);
}

/*
 * Returns LIBXL__AO_WAIT until QEMU has unplugged the device, or has ended. QEMU may answer late, and would keep a device that it plugs
 * in then. A device that QEMU has refused is not unplugged: another device may have the same name.
 */
static int undo_plugging(libxl__ao *ao, libxl__usb_give *give)
{
    if (!give->plug.count || *give->plug.commands[0].refusal)
        return 0;
    if (!give->unplugs) {
        give->unplugs = true;
        libxl__qmp_leave(ao, &give->plug);
        if (libxl__qmp_start(ao, &give->unplug, give->domid) != LIBXL__AO_WAIT)
            return 0;
    }
    return libxl__usb_unplug_poll(ao, &give->unplug);
}

/* ---- functions for the operations that give a device to a guest */

int libxl__usb_give_start(libxl__ao *ao, libxl__usb_give *give)
{
    if (give->type == LIBXL_USBCTRL_TYPE_PV)
        return start_taking(ao, give);
    return give->type == LIBXL_USBCTRL_TYPE_DEVICEMODEL ? start_plugging(ao, give) : 0;
}

int libxl__usb_give_poll(libxl__ao *ao, libxl__usb_give *give)
{
    if (give->type == LIBXL_USBCTRL_TYPE_PV)
        return poll_taking(ao, give);
    return libxl__qmp_poll_model(ao, &give->plug, give->domid);
}

int libxl__usb_give_undo(libxl__ao *ao, libxl__usb_give *give)
{
    libxl__phase_persist(ao);
    if (give->type == LIBXL_USBCTRL_TYPE_PV)
        return undo_taking(ao, give);
    return give->type == LIBXL_USBCTRL_TYPE_DEVICEMODEL ? undo_plugging(ao, give) : 0;
}
