/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A search for the USB controllers of domains and for the devices in their ports. Call all functions with the context
 * locked.
 */
#ifndef LIBXL__USB_SCAN_H
#define LIBXL__USB_SCAN_H

#include "device.h"
#include "ops.h"
#include "usb.h"
#include "xs_directory.h"

/* A controller as it was read. Other toolstacks may have written its nodes. */
typedef struct libxl__usb_controller {
    libxl__device device;
    libxl_usbctrl_type type;
    int ports; /* 0 to LIBXL__USB_PORTS; 0: its nodes are incomplete, so it is ignored */
    const libxl__xs_request *backend, *type_node, *count_node;
    const libxl__xs_request *port_nodes[LIBXL__USB_PORTS];
} libxl__usb_controller;

/* A search for all controllers. Embed it in the operation's state; zero-initialise it. It can be started again. */
typedef struct libxl__usb_scan {
    uint32_t domid; /* LIBXL_DOMID_ALL: of all domains */
    libxl__xs_directory domains;
    libxl__xs_batch *batch, *ports;
    /* For each domain, the request that lists the numbers of its controllers. */
    const libxl__xs_request **lists;
    libxl__usb_controller *controllers;
    uint32_t count;
    enum { LIBXL__USB_DOMAINS, LIBXL__USB_NUMBERS, LIBXL__USB_KEYS, LIBXL__USB_PORT_NODES } step;
} libxl__usb_scan;

/*
 * Call these from a phase's start and poll. They return LIBXL__AO_WAIT, 0 or an error, recorded in ao. Errors: NOMEM,
 * and those of libxl__xs_result.
 */
int libxl__usb_scan_start(libxl__ao *ao, libxl__usb_scan *scan, uint32_t domid);
int libxl__usb_scan_poll(libxl__ao *ao, libxl__usb_scan *scan);
/* Returns a controller of a domain, or NULL. */
libxl__usb_controller *libxl__usb_scan_find(const libxl__usb_scan *scan, uint32_t domid, int devid);
/* Returns a number that no controller of the domain has. */
int libxl__usb_scan_next(const libxl__usb_scan *scan, uint32_t domid);
/* Returns the name of the device in a port, "" if the port is empty, or NULL if there is no such port. */
const char *libxl__usb_scan_port(const libxl__usb_controller *controller, int port);
/*
 * Adds two requests for the node of a port. The first one requires the value `from`; otherwise the batch fails with
 * `rc`. The second one writes the value `to`.
 */
void libxl__usb_write_port(libxl__xs_batch *batch, const libxl__usb_controller *controller, int port, int rc,
                           const char *from, const char *to);
/*
 * What libxl__xs_reserve must reserve for one libxl__usb_write_port in a transaction, with the start and the end of
 * the transaction: the number of requests, and the octets of their paths and values.
 */
enum { LIBXL__USB_PORT_REQUESTS = 4, LIBXL__USB_PORT_OCTETS = 2 * (LIBXL__DEVICE_PATH + LIBXL__USB_BUSID) };
/* Adds the request that reads the node of a port. */
libxl__xs_request *libxl__usb_read_port(libxl__xs_batch *batch, const libxl__usb_controller *controller,
                                        int port);

/*
 * usb_record.c: starts a job that adds a device to the stored configuration, or removes it. For a removal, the
 * hostbus and hostaddr of `usbdev` may be 0, which means unknown. `usbctrl` is a controller that is also added; NULL:
 * none. Continue with libxl__userdata_changed and libxl__userdata_change_back. Errors: those of
 * libxl__userdata_update.
 */
int libxl__usb_record(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid,
                      const libxl_device_usbdev *usbdev, const libxl_device_usbctrl *usbctrl, bool add);

#endif
