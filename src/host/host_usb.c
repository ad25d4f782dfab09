/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. Any thread may call the functions, unlocked; they can block. */
#include "host_usb.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

#define DEVICES "/sys/bus/usb/devices"
#define DRIVERS "/sys/bus/usb/drivers"

enum { PATH_SIZE = 160, HUB = 9 /* bDeviceClass of a hub */ };

bool libxl__usb_is_busid(const char *text)
{
    const char *at = text + strspn(text, "0123456789");
    if (at == text || *at != '-' || strlen(text) >= LIBXL__USB_BUSID)
        return false;
    do {
        const size_t digits = strspn(++at, "0123456789");
        if (!digits)
            return false;
        at += digits;
    } while (*at == '.');
    return !*at;
}

bool libxl__usb_is_driver(const char *path)
{
    return libxl__sysfs_is_driver(DRIVERS, path);
}

bool libxl__usb_has_usbback(void)
{
    return !access(LIBXL__USBBACK, F_OK);
}

/* ---- reading the kernel's information about USB devices */

/* Returns the number in a file of a device, in base `base`; -1: the file is missing or has no number. */
static int number_in(const char *busid, const char *name, int base)
{
    char path[PATH_SIZE], text[16] = "", *end = text;
    snprintf(path, sizeof(path), DEVICES "/%s/%s", busid, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    const bool read = fgets(text, sizeof(text), file);
    fclose(file);
    const unsigned long number = read ? strtoul(text, &end, base) : 0;
    return end == text || number > UINT8_MAX ? -1 : (int)number;
}

/* Stores the driver of the interface. Errors: those of libxl__sysfs_driver_of. */
static int find_driver(libxl__usb_interface *interface, char why[LIBXL__SYSFS_WHY])
{
    char device[PATH_SIZE];
    snprintf(device, sizeof(device), DEVICES "/%s", interface->name);
    return libxl__sysfs_driver_of(DRIVERS, device, interface->driver, why);
}

/* Returns whether `name` is the name of an interface of the device. */
static bool is_interface(const char *busid, const char *name)
{
    const size_t length = strlen(busid);
    return !strncmp(name, busid, length) && name[length] == ':' && strlen(name) < LIBXL__USB_NAME;
}

/* Lists the interfaces of a device. Errors: those of find_driver. */
static int find_interfaces(const char *busid, libxl__usb_interface *list, uint32_t *count,
                           char why[LIBXL__SYSFS_WHY])
{
    int rc = 0;
    *count = 0;
    DIR *folder = opendir(DEVICES);
    if (!folder)
        return libxl__sysfs_fail_errno(why, DEVICES);
    for (const struct dirent *entry; !rc && (entry = readdir(folder));) {
        if (!is_interface(busid, entry->d_name))
            continue;
        if (*count == LIBXL__USB_INTERFACES)
            rc = libxl__sysfs_fail(why, ERROR_FAIL, "%s: more than %d interfaces", busid,
                                   LIBXL__USB_INTERFACES);
        else {
            libxl__usb_interface *interface = &list[(*count)++];
            snprintf(interface->name, sizeof(interface->name), "%.*s", LIBXL__USB_NAME - 1, entry->d_name);
            rc = find_driver(interface, why);
        }
    }
    closedir(folder);
    return rc;
}

/* Reads the facts about a device whose name is known. */
static int read_facts(libxl__usb_device *device, char why[LIBXL__SYSFS_WHY])
{
    const int bus = number_in(device->busid, "busnum", 10), address = number_in(device->busid, "devnum", 10);
    device->exists = bus > 0 && address > 0;
    if (!device->exists)
        return 0;
    device->bus = (uint8_t)bus;
    device->address = (uint8_t)address;
    device->hub = number_in(device->busid, "bDeviceClass", 16) == HUB;
    return device->interfaces
               ? find_interfaces(device->busid, device->interfaces, &device->interface_count, why)
               : 0;
}

/*
 * Finds the device with device->bus and device->address, and stores its name. If there is no such device,
 * does not change the name.
 */
static int find_name(libxl__usb_device *device, char why[LIBXL__SYSFS_WHY])
{
    DIR *folder = opendir(DEVICES);
    if (!folder)
        return errno == ENOENT ? 0 : libxl__sysfs_fail_errno(why, DEVICES);
    for (const struct dirent *entry; !*device->busid && (entry = readdir(folder));)
        if (libxl__usb_is_busid(entry->d_name) && number_in(entry->d_name, "busnum", 10) == device->bus &&
            number_in(entry->d_name, "devnum", 10) == device->address)
            snprintf(device->busid, sizeof(device->busid), "%.*s", LIBXL__USB_BUSID - 1, entry->d_name);
    closedir(folder);
    return 0;
}

int libxl__usb_look(libxl__usb_device *device, char why[LIBXL__SYSFS_WHY])
{
    const int rc = *device->busid ? 0 : find_name(device, why);
    device->exists = false;
    return rc || !*device->busid ? rc : read_facts(device, why);
}

/* ---- binding USB interfaces to usbback, and giving them back */

/* Unbinds an interface from its driver, if it has one. Then binds it to another driver; "": to no driver. */
static int rebind(const char *name, const char *driver, char why[LIBXL__SYSFS_WHY])
{
    libxl__usb_interface now;
    snprintf(now.name, sizeof(now.name), "%s", name);
    int rc = find_driver(&now, why);
    if (!rc && *now.driver && strcmp(now.driver, driver) != 0)
        rc = libxl__sysfs_write(why, now.driver, "unbind", name);
    return rc || !*driver || !strcmp(now.driver, driver) ? rc : libxl__sysfs_write(why, driver, "bind", name);
}

int libxl__usb_take(const libxl__usb_device *device, char why[LIBXL__SYSFS_WHY])
{
    char ignored[LIBXL__SYSFS_WHY];
    int rc = 0;
    if (!libxl__usb_has_usbback())
        return libxl__sysfs_fail(why, ERROR_NI,
                                 "this host's kernel has no usbback, which serves USB devices to PV guests");
    for (uint32_t i = 0; i < device->interface_count && !rc; i++)
        rc = rebind(device->interfaces[i].name, LIBXL__USBBACK, why);
    if (rc)
        libxl__usb_give_back(device, ignored);
    return rc;
}

/* Returns the former driver of an interface; "": none is known. */
static const char *former_driver(const libxl__usb_device *device, const char *name)
{
    for (uint32_t i = 0; i < device->interface_count; i++)
        if (!strcmp(device->interfaces[i].name, name))
            return device->interfaces[i].driver;
    return "";
}

/* Binds an interface to its former driver. Does nothing if a driver other than usbback has the interface. */
static int give_back(const libxl__usb_device *device, const libxl__usb_interface *now,
                     char why[LIBXL__SYSFS_WHY])
{
    const bool is_ours = !*now->driver || !strcmp(now->driver, LIBXL__USBBACK);
    return is_ours ? rebind(now->name, former_driver(device, now->name), why) : 0;
}

int libxl__usb_give_back(const libxl__usb_device *device, char why[LIBXL__SYSFS_WHY])
{
    libxl__usb_interface now[LIBXL__USB_INTERFACES];
    char ignored[LIBXL__SYSFS_WHY] = "";
    uint32_t count;
    int first = find_interfaces(device->busid, now, &count, why);
    for (uint32_t i = 0; i < count; i++) {
        const int rc = give_back(device, &now[i], first ? ignored : why);
        first = first ? first : rc;
    }
    return first;
}
