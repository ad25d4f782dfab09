/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages: to the application's logger, and for libxl_error_message. */
#ifndef LIBXL__LOG_H
#define LIBXL__LOG_H

#include <xentoollog.h>

#include <libxl.h>

/* Hands a message to the logger, which formats it only if it wants it; `errnoval` < 0: none. Any thread. */
void libxl__log(libxl_ctx *ctx, xentoollog_level level, int errnoval, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Logs "fmt: strerror(errno)", makes it this thread's error message, returns rc: a few words. Any thread. */
int libxl__log_errno(libxl_ctx *ctx, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What libxl_error_message will say to this thread. NULL: what `rc` means in general. */
void libxl__error_message_set(int rc, const char *message);
/* Returns rc; unless that is 0, libxl_error_message will say what it means in general. Any thread, unlocked or not. */
int libxl__tell(int rc);
/*
 * Refuses a call that is no operation: makes the text what libxl_error_message says to this thread, and returns rc. The text
 * names the field first; it may have %m for errno. NULL: the general description of rc. Any thread, locked or not.
 */
int libxl__refuse(int rc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
