/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gets information about a file or a block device before a domain uses it. */
#ifndef LIBXL__HOST_FILE_H
#define LIBXL__HOST_FILE_H

#include <sys/types.h>

#include "host.h"

/* How a block device is mounted on this host. */
typedef enum libxl__mounted {
    LIBXL__NOT_MOUNTED,
    LIBXL__MOUNTED_READ_ONLY,
    LIBXL__MOUNTED_WRITABLE
} libxl__mounted;

enum { LIBXL__FILE_LOOPS = 8 };

/* Information about a file or a block device. */
typedef struct libxl__file_facts {
    int errnoval; /* 0 if the path could be opened, otherwise the errno */
    mode_t mode;  /* the mode from stat(2), for S_ISREG and S_ISBLK */
    /* For a block device: its device number. For a file: the device number of its file system. */
    dev_t device;
    ino_t inode;     /* the inode number of a file */
    uint64_t octets; /* the size in octets; 0 if the size is not known */
    /*
     * The host uses the block device, for example as a mounted file system, as swap space or as a part of a
     * volume group.
     */
    bool claimed;
    libxl__mounted mounted; /* says how a block device is mounted */
    /*
     * If the look has `finds_loops`: the numbers of the loop devices that do not let a disk have the file
     * (libxl__loop_find_users). If there are more, only the first LIBXL__FILE_LOOPS of them.
     */
    int loops[LIBXL__FILE_LOOPS], loop_count;
} libxl__file_facts;

/*
 * One job that gets the information about a path ("a look"). Embed this in the operation's state and
 * zero-initialise it. Then set the members above the empty line.
 */
typedef struct libxl__file_look {
    const char *path; /* the absolute path, which is copied */
    bool read_only;   /* the domain will only read the file or device */
    bool finds_loops; /* the loop devices that have the file are looked up */

    libxl__source source;     /* attached until the look is done */
    struct libxl__looker *at; /* the part of the look that the worker uses */
    libxl__file_facts facts;  /* the result of the look, valid once it is done */
} libxl__file_look;

/* Call both functions with the context locked. */

/*
 * Starts the look on a worker. The operation is woken when the look is done. An operation that ends before
 * the look is done does not wait for the worker. Errors: NOMEM, FAIL, recorded in ao.
 */
int libxl__file_look_start(libxl__ao *ao, libxl__file_look *look);
/*
 * Returns LIBXL__AO_WAIT until the look is done. Then returns 0, or an error if the path cannot be opened.
 * Errors: INVAL, PERMISSION, BUSY, NOMEM, FAIL, recorded in ao. The message has the path and `name`. `name`
 * is the configuration's field that contains the path.
 */
int libxl__file_look_poll(libxl__ao *ao, libxl__file_look *look, const char *name);

#endif
