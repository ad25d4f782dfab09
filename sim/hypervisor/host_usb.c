/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Carries out what programs write into files below /sys/bus/usb: drivers are bound to interfaces and unbound.
 *
 * Lock: the caller holds machine->lock.
 */
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_SIZE 64
#define PATH_SIZE (sizeof USB_FOLDER + 3 * NAME_SIZE)

/* Stores the name of the interface's driver; "" if no driver is bound. Returns whether the interface exists. */
static bool driver_of(const char *interface, char *name, size_t size)
{
    char path[PATH_SIZE], target[PATH_SIZE];
    snprintf(path, sizeof path, USB_FOLDER "/devices/%s", interface);
    if (!*interface || access(path, F_OK))
        return false;
    strcat(path, "/driver");
    const ssize_t length = readlink(path, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = 0;
    snprintf(name, size, "%s", length < 0 ? "" : strrchr(target, '/') + 1);
    return true;
}

static int bind(const char *interface, const char *driver)
{
    char in_device[PATH_SIZE], in_driver[PATH_SIZE], target[PATH_SIZE];
    snprintf(in_device, sizeof in_device, USB_FOLDER "/devices/%s/driver", interface);
    snprintf(in_driver, sizeof in_driver, USB_FOLDER "/drivers/%s/%s", driver, interface);
    snprintf(target, sizeof target, "../../drivers/%s", driver);
    if (symlink(target, in_device))
        return errno;
    snprintf(target, sizeof target, "../../devices/%s", interface);
    if (!symlink(target, in_driver))
        return 0;
    const int error = errno;
    unlink(in_device);
    return error;
}

static void unbind(const char *interface, const char *driver)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, USB_FOLDER "/devices/%s/driver", interface);
    unlink(path);
    snprintf(path, sizeof path, USB_FOLDER "/drivers/%s/%s", driver, interface);
    unlink(path);
}

int host_usb_write(const char *path, const char *interface)
{
    char driver[NAME_SIZE], file[NAME_SIZE], bound[NAME_SIZE];
    if (sscanf(path, "drivers/%63[^/]/%63s", driver, file) != 2 || strlen(interface) >= NAME_SIZE)
        return EIO;
    const bool known = driver_of(interface, bound, sizeof bound);
    if (!strcmp(file, "bind"))
        return known && !*bound ? bind(interface, driver) : ENODEV;
    if (strcmp(file, "unbind") != 0)
        return EIO;
    if (!known || strcmp(bound, driver) != 0)
        return ENODEV;
    unbind(interface, driver);
    return 0;
}
