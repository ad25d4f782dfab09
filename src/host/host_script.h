/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hotplug scripts: programs that connect the host's side of a device. The environment of a script contains
 * only the variables that the caller gives, and this program's PATH, XENSTORED_PATH and XENSTORED_RUNDIR. The
 * script's standard input is /dev/null. Its standard output and standard error are a pipe. The script's output
 * is appended to /var/log/xen/xen-hotplug.log. The last line of the output becomes part of the error message.
 */
#ifndef LIBXL__HOST_SCRIPT_H
#define LIBXL__HOST_SCRIPT_H

#include "child.h"
#include "host.h"

enum {
    LIBXL__SCRIPT_LIMIT_MS = 40000, /* the time limit of a script, in ms; libxl uses the same limit */
    LIBXL__SCRIPT_LAST = 200,       /* the number of octets of the output's last line that are stored */
};

/* A running script. Embed it in the operation's state; zero-initialise it before each script. */
typedef struct libxl__script {
    libxl__child child;
    libxl__source source; /* attached while the pipe is open */
    libxl__fd output;     /* the reading end of the pipe, which this structure owns */
    const char *path;
    unsigned limit_ms;
    /* The output that must still be appended to the log file; in the operation's memory. */
    struct libxl__script_log *log;
    /* The line that is being read, and the last complete line that is not blank. */
    char line[LIBXL__SCRIPT_LAST + 1], last[LIBXL__SCRIPT_LAST + 1];
    uint32_t line_length; /* the number of octets in `line` */
} libxl__script;

/* Call both functions with the context locked. */

/*
 * Starts the script argv[0], an absolute path. `variables` is a list of strings NAME=VALUE, ended by NULL; the
 * three variables above are added to them. argv and its strings must be valid until the script has ended.
 * `variables` is used only during the call. The script and its children in the same process group are killed
 * after limit_ms, or when the operation ends. The operation is woken when the script has ended. Errors, recorded
 * in ao: SCRIPT (the script cannot be started), FAIL, NOMEM.
 */
int libxl__script_start(libxl__ao *ao, libxl__script *script, const char *const argv[],
                        const char *const variables[], unsigned limit_ms);
/*
 * Returns LIBXL__AO_WAIT until the script has ended and its output is in the log file. Then returns 0 if the
 * script's exit status is 0, otherwise an error. Errors, recorded in ao: SCRIPT (the script has failed; the
 * message has the script's arguments and the last line of its output), FAIL (the exit status could not be
 * read).
 */
int libxl__script_poll(libxl__ao *ao, libxl__script *script);

#endif
