/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children: programs that an operation runs. Followed by pidfd; no signal handler, no other process's
 * children touched.
 */
#ifndef LIBXL__CHILD_H
#define LIBXL__CHILD_H

#include <sys/types.h>

#include "ao.h"

/* A program that runs. The operation's, zeroed. */
typedef struct libxl__child {
    libxl__source source; /* fires when it has ended */
    libxl__fd exited;     /* the pidfd */
    libxl__timer limit;
    libxl__ao *ao;
    pid_t pid;
    bool running, done;
    bool timed_out;
    int status, signal; /* once done: its exit status, or the signal that killed it */
    int wait_error;     /* or the errno of not learning either */
} libxl__child;

/*
 * Locked. Runs argv[0] (a path, or looked up in PATH) with `stdio` as its descriptors 0, 1 and 2 (-1:
 * /dev/null) and no other; with default signals, none blocked. limit_ns: it is killed then; 0: never. An
 * operation that ends kills it, and completes when it has been reaped. Errors: FAIL with the errno in the
 * message (the program is missing, no process can be had): at once, and nothing runs.
 */
int libxl__child_start(libxl__ao *ao, libxl__child *child, const char *const argv[], const int stdio[3],
                       uint64_t limit_ns);

/* Of a child that is done: 0, or FAIL or TIMEDOUT with the program and its exit status or signal noted in ao.
 */
int libxl__child_result(const libxl__child *child, const char *name);

#endif
