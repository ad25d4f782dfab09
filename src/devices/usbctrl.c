/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class usbctrl: a USB controller. usbback or QEMU serves a paravirtual controller, which has the same three trees
 * as any device. The device model of an HVM domain makes an emulated controller, which has only the toolstack's tree.
 * The operations in src/ops/usb_*.c put devices into the ports.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"
#include "usb_release.h"

#include <json-c/json.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_VERSION = 2, DEFAULT_PORTS = 8, MOST_XHCI_PORTS = 15 };

/* QEMU's names of controllers; the index is the version of USB */
static const char *const drivers[] = {NULL, "piix3-usb-uhci", "usb-ehci", "nec-usb-xhci"};
/* The fixed numbers of ports of emulated controllers; 0: the number is not fixed. The index is the version of USB. */
static const int fixed_ports[] = {0, 2, 6, 0};

struct usbctrl_host {
    libxl__qmp plug, unplug; /* the commands for an emulated controller */
    libxl__xs_batch *batch;
    const libxl__xs_request *type, *ports[LIBXL__USB_PORTS];
    libxl__usb_release release;
    bool releasing, unplugging;
    int release_rc; /* the error of giving the devices in the ports back to the host; 0: no error */
};

static libxl_device_usbctrl *usbctrl_of(const libxl__device *device)
{
    return device->config;
}

/* ---- the configuration */

/* Chooses the type as libxl does. */
static void choose_type(const libxl__device *device, libxl_device_usbctrl *ctrl)
{
    if (ctrl->type == LIBXL_USBCTRL_TYPE_AUTO)
        ctrl->type = device->hvm                ? LIBXL_USBCTRL_TYPE_DEVICEMODEL
                     : libxl__usb_has_usbback() ? LIBXL_USBCTRL_TYPE_PV
                                                : LIBXL_USBCTRL_TYPE_QUSB;
}

int libxl__usbctrl_ports(const libxl_device_usbctrl *ctrl, bool hvm)
{
    const int version = ctrl->version ? ctrl->version : DEFAULT_VERSION;
    const bool emulated =
        ctrl->type == LIBXL_USBCTRL_TYPE_DEVICEMODEL || (ctrl->type == LIBXL_USBCTRL_TYPE_AUTO && hvm);
    const int fixed = emulated && version >= 1 && version <= 3 ? fixed_ports[version] : 0;
    return ctrl->ports ? ctrl->ports : fixed ? fixed : DEFAULT_PORTS;
}

static int check_ports(libxl__ao *ao, libxl_device_usbctrl *ctrl, int usual, int most)
{
    if (!ctrl->ports)
        ctrl->ports = usual;
    if (ctrl->ports >= 1 && ctrl->ports <= most)
        return 0;
    return libxl__ao_fail(ao, ERROR_INVAL,
                          "ports: %d; a controller of this type and version has 1 to %d ports", ctrl->ports,
                          most);
}

/* Checks an emulated controller. Controllers for USB 1 and USB 2 have a fixed number of ports. */
static int check_emulated(libxl__ao *ao, const libxl__device *device, libxl_device_usbctrl *ctrl)
{
    if (!device->hvm)
        return libxl__ao_fail(ao, ERROR_INVAL, "type: only an HVM domain has a device model");
    if (ctrl->backend_domid || ctrl->backend_domname)
        return libxl__ao_fail(ao, ERROR_INVAL, "backend_domid: the device model runs in domain 0");
    if (ctrl->version < 1 || ctrl->version > 3)
        return libxl__ao_fail(ao, ERROR_INVAL, "version: %d is not 1, 2 or 3", ctrl->version);
    const int ports = fixed_ports[ctrl->version];
    if (!ports || !ctrl->ports || ctrl->ports == ports)
        return check_ports(ao, ctrl, ports ? ports : DEFAULT_PORTS, MOST_XHCI_PORTS);
    return libxl__ao_fail(ao, ERROR_INVAL, "ports: %d; a controller of version %d has %d ports", ctrl->ports,
                          ctrl->version, ports);
}

static int check(libxl__ao *ao, libxl__device *device)
{
    libxl_device_usbctrl *ctrl = usbctrl_of(device);
    device->devid = (uint32_t)ctrl->devid;
    choose_type(device, ctrl);
    snprintf(device->backend_kind, sizeof(device->backend_kind), "%s",
             ctrl->type == LIBXL_USBCTRL_TYPE_QUSB ? "qusb" : "vusb");
    if (!ctrl->version)
        ctrl->version = DEFAULT_VERSION;
    device->emulated = ctrl->type == LIBXL_USBCTRL_TYPE_DEVICEMODEL;
    if (device->emulated)
        return check_emulated(ao, device, ctrl);
    if (ctrl->type != LIBXL_USBCTRL_TYPE_PV && ctrl->type != LIBXL_USBCTRL_TYPE_QUSB)
        return libxl__ao_fail(ao, ERROR_INVAL, "type: %d is not a type of controllers", (int)ctrl->type);
    if (ctrl->version < 1 || ctrl->version > 2)
        return libxl__ao_fail(ao, ERROR_INVAL, "version: %d; a paravirtual controller has version 1 or 2",
                              ctrl->version);
    if (ctrl->type == LIBXL_USBCTRL_TYPE_QUSB && (ctrl->backend_domid || ctrl->backend_domname))
        return libxl__ao_fail(ao, ERROR_INVAL, "backend_domid: QEMU runs in domain 0");
    if (ctrl->type == LIBXL_USBCTRL_TYPE_PV && !ctrl->backend_domid && !ctrl->backend_domname &&
        !libxl__usb_has_usbback())
        return libxl__ao_fail(ao, ERROR_NI,
                              "type: this host's kernel has no usbback, which serves pv controllers");
    return check_ports(ao, ctrl, DEFAULT_PORTS, LIBXL__USB_PORTS);
}

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl_device_usbctrl *ctrl = usbctrl_of(nodes->device);
    char key[16];
    libxl__backend_key(nodes, "type", "%s", libxl_usbctrl_type_to_string(ctrl->type));
    libxl__backend_key(nodes, "usb-ver", "%d", ctrl->version);
    libxl__backend_key(nodes, "num-ports", "%d", ctrl->ports);
    libxl__backend_key(nodes, "port", "%s", "");
    for (int port = 1; port <= ctrl->ports; port++) {
        snprintf(key, sizeof(key), "port/%d", port);
        libxl__backend_key(nodes, key, "%s", "");
    }
}

static const char *const read_keys[] = {"type", "usb-ver", "num-ports", NULL};

static int read_config(const libxl__device *device, void *config, const char *const values[])
{
    libxl_device_usbctrl *ctrl = config;
    if (!values[0] || libxl_usbctrl_type_from_string(values[0], &ctrl->type) ||
        device->emulated != (ctrl->type == LIBXL_USBCTRL_TYPE_DEVICEMODEL))
        return 1;
    ctrl->version = values[1] ? atoi(values[1]) : 0;
    ctrl->ports = values[2] ? atoi(values[2]) : 0;
    return 0;
}

/* Removes the USB devices of the controller with this number from the configuration. */
static void forget_devices(libxl_domain_config *config, int number)
{
    int kept = 0;
    for (int i = 0; i < config->num_usbdevs; i++) {
        if (config->usbdevs[i].ctrl == number)
            libxl_device_usbdev_dispose(&config->usbdevs[i]);
        else
            config->usbdevs[kept++] = config->usbdevs[i];
    }
    config->num_usbdevs = kept;
}

/* ---- emulated controllers: the device model plugs them in */

static int online_start(libxl__ao *ao, libxl__device *device)
{
    const libxl_device_usbctrl *ctrl = usbctrl_of(device);
    struct usbctrl_host *host = device->host;
    char id[32], ports[16];
    if (!device->emulated)
        return 0;
    snprintf(id, sizeof(id), LIBXL__USB_CONTROLLER_ID, device->devid);
    snprintf(ports, sizeof(ports), "%d", ctrl->ports);
    struct json_object *object = libxl__qmp_text("driver", drivers[ctrl->version]);
    const bool made = object && libxl__qmp_set_text(object, "id", id) &&
                      (ctrl->version < 3 || (libxl__qmp_set_text(object, "p2", ports) &&
                                             libxl__qmp_set_text(object, "p3", ports)));
    if (!made) {
        json_object_put(object);
        return ERROR_NOMEM;
    }
    const int rc = libxl__qmp_add(ao, &host->plug, "device_add", object, -1);
    return rc ? rc : libxl__qmp_start(ao, &host->plug, device->domid);
}

static int online_poll(libxl__ao *ao, libxl__device *device)
{
    struct usbctrl_host *host = device->host;
    return libxl__qmp_poll_model(ao, &host->plug, device->domid);
}

/*
 * Ends the connection of the addition. QEMU serves one connection after the other, so this must happen before the
 * removal can send commands.
 */
static int abandon(libxl__ao *ao, libxl__device *device)
{
    struct usbctrl_host *host = device->host;
    libxl__qmp_leave(ao, &host->plug);
    return 0;
}

/* ---- removal: first the host gets back the devices in the ports */

/*
 * Prepares the command that unplugs the controller. Without `patient` it would fail after 10 s, and a QEMU that
 * answers later would keep the controller. The limit of the removal's phase `host` ends the wait.
 */
static int offline_reserve(libxl__ao *ao, libxl__device *device)
{
    struct usbctrl_host *host = device->host;
    char id[32];
    snprintf(id, sizeof(id), LIBXL__USB_CONTROLLER_ID, device->devid);
    host->unplug.patient = true;
    const int rc = libxl__qmp_add(ao, &host->unplug, "device_del", libxl__qmp_text("id", id), -1);
    return rc ? rc : libxl__qmp_reserve(ao, &host->unplug);
}

/*
 * Unplugs an emulated controller after its devices were given back. Unplugs the controller even if the devices could
 * not be given back, because the nodes of the controller are removed, and the next controller with this number has the
 * same name in the device model. In that case returns the error of the devices.
 */
static int released(libxl__ao *ao, libxl__device *device, int rc)
{
    struct usbctrl_host *host = device->host;
    if (rc == LIBXL__AO_WAIT || !device->emulated)
        return rc;
    host->release_rc = rc;
    host->unplugging = true;
    return libxl__qmp_start(ao, &host->unplug, device->domid);
}

static int offline_start(libxl__ao *ao, libxl__device *device)
{
    struct usbctrl_host *host = device->host;
    char tree[LIBXL__DEVICE_PATH];
    if (device->emulated)
        snprintf(tree, sizeof(tree), LIBXL__TOOLSTACK, LIBXL__TOOLSTACK_OF(device));
    else
        snprintf(tree, sizeof(tree), LIBXL__BACKEND, LIBXL__BACKEND_OF(device));
    host->batch = libxl__xs_batch_new(ao, device->domid);
    if (!host->batch)
        return released(ao, device, ERROR_NOMEM);
    host->type = libxl__xs_read(host->batch, "%s/type", tree);
    for (int port = 1; port <= LIBXL__USB_PORTS; port++)
        host->ports[port - 1] = libxl__xs_read(host->batch, "%s/port/%d", tree, port);
    const int rc = libxl__xs_run(host->batch, LIBXL__XS_ONE_BY_ONE);
    return released(ao, device, rc ? rc : LIBXL__AO_WAIT);
}

/* Starts to give the devices in the ports back to the host. */
static int start_release(libxl__ao *ao, struct usbctrl_host *host, uint32_t domid)
{
    libxl__usb_release *release = &host->release;
    const char *type = libxl__xs_value(host->type);
    host->releasing = true;
    release->domid = domid;
    release->devices = libxl__gc_alloc(&ao->gc, LIBXL__USB_PORTS * sizeof(*release->devices));
    if (!release->devices)
        return ERROR_NOMEM;
    if (!type || libxl_usbctrl_type_from_string(type, &release->type))
        return 0;
    for (int i = 0; i < LIBXL__USB_PORTS; i++) {
        const char *busid = libxl__xs_value(host->ports[i]);
        if (busid && libxl__usb_is_busid(busid))
            snprintf(release->devices[release->count++].busid, LIBXL__USB_BUSID, "%s", busid);
    }
    return libxl__usb_release_start(ao, release);
}

static int offline_poll(libxl__ao *ao, libxl__device *device)
{
    struct usbctrl_host *host = device->host;
    if (host->unplugging) {
        const int unplugged = libxl__usb_unplug_poll(ao, &host->unplug);
        return unplugged ? unplugged : host->release_rc;
    }
    if (host->releasing)
        return released(ao, device, libxl__usb_release_poll(ao, &host->release));
    if (!libxl__xs_done(host->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(host->batch);
    return released(ao, device, rc ? rc : start_release(ao, host, device->domid));
}

LIBXL__DEVICE_CONFIG(usbctrl)
const libxl__device_class libxl__class_usbctrl = {
    LIBXL__DEVICE_ROW(usbctrl, usbctrls, "vusb"),
    .waits_for_backend = true,
    .closes_without_frontend = true,
    .after_model = true,
    .emulated_type = "devicemodel",
    .host_size = sizeof(struct usbctrl_host),
    .check = check,
    .write = write_nodes,
    .read_keys = read_keys,
    .read = read_config,
    .forget = forget_devices,
    .online_start = online_start,
    .online_poll = online_poll,
    .abandon = abandon,
    .offline_reserve = offline_reserve,
    .offline_start = offline_start,
    .offline_poll = offline_poll,
};
