/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks the devices of a configuration against each other. Each device alone may be right, and its addition fails
 * nevertheless, because another device of the configuration has its number or its port.
 *
 * Owns: nothing except the operation's memory. The caller holds the context's lock.
 */
#include "create_devices.h"

#include "device.h"
#include "usb_check.h"

#include <stdlib.h>

/* The number of a device, and its index in its array. */
typedef struct numbered {
    int64_t number;
    int index;
} numbered;

static int compare(const void *a, const void *b)
{
    const numbered *left = a, *right = b;
    return left->number != right->number ? (left->number > right->number) - (left->number < right->number)
                                         : left->index - right->index;
}

/* Returns the index of a device whose number an earlier device has. Returns -1 if there is none. */
static int find_twice(numbered *devices, int count)
{
    qsort(devices, (size_t)count, sizeof(*devices), compare);
    for (int i = 1; i < count; i++)
        if (devices[i].number >= 0 && devices[i].number == devices[i - 1].number)
            return devices[i].index;
    return -1;
}

static int check_numbers(libxl__ao *ao, const libxl__device_class *cls, const libxl_domain_config *config)
{
    const char *configs = *(char *const *)((const char *)config + cls->config_at);
    const int count = *(const int *)((const char *)config + cls->count_at);
    if (count < 2)
        return 0;
    numbered *devices = libxl__gc_alloc(&ao->gc, (size_t)count * sizeof(*devices));
    if (!devices)
        return ERROR_NOMEM;
    for (int i = 0; i < count; i++)
        devices[i] = (numbered){.number = libxl__device_number(cls, configs + (size_t)i * cls->config_size),
                                .index = i};
    const int twice = find_twice(devices, count);
    return twice < 0 ? 0
                     : libxl__ao_fail(ao, ERROR_INVAL, "%s[%d]: the number of another %s is given again",
                                      cls->array, twice, cls->name);
}

/* ---- USB devices, which are added one after the other, as usb_add.c does it */

typedef struct ports {
    int devid;
    uint32_t free;  /* bit N: port N is free */
    bool elsewhere; /* another domain serves the controller */
} ports;

static uint32_t ports_of(int count)
{
    return count >= 1 && count <= LIBXL__USB_PORTS ? (uint32_t)((UINT64_C(2) << count) - 2) : 0;
}

/* Returns the controller for a device that names none. Returns NULL if none has a free port. */
static ports *choose(ports *controllers, int count)
{
    ports *chosen = NULL;
    for (int i = 0; i < count; i++)
        if (controllers[i].free && !controllers[i].elsewhere &&
            (!chosen || controllers[i].devid < chosen->devid))
            chosen = &controllers[i];
    return chosen;
}

static ports *find(ports *controllers, int count, int devid)
{
    for (int i = 0; i < count; i++)
        if (controllers[i].devid == devid)
            return &controllers[i];
    return NULL;
}

/* Takes the port of a device that names its controller. */
static int take_port(libxl__ao *ao, ports *controller, const libxl_device_usbdev *usbdev, int index)
{
    if (!controller)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "usbdevs[%d]: ctrl: there is no USB controller %d", index,
                              usbdev->ctrl);
    if (controller->elsewhere)
        return libxl__ao_fail(ao, ERROR_NI, "usbdevs[%d]: ctrl: another domain serves controller %d", index,
                              usbdev->ctrl);
    const uint32_t wanted = usbdev->port ? UINT32_C(1) << usbdev->port : ~UINT32_C(0);
    if (!(controller->free & wanted))
        return libxl__ao_fail(ao, ERROR_BUSY, "usbdevs[%d]: port: controller %d does not have this port free",
                              index, usbdev->ctrl);
    controller->free &= usbdev->port ? ~wanted : controller->free - 1;
    return 0;
}

static int take_ports(libxl__ao *ao, const libxl_domain_config *config, ports *controllers)
{
    const bool hvm = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    int count = config->num_usbctrls, next = 0, rc = 0;
    libxl_device_usbctrl added;
    libxl_device_usbctrl_init(&added);
    for (int i = 0; i < count; i++) {
        const libxl_device_usbctrl *ctrl = &config->usbctrls[i];
        controllers[i] = (ports){.devid = ctrl->devid,
                                 .free = ports_of(libxl__usbctrl_ports(ctrl, hvm)),
                                 .elsewhere = ctrl->backend_domid != 0};
        if (ctrl->devid >= next && ctrl->devid < INT32_MAX)
            next = ctrl->devid + 1;
    }
    for (int i = 0; i < config->num_usbdevs && !rc; i++) {
        const libxl_device_usbdev *usbdev = &config->usbdevs[i];
        ports *controller =
            usbdev->ctrl < 0 ? choose(controllers, count) : find(controllers, count, usbdev->ctrl);
        if (usbdev->ctrl < 0 && !controller) {
            controller = &controllers[count++];
            *controller = (ports){.devid = next++, .free = ports_of(libxl__usbctrl_ports(&added, hvm))};
        }
        rc = take_port(ao, controller, usbdev, i);
    }
    return rc;
}

static int check_usbdevs(libxl__ao *ao, const libxl_domain_config *config)
{
    const int count = config->num_usbdevs;
    if (!count)
        return 0;
    numbered *devices = libxl__gc_alloc(&ao->gc, (size_t)count * sizeof(*devices));
    ports *controllers =
        libxl__gc_alloc(&ao->gc, (size_t)(config->num_usbctrls + count) * sizeof(*controllers));
    if (!devices || !controllers)
        return ERROR_NOMEM;
    for (int i = 0; i < count; i++) {
        const libxl_device_usbdev *usbdev = &config->usbdevs[i];
        const int rc = libxl__usb_check_config(ao, usbdev);
        if (rc)
            return rc;
        devices[i] =
            (numbered){.number = usbdev->u.hostdev.hostbus << 8 | usbdev->u.hostdev.hostaddr, .index = i};
    }
    const int twice = find_twice(devices, count);
    return twice < 0
               ? take_ports(ao, config, controllers)
               : libxl__ao_fail(ao, ERROR_INVAL, "usbdevs[%d]: u.hostdev: the device is given twice", twice);
}

int libxl__devices_agree(libxl__ao *ao, const libxl_domain_config *config)
{
    int rc = 0;
    for (const libxl__device_class *const *cls = libxl__device_classes; *cls && !rc; cls++)
        rc = check_numbers(ao, *cls, config);
    return rc ? rc : check_usbdevs(ao, config);
}
