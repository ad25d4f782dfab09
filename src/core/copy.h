/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying between descriptors, without blocking and without losing an octet. */
#ifndef LIBXL__COPY_H
#define LIBXL__COPY_H

#include "ao.h"

enum { LIBXL__COPY_ROOM = 64 << 10 };

/* A copy that is under way. The operation's, zeroed. */
typedef struct libxl__copy {
    libxl__source source; /* fires when it is done */
    libxl__fd from, to;
    libxl__timer turn; /* to go on when others have been served */
    int from_fd, to_fd, from_flags, to_flags;
    uint64_t copied; /* octets written */
    bool ended;      /* nothing more to read */
    bool done;
    int rc; /* once done: 0, or FAIL with the errno noted in ao */
    size_t begin, end;
    char *buffer;
} libxl__copy;

/*
 * Locked. Copies what `from` has, up to its end (EOF, or hang-up with nothing left), to `to`. `prefix` octets
 * go first. Both descriptors stay the caller's, are used non-blocking meanwhile, and have their flags again
 * afterwards, also when the operation ends early. Errors: NOMEM, FAIL.
 */
int libxl__copy_start(libxl__ao *ao, libxl__copy *copy, int from, int to, const void *prefix, size_t length);

#endif
