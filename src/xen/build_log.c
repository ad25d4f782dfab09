/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The logger of a build. It keeps the first error of libxenctrl and libxenguest.
 *
 * Owns: the kept text. Only the build's worker uses the logger, so no lock is needed.
 */
#include "build_parts.h"
#include "log.h"

#include <stdio.h>
#include <string.h>

enum { LINE = 512 };

/*
 * Keeps the REASON of an error line of libxenguest: "panic: FILE.c:LINE: FUNCTION: REASON: KIND". The
 * position in the source does not help the caller. The error code already expresses KIND, for example
 * "Invalid kernel".
 */
static void keep_reason(char *kept, size_t room, const char *line)
{
    static const char function[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    static const char *const kinds[] = {": Invalid kernel", ": Internal error", ": Out of memory"};
    const char *file = strstr(line, ".c:"), *start = file ? strstr(file, ": ") : NULL;
    start = start ? start + 2 : line;
    size_t name = strspn(start, function);
    if (file && name > 3 && strncmp(start, "xc_", 3) == 0 && start[name])
        start += name + strspn(start + name, ": ");
    size_t length = strcspn(start, "\n");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        size_t tail = strlen(kinds[i]);
        if (length > tail && strncmp(start + length - tail, kinds[i], tail) == 0)
            length -= tail;
    }
    snprintf(kept, room, "%.*s", (int)length, start);
}

static void message(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
                    const char *context, const char *format, va_list al)
{
    libxl__build_log *log = (libxl__build_log *)logger;
    /* `shown` is escaped, because libxenguest's messages quote the notes of an untrusted kernel. */
    char line[LINE], shown[2 * LINE];
    vsnprintf(line, sizeof(line), format, al);
    line[strcspn(line, "\n")] = 0;
    if (level >= XTL_ERROR && !*log->first)
        keep_reason(log->first, sizeof(log->first), line);
    libxl__escape(shown, sizeof(shown), line);
    xtl_log(log->outer, level, errnoval, context, "%s", shown);
}

static void progress(struct xentoollog_logger *logger, const char *context, const char *doing_what,
                     int percent, unsigned long done, unsigned long total)
{
    xentoollog_logger *outer = ((libxl__build_log *)logger)->outer;
    if (outer->progress)
        outer->progress(outer, context, doing_what, percent, done, total);
}

static void destroy(struct xentoollog_logger *logger)
{
    (void)logger;
}

void libxl__build_log_open(libxl__build_log *log, xentoollog_logger *outer)
{
    *log = (libxl__build_log){.logger = {.vmessage = message, .progress = progress, .destroy = destroy},
                              .outer = outer};
}
