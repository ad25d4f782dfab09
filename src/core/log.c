/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the last error message of each thread, and the subject of each thread's log messages. Both are
 * thread-local and need no lock. They are valid as long as the thread exists. The logger belongs to the
 * application. Several threads may call the logger at the same time; xentoollog's loggers allow this.
 */
#include "libxl_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char last_message[512];
static _Thread_local libxl__log_subject about = {NULL, UINT32_MAX};

const libxl__log_subject *libxl__log_about(void)
{
    return &about;
}

void libxl__log_set_about(const char *operation, uint32_t number)
{
    about = (libxl__log_subject){operation, number};
}

static bool is_inside_character(const char *p)
{
    return (*p & 0xc0) == 0x80; /* a UTF-8 continuation octet, so the text must not be cut before it */
}

/*
 * Stores a message as this thread's error message. Leaves out the middle of a long message, because the
 * beginning names the field and the end names the error. Does not cut UTF-8 characters.
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
    if (!message)
        return;
    /* Memory is allocated only if octets must be escaped. If there is no memory, the message is cut. */
    const size_t needed = libxl__escape(NULL, 0, message);
    char *escaped = needed == strlen(message) ? NULL : malloc(needed + 1);
    if (escaped) {
        libxl__escape(escaped, needed + 1, message);
        keep(escaped);
        free(escaped);
    } else if (needed == strlen(message)) {
        keep(message);
    } else {
        libxl__escape(last_message, sizeof(last_message), message);
    }
}

const char *libxl_error_message(void)
{
    return last_message;
}

int libxl__refuse(int rc, const char *fmt, ...)
{
    const int saved = errno;
    /*
     * Memory is allocated only for a long text. This function must be fast, because each wait that times out calls
     * it.
     */
    char usual[256], *longer = NULL;
    va_list args;
    if (!rc)
        return 0;
    va_start(args, fmt);
    const int length = fmt ? vsnprintf(usual, sizeof(usual), fmt, args) : 0;
    va_end(args);
    if (length >= (int)sizeof(usual)) {
        errno = saved;
        va_start(args, fmt);
        if (vasprintf(&longer, fmt, args) < 0)
            longer = NULL; /* There is no memory. `usual` contains the beginning of the text. */
        va_end(args);
    }
    libxl__error_message_set(rc, longer ? longer : fmt ? usual : NULL);
    free(longer);
    errno = saved;
    return rc;
}

const char *libxl__error_words(int rc)
{
    const char *words = libxl_error_describe(rc);
    return words ? words : rc ? "An unknown error." : "";
}

int libxl__refuse_in(int rc, const char *where)
{
    const char *words = libxl__error_words(rc);
    return libxl__refuse(rc, "%.*s (%s)", (int)strcspn(words, "."), words, where);
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
