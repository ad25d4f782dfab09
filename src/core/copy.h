/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies octets from one descriptor to another without blocking, and writes without SIGPIPE. */
#ifndef LIBXL__COPY_H
#define LIBXL__COPY_H

#include "ao.h"

enum { LIBXL__COPY_ROOM = 64 << 10 };

/*
 * A copy of all octets of one descriptor to another. Embed this structure in the operation's state;
 * zero-initialise it.
 */
typedef struct libxl__copy {
    /* A source that is attached until the copy is done, and fires then. */
    libxl__source source;
    /* The registrations of the two descriptors; each exists while the copy waits for its descriptor. */
    libxl__fd from, to;
    /* Expires at once and continues a long copy, after the callbacks of other operations have run. */
    libxl__timer turn;
    /* The two descriptors, and their file status flags before the copy. The flags are restored when the copy ends. */
    int from_fd, to_fd, from_flags, to_flags;
    uint64_t copied; /* the number of octets that were written to `to` */
    bool ended;      /* read() has reported the end of `from` */
    bool done;
    /* The copy's result, valid once the copy is done: 0, or FAIL or NOMEM, recorded in ao. */
    int rc;
    size_t begin, end; /* the offsets in `buffer` of the octets that are still to be written */
    char *buffer;      /* the memory for octets that are read but not yet written; in the operation's gc */
} libxl__copy;

/*
 * Writes the `length` octets of `prefix` to `to`, then copies `from` to `to`. The copy is done when reading
 * `from` returns EOF. If `from` is a terminal, the copy is also done when the other end is closed. Call with
 * the context locked, from any thread. `prefix` is copied. The caller keeps both descriptors, and closes them
 * only after the copy is done or the operation has ended. Both descriptors are non-blocking during the copy.
 * The flags of both descriptors are restored afterwards. Returns 0 if the copy has started, otherwise NOMEM
 * or FAIL, recorded in ao. Later errors are in copy->rc.
 */
int libxl__copy_start(libxl__ao *ao, libxl__copy *copy, int from, int to, const void *prefix, size_t length);

/*
 * Like read(2), but returns 0 if `fd` is a terminal whose other end is closed and all data has been read. Linux
 * fails with EIO then, and sometimes also while data is left. Call from any thread, with or without the context's
 * lock.
 */
ssize_t libxl__read_terminal(int fd, void *data, size_t length);

/*
 * Like write(2), but raises no SIGPIPE. The application's handling of SIGPIPE does not change. Call from any thread,
 * with or without the context's lock.
 */
ssize_t libxl__write_quietly(int fd, const void *data, size_t length);

#endif
