/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_list_usbdevs: lists the USB devices of a domain. The nodes of the ports name them, so the list includes
 * devices that other toolstacks have added.
 *
 * Owns: the list until it is stored. The caller holds the context's lock.
 */
#include "usb_scan.h"

#include <stdio.h>
#include <stdlib.h>

struct place {
    int ctrl, port;
};

typedef struct list_usbdevs {
    libxl__usb_scan scan;
    libxl__usb_job look;
    libxl__usb_device *devices; /* the devices in the ports */
    struct place *places;       /* the controller and the port of each device */
} domain_list_usbdevs_state;

static int read_start(libxl__ao *ao, struct list_usbdevs *s)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_info(ao, ao->subject.number, &info);
    return rc ? rc : libxl__usb_scan_start(ao, &s->scan, ao->subject.number);
}

static int read_poll(libxl__ao *ao, struct list_usbdevs *s)
{
    return libxl__usb_scan_poll(ao, &s->scan);
}

static int look_start(libxl__ao *ao, struct list_usbdevs *s)
{
    const size_t most = (size_t)s->scan.count * LIBXL__USB_PORTS;
    s->devices = libxl__gc_alloc(&ao->gc, most * sizeof(*s->devices));
    s->places = libxl__gc_alloc(&ao->gc, most * sizeof(*s->places));
    if (!s->devices || !s->places)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < s->scan.count; i++) {
        const libxl__usb_controller *controller = &s->scan.controllers[i];
        /* A device that another domain serves is not on this host. */
        const int ports = controller->device.backend_domid ? 0 : controller->ports;
        for (int port = 1; port <= ports; port++) {
            const char *busid = libxl__usb_scan_port(controller, port);
            if (!busid || !libxl__usb_is_busid(busid))
                continue;
            s->places[s->look.count] = (struct place){.ctrl = (int)controller->device.devid, .port = port};
            snprintf(s->devices[s->look.count++].busid, LIBXL__USB_BUSID, "%s", busid);
        }
    }
    s->look.devices = s->devices;
    return libxl__usb_start(ao, &s->look, LIBXL__USB_LOOK);
}

static int by_place(const void *left, const void *right)
{
    const libxl_device_usbdev *a = left, *b = right;
    return a->ctrl != b->ctrl ? a->ctrl - b->ctrl : a->port - b->port;
}

static int look_poll(libxl__ao *ao, struct list_usbdevs *s)
{
    const libxl__domain_list_usbdevs_args *args = libxl__ao_args(ao);
    libxl_usbdev_list list = {.num_devices = 0};
    const int rc = libxl__usb_poll(ao, &s->look);
    if (rc)
        return rc;
    list.devices = calloc(s->look.count + 1, sizeof(*list.devices));
    if (!list.devices)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < s->look.count; i++) {
        if (!s->devices[i].exists)
            continue;
        libxl_device_usbdev *usbdev = &list.devices[list.num_devices++];
        libxl_device_usbdev_init(usbdev);
        libxl_device_usbdev_init_type(usbdev, LIBXL_USBDEV_TYPE_HOSTDEV);
        usbdev->ctrl = s->places[i].ctrl;
        usbdev->port = s->places[i].port;
        usbdev->u.hostdev.hostbus = s->devices[i].bus;
        usbdev->u.hostdev.hostaddr = s->devices[i].address;
    }
    qsort(list.devices, (size_t)list.num_devices, sizeof(*list.devices), by_place);
    *args->out.list = list;
    return 0;
}

#include "_libxl_phases_domain_list_usbdevs.h"
