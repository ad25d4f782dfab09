/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hotplug scripts: programs that connect the host's side of a device. A script gets its arguments, an environment with
 * the given variables and PATH only, /dev/null as its standard input, and a pipe as its standard output and standard
 * error. What it prints is appended to /var/log/xen/xen-hotplug.log; its last line is part of the error message.
 */
#ifndef LIBXL__HOST_SCRIPT_H
#define LIBXL__HOST_SCRIPT_H

#include "child.h"
#include "host.h"

enum {
    LIBXL__SCRIPT_LIMIT_MS = 40000, /* libxl's limit */
    LIBXL__SCRIPT_LAST = 200,       /* octets of the script's last line that are kept */
};

/* A script that runs. Embed it in the operation's state; zero-initialise it, and again before the next script. */
typedef struct libxl__script {
    libxl__child child;
    libxl__source source; /* attached while the pipe is open */
    libxl__fd output;     /* the reading end of the pipe, which this structure owns */
    const char *path;
    unsigned limit_ms;
    struct libxl__script_log *log; /* what is to be appended to the log file; in the operation's memory */
    char line[LIBXL__SCRIPT_LAST + 1],
        last[LIBXL__SCRIPT_LAST + 1]; /* the present line, and the last complete one */
    uint32_t line_length;
} libxl__script;

/* Call all of these with the context locked. */

/*
 * Starts the script argv[0], an absolute path. `variables`: NAME=VALUE, ended by NULL; PATH is added. argv, and the
 * texts that it points to, must be valid until the script has ended; `variables` only during the call. The script and
 * its children in the same process group are killed after limit_ms, or when the operation ends. The operation is woken
 * when the script has ended. Errors, recorded in ao: SCRIPT (it cannot be started), FAIL, NOMEM.
 */
int libxl__script_start(libxl__ao *ao, libxl__script *script, const char *const argv[],
                        const char *const variables[], unsigned limit_ms);
/*
 * Returns LIBXL__AO_WAIT until the script has ended and its output is in the log file. Then returns 0 if its exit
 * status is 0, or SCRIPT, recorded in ao with the script's arguments and its last line. FAIL: the exit status is lost.
 */
int libxl__script_poll(libxl__ao *ao, libxl__script *script);

#endif
