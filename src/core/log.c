/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the calling thread's last error message (thread-local). Takes no lock; the logger must be
 * thread-safe, as xentoollog's own are.
 */
#include "libxl_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_message[512];

static bool is_inside_character(const char *p)
{
    return (*p & 0xc0) == 0x80; /* UTF-8 */
}

/*
 * Of what is too long the middle is left out: the beginning says which field it is, the end what is wrong. No
 * character is cut.
 */
static void keep(const char *message)
{
    const size_t length = strlen(message), half = (sizeof(last_message) - sizeof("...")) / 2;
    const char *first = message + half, *last = message + length - half;
    if (length < sizeof(last_message)) {
        memcpy(last_message, message, length + 1);
        return;
    }
    for (int i = 0; i < 3 && is_inside_character(first); i++)
        first--;
    for (int i = 0; i < 3 && is_inside_character(last); i++)
        last++;
    snprintf(last_message, sizeof(last_message), "%.*s...%s", (int)(first - message), message, last);
}

void libxl__error_message_set(int rc, const char *message)
{
    last_message[0] = 0;
    if (!message && rc)
        message = libxl_error_describe(rc);
    if (message)
        keep(message);
}

int libxl__tell(int rc)
{
    if (rc)
        libxl__error_message_set(rc, NULL);
    return rc;
}

const char *libxl_error_message(void)
{
    return last_message;
}

int libxl__refuse(int rc, const char *fmt, ...)
{
    char message
        [1024]; /* no allocation: refusing must work without memory, and waits that time out are frequent */
    va_list args;
    va_start(args, fmt);
    if (fmt)
        vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    libxl__error_message_set(rc, fmt ? message : NULL);
    return rc;
}

void libxl__log(libxl_ctx *ctx, xentoollog_level level, int errnoval, const char *fmt, ...)
{
    if (!ctx->logger)
        return;
    va_list args;
    va_start(args, fmt);
    xtl_logv(ctx->logger, level, errnoval, "libxl", fmt, args);
    va_end(args);
}

int libxl__log_errno(libxl_ctx *ctx, int rc, const char *fmt, ...)
{
    int saved = errno;
    va_list args;
    va_start(args, fmt);
    size_t length = (size_t)vsnprintf(last_message, sizeof(last_message), fmt, args);
    va_end(args);
    if (length < sizeof(last_message))
        snprintf(last_message + length, sizeof(last_message) - length, ": %s", strerror(saved));
    libxl__log(ctx, XTL_ERROR, -1, "%s", last_message);
    errno = saved;
    return rc;
}
