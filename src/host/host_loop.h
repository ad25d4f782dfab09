/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loop devices: block devices whose content is a file.
 *
 * A loop device is taken with the flag AUTOCLEAR: the kernel frees the device when no program and no driver
 * has it open. The library keeps the device open until a driver has opened it, too. Afterwards the kernel
 * frees the device when the driver closes it, even if this process has ended. If this process is killed
 * before the driver has opened the device, the kernel frees the device at once.
 */
#ifndef LIBXL__HOST_LOOP_H
#define LIBXL__HOST_LOOP_H

#include <sys/stat.h>

#include "host.h"

/*
 * A loop device of an operation. Embed it in the operation's state and zero-initialise it. Then set the
 * members above the first empty line.
 */
typedef struct libxl__loop_device {
    const char *file; /* the absolute path of a regular file; copied */
    bool read_only;
    /* True: the file is accepted even if another loop device has it. */
    bool may_share;

    /*
     * The result: the number of the loop device. The device is /dev/loopNUMBER. Its device number is 7:NUMBER
     * (LOOP_MAJOR of linux/major.h).
     */
    int number;
    char path[24]; /* the result: the path "/dev/loopNUMBER" */

    libxl__source source; /* attached while the device is being taken or is held */
    /*
     * The part that holds the device open. NULL: the device is not held. It exists until the device is
     * closed, so it can exist longer than the operation.
     */
    struct libxl__loop_holder *holder;
} libxl__loop_device;

/* Call the following functions with the context locked. */

/*
 * Starts to take a free loop device for `file`, on a worker. Direct I/O is used if the file system supports
 * it. The device is held until libxl__loop_let_go, or until the operation ends. The operation is woken when
 * the device is taken. Errors: NOMEM, FAIL, recorded in ao.
 */
int libxl__loop_take(libxl__ao *ao, libxl__loop_device *loop);
/*
 * Returns LIBXL__AO_WAIT until the device is taken. Then returns 0 or an error. Errors: INVAL (the regular
 * file does not exist), BUSY (another loop device has the file, one of the two is writable, and `may_share`
 * is false), LOCK_FAIL (see host_lock.h), PERMISSION, NOMEM, FAIL. The errors are recorded in ao. The message
 * has the file and `name`. `name` is the configuration's field that contains the path.
 */
int libxl__loop_take_poll(libxl__ao *ao, libxl__loop_device *loop, const char *name);
/*
 * Closes the device, which was taken, on a worker. _start cannot fail. _poll returns LIBXL__AO_WAIT until the device is
 * closed, and then 0. An operation that has waited leaves no descriptor that a fork of the application could
 * copy. A copy would keep the loop device in use.
 */
void libxl__loop_close_start(libxl__ao *ao, libxl__loop_device *loop);
int libxl__loop_close_poll(libxl__ao *ao, libxl__loop_device *loop);
/*
 * Closes the device on a worker, and does not wait for the worker. If no driver has the device open, the
 * kernel frees the device when it is closed. Does nothing if the device is not held. Cannot fail.
 */
void libxl__loop_let_go(libxl_ctx *ctx, libxl__loop_device *loop);

/*
 * Finds the loop devices that do not let a disk have the file: they have the same file, and they are writable or the
 * disk would be (`read_only` false). `file` is what stat(2) says about the file. Stores the numbers of the first `most`
 * of them. Returns how many were stored, or -1 with errno. May block, so only workers call it. Needs no lock.
 */
int libxl__loop_find_users(const struct stat *file, bool read_only, int numbers[], int most);

/* Returns whether this loop device has a file. Reads sysfs, which does not block. Needs no lock. */
bool libxl__loop_in_use(int number);

/*
 * Opens /dev/loopNUMBER with these flags and O_CLOEXEC. Returns a descriptor, which the caller closes, or -1 with
 * errno. May block, so only workers call it. Needs no lock.
 */
int libxl__loop_device_open(int number, int flags);

/*
 * A job on the loop device with this number. The library need not hold the device. Embed this in the operation's
 * state; zero-initialise it.
 */
typedef struct libxl__loop_job {
    libxl__job job;
    const char *what; /* what the job does, for messages */
    int number, errnoval;
} libxl__loop_job;

/*
 * Starts to remove the flag AUTOCLEAR from the device, on a worker. The device then stays until
 * libxl__loop_release_start, even if the library closes it before a driver has opened it. The operation is woken when
 * the job is done. Errors: FAIL, recorded in ao.
 */
int libxl__loop_keep_start(libxl__ao *ao, libxl__loop_job *loop, int number);
/*
 * Starts to detach a device without the flag AUTOCLEAR from its file, on a worker. If a driver has the device open, the
 * kernel detaches the file when the driver closes the device. A device that has no file is no error. The operation is
 * woken when the job is done. Errors: FAIL, recorded in ao.
 */
int libxl__loop_release_start(libxl__ao *ao, libxl__loop_job *loop, int number);
/*
 * Returns whether the job was started and has not ended. If no worker has begun the job, removes it from the queue, and
 * returns false. The operation is woken when the job is done.
 */
bool libxl__loop_job_busy(libxl__loop_job *loop);
/*
 * Returns LIBXL__AO_WAIT until the job is done. Then returns 0 or an error. Errors, recorded in ao: PERMISSION, INVAL,
 * FAIL.
 */
int libxl__loop_job_poll(libxl__ao *ao, const libxl__loop_job *loop);

#endif
