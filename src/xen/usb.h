/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs that look up USB devices of this host, and bind them to drivers. The jobs have a separate lane, because a
 * driver may take seconds.
 *
 * Call all functions with the context locked. A job is embedded in the operation's state. The operation does not
 * complete before its job has ended. While a job runs, only the job uses `devices`.
 */
#ifndef LIBXL__USB_H
#define LIBXL__USB_H

#include "ao.h"
#include "host_usb.h"
#include "reserved_worker.h"

/*
 * The node of xenstore that keeps the former driver of an interface while usbback has the device; libxl has the
 * same. The arguments are the names of the device and of the interface, as libxl__usb_node_name writes them. The
 * directory /libxl/usbback stays when it is empty, as with libxl.
 */
#define LIBXL__USB_NODES       "/libxl/usbback/%s"
#define LIBXL__USB_DRIVER_NODE LIBXL__USB_NODES "/%s/driver_path"

typedef enum libxl__usb_verb {
    LIBXL__USB_LOOK,      /* calls libxl__usb_look for each device */
    LIBXL__USB_TAKE,      /* calls libxl__usb_take for each device */
    LIBXL__USB_GIVE_BACK, /* calls libxl__usb_give_back for each device, also after an error */
} libxl__usb_verb;

/* A job. Embed this in the operation's state; zero-initialise it. Then set the members above the empty line. */
typedef struct libxl__usb_job {
    libxl__usb_device *devices; /* in the operation's memory */
    uint32_t count;

    libxl__reserved_worker worker;
    libxl__job job;
    libxl__usb_verb verb;
    int rc;
    char why[LIBXL__SYSFS_WHY];
} libxl__usb_job;

/* Opens the lane of these jobs. Called once, while the context is made. */
void libxl__usb_open(libxl_ctx *ctx);
/*
 * Reserves a worker until the operation ends, so that libxl__usb_start cannot fail. Errors: FAIL, recorded in
 * ao. A second call does nothing.
 */
int libxl__usb_reserve(libxl__ao *ao, libxl__usb_job *job);
/* Starts the job. Returns LIBXL__AO_WAIT or an error. Errors: FAIL (no worker), recorded in ao. */
int libxl__usb_start(libxl__ao *ao, libxl__usb_job *job, libxl__usb_verb verb);
/* Returns LIBXL__AO_WAIT until the job has ended. Then returns its result. Errors are recorded in ao. */
int libxl__usb_poll(libxl__ao *ao, const libxl__usb_job *job);
/* Returns whether a job is queued or runs. */
bool libxl__usb_busy(const libxl__usb_job *job);
/*
 * Converts the name of a device or of an interface to the name of a node. ':' becomes '@' and '.' becomes '_',
 * because a node's name cannot have these characters. libxl__usb_name_of_node reads such a name.
 */
void libxl__usb_node_name(const char *name, char node[LIBXL__USB_NAME]);
void libxl__usb_name_of_node(const char *node, char name[LIBXL__USB_NAME]);

#endif
