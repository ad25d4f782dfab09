/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library says: to the application's logger, and by libxl_error_message.
 *
 * There is one way to fail an operation, libxl__ao_fail (ao.h), which records the message in the operation; and one way to
 * refuse a call that is no operation, libxl__refuse. All functions may be called from any thread, locked or not.
 */
#ifndef LIBXL__LOG_H
#define LIBXL__LOG_H

#include <xentoollog.h>

#include <libxl.h>

/* Hands a message to the logger, which formats it only if it shows it. `errnoval` < 0: the message has no errno. */
void libxl__log(libxl_ctx *ctx, xentoollog_level level, int errnoval, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Refuses a call: makes the text what libxl_error_message says to this thread, and returns `rc`. The text names the field
 * first; it may contain %m for errno, which is left as it was. NULL: the general description of `rc`. If `rc` is 0,
 * nothing is changed and 0 is returned.
 */
int libxl__refuse(int rc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Gives this thread the outcome of an operation: makes `message` what libxl_error_message says to it. NULL: the general
 * description of `rc`; if `rc` is 0, the empty string. For those that return or deliver an operation's result.
 */
void libxl__error_message_set(int rc, const char *message);

#endif
