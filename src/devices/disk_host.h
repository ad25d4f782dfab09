/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk's work on this host: checks, loop devices and scripts. Call all functions with the context locked. */
#ifndef LIBXL__DISK_HOST_H
#define LIBXL__DISK_HOST_H

#include "device.h"
#include "device_script.h"
#include "disk_share.h"
#include "host_file.h"
#include "host_lock.h"
#include "host_loop.h"

/* The path of the default script of disks. The library does this script's work without running the script. */
#define LIBXL__DISK_SCRIPT LIBXL__SCRIPTS "/block"

/* The state of the class "disk" for one device. */
typedef struct libxl__disk_host {
    libxl__file_look look;
    libxl__disk_share share; /* checks whether another domain uses the block device */
    libxl__device_script run;
    bool sharing;            /* the check `share` was started */
    libxl__block_lock lock;  /* held while a block device is given to the backend */
    libxl__loop_device loop; /* the loop device, if the disk is a file */
    libxl__xs_batch *batch;  /* writes the nodes that the script would write */
    libxl__loop_job keep, release;
    libxl__alarm alarm; /* the alarm for the next check of a condition for which there is no notification */
    unsigned waited_ms, step_ms;
    enum {
        LIBXL__DISK_TAKING,
        LIBXL__DISK_RUNNING,
        LIBXL__DISK_LOCKING,
        LIBXL__DISK_SHARING,
        LIBXL__DISK_WRITING,
        LIBXL__DISK_KEEPING,
        LIBXL__DISK_OPENING,
        LIBXL__DISK_CLOSING
    } step;     /* the step that online_poll is at */
    int number; /* the number of the loop device, for the function offline */
} libxl__disk_host;

/* The index of the loop device's path in libxl__disk_offline_keys. */
enum { LIBXL__DISK_NODE_KEY };

/* disk.c: returns the name of a format in the node `params`. NULL: QEMU does not serve the format. */
const char *libxl__disk_format_name(libxl_disk_format format);

/*
 * Returns the path of the loop device that the backend of the disk has been given, while the disk is being connected.
 * NULL: none.
 */
const char *libxl__disk_loop(const libxl__device *device);

/* The functions of the class; device.h describes them. */
int libxl__disk_probe_start(libxl__ao *ao, libxl__device *device);
int libxl__disk_probe_poll(libxl__ao *ao, libxl__device *device);
int libxl__disk_online_start(libxl__ao *ao, libxl__device *device);
int libxl__disk_online_poll(libxl__ao *ao, libxl__device *device);
int libxl__disk_abandon(libxl__ao *ao, libxl__device *device);
extern const char *const libxl__disk_offline_keys[];
int libxl__disk_offline_start(libxl__ao *ao, libxl__device *device);
int libxl__disk_offline_poll(libxl__ao *ao, libxl__device *device);

#endif
