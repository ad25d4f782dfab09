/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children: programs that an operation runs. A pidfd becomes readable when a child ends. The library installs no
 * signal handler and reaps only its own children.
 *
 * Call both functions with the context locked. Any thread may call them.
 */
#ifndef LIBXL__CHILD_H
#define LIBXL__CHILD_H

#include <sys/types.h>

#include "ao.h"

/*
 * A program that an operation runs. Embed this structure in the operation's state and zero-initialise it.
 * Then set the members above the empty line.
 */
typedef struct libxl__child {
    /* The environment: strings NAME=VALUE, ended by NULL. NULL: the environment of this process. */
    const char *const *environment;
    /* The child leads a new process group, and the whole group is killed with it. */
    bool group;
    /* A descriptor that becomes the child's descriptor 3; the caller still owns it. 0: none. */
    int extra;

    libxl__source source; /* fires when the child has ended and was reaped */
    libxl__fd exited;     /* the registration of the pidfd, which this structure owns */
    libxl__timer limit;   /* the timer that kills the child at its time limit */
    libxl__ao *ao;
    pid_t pid;
    bool running, done; /* `done`: the child has ended and was reaped */
    bool timed_out;     /* the child was killed because its time limit has passed */
    /* Valid once `done` is true: the exit status, or the signal that killed the child. */
    int status, signal;
    /* Valid once `done` is true: 0, or the errno if the exit status could not be read. */
    int wait_error;
} libxl__child;

/*
 * Starts argv[0], which is a path or a name to find in PATH. `stdio` contains the three descriptors that
 * become the child's descriptors 0, 1 and 2; -1 stands for /dev/null. The caller still owns the descriptors
 * in `stdio`. The child has no other descriptors, except `extra`. It has default signal handling and no blocked
 * signals. The child is killed after `limit_ns` ns (0: no limit). It is killed earlier if the operation ends
 * earlier. The operation completes only after the child was reaped.
 *
 * Returns 0 or an error. FAIL: the program cannot be started, and no child runs; the message in ao has the
 * errno. NOMEM: the time limit cannot be set; the child runs until the operation ends.
 */
int libxl__child_start(libxl__ao *ao, libxl__child *child, const char *const argv[], const int stdio[3],
                       uint64_t limit_ns);

/* Kills a running child. The child becomes `done` soon afterwards. Does nothing if no child runs. */
void libxl__child_kill(const libxl__child *child);

/*
 * Returns the result of a child that is `done`: 0 if the exit status is 0, otherwise an error. `name` is the
 * program's name in the message. Errors, recorded in ao: TIMEDOUT (the time limit has passed); FAIL (another
 * exit status, a signal, or the exit status could not be read).
 */
int libxl__child_result(const libxl__child *child, const char *name);

#endif
