/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children: programs that an operation runs. The library learns of a child's end from a pidfd. It installs no signal handler
 * and reaps only its own children.
 *
 * Call both functions with the context locked. Any thread may call them.
 */
#ifndef LIBXL__CHILD_H
#define LIBXL__CHILD_H

#include <sys/types.h>

#include "ao.h"

/* A running program. Embed it in the operation's state; zero-initialise it, then set the members above the empty line. */
typedef struct libxl__child {
    const char *const *environment; /* NAME=VALUE, ended by NULL; NULL: the environment of this process */
    bool group; /* the child leads a new process group; what kills the child kills this group */

    libxl__source source; /* fires when the child has ended and was reaped */
    libxl__fd exited;     /* the registration of the pidfd, which this structure owns */
    libxl__timer limit;   /* the timer that kills the child */
    libxl__ao *ao;
    pid_t pid;
    bool running, done; /* done: it has ended and was reaped */
    bool timed_out;     /* the time limit has passed */
    int status, signal; /* valid once done: the exit status, or the signal that killed it */
    int wait_error;     /* valid once done: the errno if the exit status could not be read; 0: it was read */
} libxl__child;

/*
 * Starts argv[0], which is a path or a name to find in PATH. `stdio` gives the child's descriptors 0, 1 and 2 (-1:
 * /dev/null); the caller keeps its own. The child has no other descriptors, default signal handling, and no blocked
 * signals. The child is killed after `limit_ns` (0: no limit), or when the operation ends first. The operation
 * completes only after the child was reaped. Errors: FAIL if the program cannot be started, recorded in ao with the
 * errno; then no child runs. NOMEM if the time limit cannot be set; then the child runs until the operation ends.
 */
int libxl__child_start(libxl__ao *ao, libxl__child *child, const char *const argv[], const int stdio[3],
                       uint64_t limit_ns);

/* Kills a running child, which is done soon after. Does nothing if no child runs. */
void libxl__child_kill(const libxl__child *child);

/* Returns the result of a child that is done: 0 if its exit status is 0. `name` names the program in the message. Errors,
 * recorded in ao: TIMEDOUT (the time limit has passed), FAIL (exit status, signal, or the exit status could not be read). */
int libxl__child_result(const libxl__child *child, const char *name);

#endif
