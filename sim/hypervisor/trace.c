/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the log of all calls, the file AIOXEN_SIM_TRACE. Each call is written as one line by one write, so the
 * lines of several processes do not mix. Needs no lock.
 */
#include "machine.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool tracing;
static int trace_fd = -1;

void trace_open(void)
{
    const char *path = getenv("AIOXEN_SIM_TRACE");
    if (path && *path)
        trace_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    tracing = trace_fd >= 0;
}

void trace_(const char *format, ...)
{
    char line[512];
    va_list args;
    int error = errno;
    int n = snprintf(line, sizeof line, "%d %s ", getpid(), program_invocation_short_name);
    va_start(args, format);
    n += vsnprintf(line + n, sizeof line - n, format, args);
    va_end(args);
    if (n > (int)sizeof line - 1)
        n = sizeof line - 1;
    line[n++] = '\n';
    ssize_t written = write(trace_fd, line, n);
    (void)written;
    errno = error;
}
