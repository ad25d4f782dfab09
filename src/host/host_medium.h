/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens the medium of a CD drive, a file or a block device. A restricted QEMU gets the descriptor. */
#ifndef LIBXL__HOST_MEDIUM_H
#define LIBXL__HOST_MEDIUM_H

#include "host.h"

typedef struct libxl__medium_opener libxl__medium_opener;

/* An open medium. Embed this in the operation's state; zero-initialise it, and set `path`. */
typedef struct libxl__medium {
    const char *path; /* an input, which is copied */

    libxl__source source;     /* its stop function detaches the job of `at`, which is then freed */
    libxl__medium_opener *at; /* the part that the worker uses */
    int fd;                   /* the result: the descriptor, open for reading, until the operation ends */
} libxl__medium;

/*
 * Call these from a phase's start and poll, with the context locked. A worker opens the medium, because the
 * disk may take long to answer. Errors: those of libxl__host_errno_rc, INVAL (neither a file nor a block
 * device), recorded in ao. `name` is the configuration's field that has the path.
 */
int libxl__medium_start(libxl__ao *ao, libxl__medium *medium);
int libxl__medium_poll(libxl__ao *ao, libxl__medium *medium, const char *name);

#endif
