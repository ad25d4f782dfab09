/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing beyond the operation. The caller holds the context's lock. */
#include "usb_scan.h"
#include "_libxl_types_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int new_batch(libxl__ao *ao, libxl__usb_scan *scan)
{
    libxl__xs_batch_free(scan->batch);
    scan->batch = libxl__xs_batch_new(ao, scan->domid);
    return scan->batch ? 0 : ERROR_NOMEM;
}

static int run(libxl__xs_batch *batch)
{
    const int rc = libxl__xs_run(batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Reads a number that has digits only. Returns whether the text is one. */
static bool read_number(const char *text, uint32_t *number)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    const unsigned long value = strtoul(text, &end, 10);
    if (*end || errno || value > INT32_MAX)
        return false;
    *number = (uint32_t)value;
    return true;
}

/*
 * Lists the numbers of the controllers. A domain has few controllers, so the first part of the list names all of
 * them.
 */
static int list_numbers(libxl__ao *ao, libxl__usb_scan *scan)
{
    const int rc = new_batch(ao, scan);
    const uint32_t count = scan->domid == LIBXL_DOMID_ALL ? scan->domains.count : 1;
    scan->lists = libxl__gc_alloc(&ao->gc, count * sizeof(*scan->lists));
    if (rc || !scan->lists)
        return ERROR_NOMEM;
    scan->step = LIBXL__USB_NUMBERS;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t domid = scan->domid;
        if (domid == LIBXL_DOMID_ALL && !read_number(scan->domains.names[i], &domid))
            continue;
        scan->lists[i] = libxl__xs_list(scan->batch, 0, "/libxl/%u/device/vusb", domid);
    }
    return run(scan->batch);
}

static void add_controller(libxl__usb_scan *scan, uint32_t domid, const char *name)
{
    libxl__usb_controller *controller = &scan->controllers[scan->count];
    uint32_t devid;
    if (!read_number(name, &devid))
        return;
    controller->device =
        (libxl__device){.cls = &libxl__class_usbctrl, .domid = domid, .devid = devid, .kind = "vusb"};
    scan->count++;
}

/*
 * Returns the number of names in all lists. If scan->controllers is allocated, also adds a controller for each
 * name.
 */
static uint32_t take_names(libxl__usb_scan *scan)
{
    uint32_t count = 0;
    const uint32_t lists = scan->domid == LIBXL_DOMID_ALL ? scan->domains.count : 1;
    for (uint32_t i = 0; i < lists; i++) {
        size_t size = 0;
        const char *version,
            *names = scan->lists[i] ? libxl__xs_names(scan->lists[i], &size, &version) : NULL;
        uint32_t domid = scan->domid;
        if (domid == LIBXL_DOMID_ALL)
            read_number(scan->domains.names[i], &domid);
        for (const char *at = names; names && at < names + size && *at; at += strlen(at) + 1, count++)
            if (scan->controllers)
                add_controller(scan, domid, at);
    }
    return count;
}

/* Reads the keys of all controllers. */
static int read_keys(libxl__ao *ao, libxl__usb_scan *scan)
{
    scan->controllers = NULL;
    scan->count = 0;
    scan->controllers = libxl__gc_alloc(&ao->gc, take_names(scan) * sizeof(*scan->controllers));
    if (!scan->controllers)
        return ERROR_NOMEM;
    take_names(scan);
    const int rc = new_batch(ao, scan);
    if (rc)
        return rc;
    scan->step = LIBXL__USB_KEYS;
#define KEY(key)                                                                                             \
    libxl__xs_read(scan->batch, LIBXL__TOOLSTACK "/" key, LIBXL__TOOLSTACK_OF(&controller->device))
    for (uint32_t i = 0; i < scan->count; i++) {
        libxl__usb_controller *controller = &scan->controllers[i];
        controller->backend = KEY("backend");
        controller->type_node = KEY("type");
        controller->count_node = KEY("num-ports");
    }
#undef KEY
    return run(scan->batch);
}

/* Checks the keys of a controller. If one of them is missing or wrong, `ports` stays 0. */
static void check_keys(libxl__usb_controller *controller)
{
    const char *backend = libxl__xs_value(controller->backend),
               *type = libxl__xs_value(controller->type_node);
    const char *count = libxl__xs_value(controller->count_node);
    libxl__device *device = &controller->device;
    uint32_t ports;
    if (!type || libxl_usbctrl_type_from_string(type, &controller->type) || !count ||
        !read_number(count, &ports))
        return;
    if (backend ? libxl__device_parse_backend(device, backend) : libxl__device_set_emulated(device, type))
        controller->ports = (int)(ports < LIBXL__USB_PORTS ? ports : LIBXL__USB_PORTS);
}

static int read_ports(libxl__ao *ao, libxl__usb_scan *scan)
{
    libxl__xs_batch_free(scan->ports);
    scan->ports = libxl__xs_batch_new(ao, scan->domid);
    if (!scan->ports)
        return ERROR_NOMEM;
    scan->step = LIBXL__USB_PORT_NODES;
    for (uint32_t i = 0; i < scan->count; i++) {
        libxl__usb_controller *controller = &scan->controllers[i];
        const libxl__device *device = &controller->device;
        check_keys(controller);
        for (int port = 1; port <= controller->ports; port++)
            controller->port_nodes[port - 1] =
                device->emulated
                    ? libxl__xs_read(scan->ports, LIBXL__TOOLSTACK "/port/%d", LIBXL__TOOLSTACK_OF(device),
                                     port)
                    : libxl__xs_read(scan->ports, LIBXL__BACKEND "/port/%d", LIBXL__BACKEND_OF(device), port);
    }
    return run(scan->ports);
}

int libxl__usb_scan_start(libxl__ao *ao, libxl__usb_scan *scan, uint32_t domid)
{
    scan->domid = domid;
    if (domid != LIBXL_DOMID_ALL)
        return list_numbers(ao, scan);
    scan->step = LIBXL__USB_DOMAINS;
    return libxl__xs_directory_start(ao, &scan->domains, "/libxl");
}

int libxl__usb_scan_poll(libxl__ao *ao, libxl__usb_scan *scan)
{
    libxl__xs_batch *batch = scan->step == LIBXL__USB_PORT_NODES ? scan->ports : scan->batch;
    int rc;
    if (scan->step == LIBXL__USB_DOMAINS) {
        rc = libxl__xs_directory_step(ao, &scan->domains);
        return rc ? rc : list_numbers(ao, scan);
    }
    if (!libxl__xs_done(batch))
        return LIBXL__AO_WAIT;
    rc = libxl__xs_result(batch);
    if (rc || scan->step == LIBXL__USB_PORT_NODES)
        return rc;
    return scan->step == LIBXL__USB_NUMBERS ? read_keys(ao, scan) : read_ports(ao, scan);
}

libxl__usb_controller *libxl__usb_scan_find(const libxl__usb_scan *scan, uint32_t domid, int devid)
{
    for (uint32_t i = 0; i < scan->count; i++) {
        libxl__usb_controller *controller = &scan->controllers[i];
        if (controller->ports && controller->device.domid == domid && (int)controller->device.devid == devid)
            return controller;
    }
    return NULL;
}

int libxl__usb_scan_next(const libxl__usb_scan *scan, uint32_t domid)
{
    int next = 0;
    for (uint32_t i = 0; i < scan->count; i++)
        if (scan->controllers[i].device.domid == domid && (int)scan->controllers[i].device.devid >= next)
            next = (int)scan->controllers[i].device.devid + 1;
    return next;
}

const char *libxl__usb_scan_port(const libxl__usb_controller *controller, int port)
{
    return port >= 1 && port <= controller->ports ? libxl__xs_value(controller->port_nodes[port - 1]) : NULL;
}

static void port_path(const libxl__usb_controller *controller, int port, char path[LIBXL__DEVICE_PATH])
{
    const libxl__device *device = &controller->device;
    if (device->emulated)
        snprintf(path, LIBXL__DEVICE_PATH, LIBXL__TOOLSTACK "/port/%d", LIBXL__TOOLSTACK_OF(device), port);
    else
        snprintf(path, LIBXL__DEVICE_PATH, LIBXL__BACKEND "/port/%d", LIBXL__BACKEND_OF(device), port);
}

libxl__xs_request *libxl__usb_read_port(libxl__xs_batch *batch, const libxl__usb_controller *controller,
                                        int port)
{
    char path[LIBXL__DEVICE_PATH];
    port_path(controller, port, path);
    return libxl__xs_read(batch, "%s", path);
}

void libxl__usb_write_port(libxl__xs_batch *batch, const libxl__usb_controller *controller, int port, int rc,
                           const char *from, const char *to)
{
    char path[LIBXL__DEVICE_PATH];
    port_path(controller, port, path);
    libxl__xs_require(batch, rc, from, "%s", path);
    libxl__xs_write(batch, LIBXL__XS_INHERITS, to, "%s", path);
}
