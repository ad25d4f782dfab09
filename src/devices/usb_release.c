/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing except the operation's state. The caller holds the context's lock. */
#include "usb_release.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "_libxl_types_internal.h"

/* ---- unplugging from the device model */

int libxl__usb_unplug_start(libxl__ao *ao, libxl__qmp *qmp, uint32_t domid, const char *id)
{
    const int rc = libxl__qmp_add(ao, qmp, "device_del", libxl__qmp_text("id", id), -1);
    return rc ? rc : libxl__qmp_start(ao, qmp, domid);
}

int libxl__usb_unplug_poll(libxl__ao *ao, libxl__qmp *qmp)
{
    if (qmp->done && (qmp->errnoval == ENOENT || qmp->errnoval == ECONNREFUSED))
        return 0;
    const int rc = libxl__qmp_poll(ao, qmp);
    if (!rc || rc == LIBXL__AO_WAIT)
        return rc;
    if (!libxl__qmp_is_broken(qmp) && !strstr(qmp->commands[0].refusal, "not found"))
        return rc;
    libxl__ao_forget_failure(ao);
    return 0;
}

/* Unplugs the next device. Returns 0 if there is none. */
static int unplug_next(libxl__ao *ao, libxl__usb_release *r)
{
    char id[32];
    r->step = LIBXL__USB_UNPLUGGING;
    while (r->unplugged < r->count && !r->devices[r->unplugged].exists)
        r->unplugged++;
    if (r->unplugged == r->count)
        return 0;
    const libxl__usb_device *device = &r->devices[r->unplugged++];
    snprintf(id, sizeof(id), LIBXL__USB_DEVICE_ID, device->bus, device->address);
    libxl__qmp_reset(ao, &r->qmp);
    return libxl__usb_unplug_start(ao, &r->qmp, r->domid, id);
}

static int start_looking(libxl__ao *ao, libxl__usb_release *r)
{
    r->step = LIBXL__USB_LOOKING;
    return libxl__usb_start(ao, &r->job, LIBXL__USB_LOOK);
}

/* ---- giving interfaces back to their drivers */

static int new_batch(libxl__ao *ao, libxl__usb_release *r)
{
    libxl__xs_batch_free(r->batch);
    r->batch = libxl__xs_batch_new(ao, r->domid);
    return r->batch ? 0 : ERROR_NOMEM;
}

static int run(libxl__usb_release *r)
{
    const int rc = libxl__xs_run(r->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Lists the interfaces whose former drivers are stored in xenstore. */
static int start_listing(libxl__ao *ao, libxl__usb_release *r)
{
    char node[LIBXL__USB_NAME];
    const int rc = new_batch(ao, r);
    r->nodes = libxl__gc_alloc(&ao->gc, (size_t)r->count * LIBXL__USB_INTERFACES * sizeof(*r->nodes));
    if (rc || !r->nodes)
        return ERROR_NOMEM;
    r->step = LIBXL__USB_LISTING;
    for (uint32_t i = 0; i < r->count; i++) {
        libxl__usb_node_name(r->devices[i].busid, node);
        r->nodes[i] = libxl__xs_list(r->batch, 0, LIBXL__USB_NODES, node);
    }
    return run(r);
}

/* Takes the names of the interfaces of one device from the list of its nodes. Ignores the names beyond the array. */
static void take_names(libxl__usb_device *device, const libxl__xs_request *list)
{
    size_t size = 0;
    const char *version, *names = libxl__xs_names(list, &size, &version);
    for (const char *at = names; names && at < names + size && *at; at += strlen(at) + 1)
        if (device->interface_count < LIBXL__USB_INTERFACES && strlen(at) < LIBXL__USB_NAME)
            libxl__usb_name_of_node(at, device->interfaces[device->interface_count++].name);
}

/* Reads the drivers of the interfaces that were listed. */
static int start_reading(libxl__ao *ao, libxl__usb_release *r)
{
    char node[LIBXL__USB_NAME], interface[LIBXL__USB_NAME];
    for (uint32_t i = 0; i < r->count; i++) {
        libxl__usb_device *device = &r->devices[i];
        device->interfaces = libxl__gc_alloc(&ao->gc, LIBXL__USB_INTERFACES * sizeof(*device->interfaces));
        if (!device->interfaces)
            return ERROR_NOMEM;
        take_names(device, r->nodes[i]);
    }
    const int rc = new_batch(ao, r);
    if (rc)
        return rc;
    r->step = LIBXL__USB_READING;
    for (uint32_t i = 0; i < r->count; i++) {
        libxl__usb_node_name(r->devices[i].busid, node);
        for (uint32_t k = 0; k < r->devices[i].interface_count; k++) {
            libxl__usb_node_name(r->devices[i].interfaces[k].name, interface);
            r->nodes[i * LIBXL__USB_INTERFACES + k] =
                libxl__xs_read(r->batch, LIBXL__USB_DRIVER_NODE, node, interface);
        }
    }
    return run(r);
}

/* Binds the interfaces to their drivers. A value that is not the path of a driver is ignored. */
static int start_giving(libxl__ao *ao, libxl__usb_release *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        for (uint32_t k = 0; k < r->devices[i].interface_count; k++) {
            const char *path = libxl__xs_value(r->nodes[i * LIBXL__USB_INTERFACES + k]);
            libxl__usb_interface *interface = &r->devices[i].interfaces[k];
            snprintf(interface->driver, sizeof(interface->driver), "%s",
                     path && libxl__usb_is_driver(path) ? path : "");
        }
    r->step = LIBXL__USB_GIVING;
    return libxl__usb_start(ao, &r->job, LIBXL__USB_GIVE_BACK);
}

static int start_forgetting(libxl__ao *ao, libxl__usb_release *r)
{
    char node[LIBXL__USB_NAME];
    const int rc = new_batch(ao, r);
    if (rc)
        return rc;
    r->step = LIBXL__USB_FORGETTING;
    for (uint32_t i = 0; i < r->count; i++) {
        libxl__usb_node_name(r->devices[i].busid, node);
        libxl__xs_remove(r->batch, LIBXL__USB_NODES, node);
    }
    return run(r);
}

/* ---- all steps, one after the other */

int libxl__usb_release_start(libxl__ao *ao, libxl__usb_release *r)
{
    r->job.devices = r->devices;
    r->job.count = r->count;
    if (!r->count || (r->type != LIBXL_USBCTRL_TYPE_PV && r->type != LIBXL_USBCTRL_TYPE_DEVICEMODEL))
        return 0;
    return r->type == LIBXL_USBCTRL_TYPE_PV ? start_listing(ao, r) : start_looking(ao, r);
}

static int poll_step(libxl__ao *ao, libxl__usb_release *r)
{
    switch (r->step) {
    case LIBXL__USB_LISTING:
    case LIBXL__USB_READING:
    case LIBXL__USB_FORGETTING: return libxl__xs_done(r->batch) ? libxl__xs_result(r->batch) : LIBXL__AO_WAIT;
    case LIBXL__USB_GIVING:
    case LIBXL__USB_LOOKING: return libxl__usb_poll(ao, &r->job);
    case LIBXL__USB_UNPLUGGING: break;
    }
    return libxl__usb_unplug_poll(ao, &r->qmp);
}

int libxl__usb_release_poll(libxl__ao *ao, libxl__usb_release *r)
{
    const int rc = poll_step(ao, r);
    if (rc)
        return rc;
    switch (r->step) {
    case LIBXL__USB_LISTING: return start_reading(ao, r);
    case LIBXL__USB_READING: return start_giving(ao, r);
    case LIBXL__USB_GIVING: return start_forgetting(ao, r);
    case LIBXL__USB_LOOKING:
    case LIBXL__USB_UNPLUGGING: return unplug_next(ao, r);
    case LIBXL__USB_FORGETTING: break;
    }
    return 0;
}
