/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies octets from one descriptor to another without blocking. */
#ifndef LIBXL__COPY_H
#define LIBXL__COPY_H

#include "ao.h"

enum { LIBXL__COPY_ROOM = 64 << 10 };

/* A copy. Embed it in the operation's state; zero-initialise it. */
typedef struct libxl__copy {
    libxl__source source; /* attached until the copy is done and wakes the operation */
    libxl__fd from, to;   /* registered while the copy waits for the descriptor */
    libxl__timer turn;    /* continues the copy after other callbacks have run */
    /* The descriptors, and their file status flags, which are restored when the copy ends. */
    int from_fd, to_fd, from_flags, to_flags;
    uint64_t copied; /* octets written */
    bool ended;      /* the end of `from` was read */
    bool done;
    int rc;            /* valid once done: 0, or FAIL or NOMEM, recorded in ao */
    size_t begin, end; /* the octets of the buffer that are still to be written */
    char *buffer;      /* in the operation's gc */
} libxl__copy;

/*
 * Writes the `length` octets of `prefix` to `to`, then copies `from` to `to`. The copy is done at the end of
 * `from`: at EOF, or when the other end of a terminal is closed. Call with the context locked, from any
 * thread. `prefix` is copied. The caller keeps both descriptors, and closes them only after the copy is done
 * or the operation has ended. Both descriptors are non-blocking during the copy. Their flags are restored
 * afterwards. Errors: NOMEM, FAIL, recorded in ao; no copy has started then. Later errors are in copy->rc.
 */
int libxl__copy_start(libxl__ao *ao, libxl__copy *copy, int from, int to, const void *prefix, size_t length);

#endif
