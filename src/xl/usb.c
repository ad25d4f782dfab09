/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and writes USB controllers and devices. Owns nothing; takes no lock. */
#include "devices.h"

#define CTRL(n, k, f) LIBXL__XL_ROW(n, k, libxl_device_usbctrl, f)
#define DEV(n, k, f)  LIBXL__XL_ROW(n, k, libxl_device_usbdev, f)

static const libxl__xl_word types[] = {
    {"auto", LIBXL_USBCTRL_TYPE_AUTO},
    {"pv", LIBXL_USBCTRL_TYPE_PV},
    {"qusb", LIBXL_USBCTRL_TYPE_QUSB},
    {"devicemodel", LIBXL_USBCTRL_TYPE_DEVICEMODEL},
    {NULL, 0},
};

static const libxl__xl_field ctrl_parameters[] = {
    {CTRL("type", ENUM, type), .words = types, .any_case = true},
    {CTRL("version", INTEGER, version)},
    {CTRL("ports", INTEGER, ports)},
    {.name = NULL},
};
static const libxl__xl_style style = {.skipped = " "};

void libxl__xl_read_usbctrl(libxl__xl *x, libxl_device_usbctrl *ctrl, const libxl__xl_text *spec)
{
    libxl__xl_params(x, ctrl, "usbctrl", spec, &style, ctrl_parameters, LIBXL__XL_ERROR);
}

static const libxl__xl_word dev_types[] = {{"hostdev", LIBXL_USBDEV_TYPE_HOSTDEV}, {NULL, 0}};

static const libxl__xl_field dev_parameters[] = {
    {DEV("type", ENUM, type), .words = dev_types, .any_case = true},
    {DEV("hostbus", INTEGER, u.hostdev.hostbus), .max = UINT8_MAX},
    {DEV("hostaddr", INTEGER, u.hostdev.hostaddr), .max = UINT8_MAX},
    {DEV("controller", INTEGER, ctrl)},
    {DEV("port", INTEGER, port)},
    {.name = NULL},
};

void libxl__xl_read_usbdev(libxl__xl *x, libxl_device_usbdev *dev, const libxl__xl_text *spec)
{
    libxl_device_usbdev_init_type(dev, LIBXL_USBDEV_TYPE_HOSTDEV);
    const unsigned before = x->errors;
    libxl__xl_params(x, dev, "usbdev", spec, &style, dev_parameters, LIBXL__XL_ERROR);
    if ((!dev->u.hostdev.hostbus || !dev->u.hostdev.hostaddr) && x->errors == before)
        libxl__xl_doubt(x, libxl__xl_place_in(spec, 0), "usbdev: hostbus and hostaddr are expected");
}

void libxl__xl_write_usbctrl(FILE *out, const libxl_device_usbctrl *ctrl, const libxl_device_usbctrl *base)
{
    libxl__xl_write_params(out, ctrl, base, ctrl_parameters, NULL);
}

/* Writes the type before hostbus and hostaddr, because xl accepts these two only after the type. */
void libxl__xl_write_usbdev(FILE *out, const libxl_device_usbdev *dev, const libxl_device_usbdev *base)
{
    fputs("type=hostdev,", out);
    libxl__xl_write_params(out, dev, base, dev_parameters + 1, NULL);
}
