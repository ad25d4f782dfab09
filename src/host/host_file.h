/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks at a file or a block device before a domain uses it. */
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

/* What is known of a file. */
typedef struct libxl__file_facts {
    int errnoval;    /* 0, or the errno with which the path could not be opened for this use */
    mode_t mode;     /* as stat(2) returns it: S_ISREG, S_ISBLK */
    dev_t device;    /* of a block device: its own number; else the number of the file system's device */
    ino_t inode;     /* of a file */
    uint64_t octets; /* the size; 0 if it is not known */
    bool claimed;    /* a block device that the host uses: mounted, swap, member of a volume group, ... */
    libxl__mounted mounted; /* of a block device */
} libxl__file_facts;

/* A look at a path. Embed it in the operation's state; zero-initialise it, then set the members above the empty line. */
typedef struct libxl__file_look {
    const char *path; /* absolute; copied */
    bool read_only;   /* the domain will not write */

    libxl__source source;     /* attached until the look is done */
    struct libxl__looker *at; /* the worker's part */
    libxl__file_facts facts;  /* the result */
} libxl__file_look;

/* Call both with the context locked. */

/* Starts the look on a worker. The operation is woken when it is done. If the operation ends first, it does not wait for
 * the worker. Errors: NOMEM, FAIL, recorded in ao. */
int libxl__file_look_start(libxl__ao *ao, libxl__file_look *look);
/*
 * Returns LIBXL__AO_WAIT until the look is done. Then returns 0, or the error of a path that cannot be opened. Errors,
 * recorded in ao with `name` (the member of the configuration) and the path: INVAL, PERMISSION, BUSY, NOMEM, FAIL.
 */
int libxl__file_look_poll(libxl__ao *ao, libxl__file_look *look, const char *name);

#endif
