/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of the operations on USB devices (idl/usb_operations.idl). Owns: nothing. */
#include "operations.h"

/* Returns a device of the simulated machine; it owns no memory. */
static libxl_device_usbdev stick(void)
{
    libxl_device_usbdev usbdev;
    libxl_device_usbdev_init(&usbdev);
    usbdev.u.hostdev.hostbus = 1;
    usbdev.u.hostdev.hostaddr = 2;
    return usbdev;
}

/* Removes the controller that the operation has added, and the device with it. */
static int remove_controller(struct starter *s, int rc)
{
    libxl_device_usbctrl usbctrl;
    libxl_device_usbctrl_init(&usbctrl);
    usbctrl.devid = 0;
    if (!rc)
        libxl_device_usbctrl_destroy(s->ctx, s->guest, &usbctrl, NULL);
    return rc;
}

static int start_usbdev_add(struct starter *s)
{
    libxl_device_usbdev usbdev = stick();
    return remove_controller(s, libxl_device_usbdev_add(s->ctx, s->guest, &usbdev, NULL));
}
FILLS_GUEST(usbdev_add, device_usbdev_add, args->in.usbdev = stick())

FILLS_GUEST(usbdev_check, device_usbdev_check, args->in.usbdev = stick(), args->in.replaces = true)

static int start_usbdev_remove(struct starter *s)
{
    libxl_device_usbdev usbdev = stick();
    libxl_device_usbdev_add(s->ctx, s->guest, &usbdev, NULL);
    usbdev.ctrl = 0;
    usbdev.port = 1;
    return remove_controller(s, libxl_device_usbdev_remove(s->ctx, s->guest, &usbdev, NULL));
}
FILLS_GUEST(usbdev_remove, device_usbdev_remove, args->in.usbdev = stick(), args->in.usbdev.ctrl = 0,
            args->in.usbdev.port = 1)

STARTS(usbdev_list, usbdev_list, libxl_domain_list_usbdevs(s->ctx, s->guest, &out, NULL))
FILLS_GUEST(list_usbdevs, domain_list_usbdevs, args->out.list = &s->results.usbdevs)

static const struct operation_row rows[] = {
    {SWEPT(DEVICE_USBDEV_ADD, usbdev_add, fill_usbdev_add, ANY_GUEST)},
    {HIDDEN_IN(DEVICE_USBDEV_CHECK, DEVICE_USBDEV_CHECK, fill_usbdev_check, WITH_USB)},
    {SWEPT(DEVICE_USBDEV_REMOVE, usbdev_remove, fill_usbdev_remove, WITH_USB)},
    {SWEPT(DOMAIN_LIST_USBDEVS, usbdev_list, fill_list_usbdevs, WITH_USB)},
};
OPERATION_FAMILY(usb_operations);
