/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks whether another domain uses a block device or a file. Xen's block script makes the same check. Call all
 * functions with the context locked.
 */
#ifndef LIBXL__DISK_SHARE_H
#define LIBXL__DISK_SHARE_H

#include <sys/types.h>

#include "device.h"
#include "xs_directory.h"

/* One check. Embed this in the class's state; zero-initialise it. */
typedef struct libxl__disk_share {
    libxl__xs_directory domains; /* the domains that have disks served by this domain's kernel */
    libxl__xs_batch *batch;
    const libxl__xs_request **disks; /* the requests that list the disks of each of these domains */
    struct libxl__other_disk *others;
    uint32_t count;  /* the number of disks in `others`, which has the disks of all these domains */
    uint32_t server; /* the domain of this process */
    dev_t number;
    bool writable;
    uint32_t except;
    /* libxl__disk_share_start_file: the numbers of the loop devices with the file; NULL: a block device is checked */
    const int *loops;
    int loop_count;
} libxl__disk_share;

/*
 * Starts to look for disks that have the block device `number`. `server` is the domain of this process. The
 * disks of the domain `except` do not count; LIBXL_DOMID_INVALID: all disks count. Errors:
 * NOMEM, FAIL, NO_XENSTORE, recorded in ao.
 */
int libxl__disk_share_start(libxl__ao *ao, libxl__disk_share *share, uint32_t server, dev_t number,
                            bool writable, uint32_t except);
/*
 * Starts to check whether the disks of the domain `domid` have all these loop devices (libxl__file_facts.loops). The
 * caller keeps `loops`. Errors: as for libxl__disk_share_start.
 */
int libxl__disk_share_start_file(libxl__ao *ao, libxl__disk_share *share, uint32_t server, uint32_t domid,
                                 const int *loops, int loop_count);
/*
 * Returns LIBXL__AO_WAIT until all disks have been read. Then returns 0 or an error. Errors, recorded in ao:
 * BUSY (the disk of another domain has the block device, and that disk or this one is writable; or a loop device with
 * the file is not one of the domain's disks), and those of libxl__xs_result.
 */
int libxl__disk_share_poll(libxl__ao *ao, libxl__disk_share *share, const char *path);

#endif
