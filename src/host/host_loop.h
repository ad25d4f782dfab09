/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loop devices: block devices whose content is a file.
 *
 * A loop device is taken with AUTOCLEAR: the kernel frees it when no program and no driver has it open any more. The
 * library holds it open until a driver has opened it, too. So it is freed when the driver closes it, also after this
 * process has ended, and a process that is killed in between leaves no loop device.
 */
#ifndef LIBXL__HOST_LOOP_H
#define LIBXL__HOST_LOOP_H

#include "host.h"

/* A loop device of an operation. Embed it in the operation's state; zero-initialise it, then set the members above the
 * first empty line. */
typedef struct libxl__loop_device {
    const char *file; /* absolute path of a regular file; copied */
    bool read_only;
    bool may_share; /* do not refuse a file that another loop device has */

    int number; /* result: /dev/loopNUMBER, with the device number 7:NUMBER (LOOP_MAJOR of linux/major.h) */
    char path[24]; /* result: "/dev/loopNUMBER" */

    libxl__source source; /* attached while the device is being taken or is held */
    struct libxl__loop_holder
        *holder; /* NULL: not held. It outlives the operation until the device is closed */
} libxl__loop_device;

/* Call all of these with the context locked. */

/*
 * Starts to take a free loop device for `file`, on a worker. Direct I/O is used if the file's system can do it. The
 * device is held until libxl__loop_let_go, or until the operation ends. The operation is woken when the device is
 * taken. Errors: NOMEM, FAIL, recorded in ao.
 */
int libxl__loop_take(libxl__ao *ao, libxl__loop_device *loop);
/*
 * Returns LIBXL__AO_WAIT until the device is taken; then 0 or an error. Errors, recorded in ao with `name` (the member
 * of the configuration) and the file: INVAL (there is no such regular file), PERMISSION, NOMEM, FAIL, and BUSY: another
 * loop device has the file, and one of the two is writable, unless `may_share`.
 */
int libxl__loop_take_poll(libxl__ao *ao, libxl__loop_device *loop, const char *name);
/* Closes the device on a worker, which nobody waits for. If no driver has it open, the kernel frees it. Does nothing
 * if the device is not held. Cannot fail. */
void libxl__loop_let_go(libxl_ctx *ctx, libxl__loop_device *loop);

/* Returns whether a loop device has a file. Reads sysfs, which does not block. Needs no lock. */
bool libxl__loop_in_use(int number);

/* Makes a loop device stay when the library closes it: a driver may not have opened it yet. Embed it in the operation's
 * state; zero-initialise it. */
typedef struct libxl__loop_keep {
    libxl__job job;
    int number, errnoval;
} libxl__loop_keep;

/* Starts to remove AUTOCLEAR from the device, on a worker. The device stays until libxl__loop_release_start. The operation
 * is woken afterwards. Errors: FAIL, recorded in ao. */
int libxl__loop_keep_start(libxl__ao *ao, libxl__loop_keep *keep, int number);
/* Returns LIBXL__AO_WAIT until the job is done; then 0. Errors, recorded in ao: PERMISSION, INVAL, FAIL. */
int libxl__loop_keep_poll(libxl__ao *ao, libxl__loop_keep *keep);

/* The release of a loop device that was made by another program, without AUTOCLEAR. Embed it in the operation's state;
 * zero-initialise it. */
typedef struct libxl__loop_release {
    libxl__job job;
    int number, errnoval;
} libxl__loop_release;

/*
 * Starts to detach the loop device from its file, on a worker. If a driver has it open, it is detached when the driver
 * closes it. The operation is woken afterwards. Errors: FAIL, recorded in ao.
 */
int libxl__loop_release_start(libxl__ao *ao, libxl__loop_release *release, int number);
/* Returns LIBXL__AO_WAIT until the job is done; then 0, also for a device that has no file. Errors, recorded in ao:
 * PERMISSION, INVAL, FAIL. */
int libxl__loop_release_poll(libxl__ao *ao, libxl__loop_release *release);

#endif
