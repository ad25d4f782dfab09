/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages: to the application's logger, and for libxl_error_message.
 *
 * An operation reports its failure by libxl__ao_fail (ao.h), which records the message in the operation. Any
 * other call reports its failure by libxl__refuse. Both functions escape unprintable octets, because messages
 * quote texts from outside the library. Any thread may call the functions in this header, with or without the
 * context's lock. The functions copy the message and cannot fail.
 */
#ifndef LIBXL__LOG_H
#define LIBXL__LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <xentoollog.h>

#include <libxl.h>

#include "escape.h"

/*
 * Returns the general description of an error. Never returns NULL. An application's hook may return any
 * number, so unknown numbers have a description, too.
 */
const char *libxl__error_words(int rc);

/* Passes a message to the context's logger, if there is one. A message about an operation is passed by
 * libxl__ao_log. `errnoval`: the errno to add to the message; < 0: none. */
void libxl__log(libxl_ctx *ctx, xentoollog_level level, int errnoval, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The operation and the subject that this thread's log messages are about. */
typedef struct libxl__log_subject {
    /* The name of an operation, a static string; NULL: the messages are about no operation. */
    const char *operation;
    uint32_t number; /* the number of the operation's subject; ~0: none */
} libxl__log_subject;

/*
 * Returns the subject of this thread's log messages. A logger that is called on this thread may call this
 * function.
 */
const libxl__log_subject *libxl__log_about(void);
/*
 * Sets the subject of this thread's log messages until the next call. `operation` NULL: the messages are about
 * no operation.
 */
void libxl__log_set_about(const char *operation, uint32_t number);

/* Counts the log lines of one kind. Embed it in the state that the lines are about; zero-initialise it. */
typedef struct libxl__recurring {
    uint64_t logged_at; /* the time when a line was last logged, in ns, monotonic; 0: never */
    uint32_t left_out;  /* the number of lines that were left out since then */
} libxl__recurring;

/*
 * Logs a message that can recur without bound, for example at each turn of a loop. At most one line in ten
 * seconds is logged. The next line says how many lines were left out. Returns whether this message was
 * logged. Call it with the context locked.
 */
bool libxl__log_recurring(libxl_ctx *ctx, libxl__recurring *line, xentoollog_level level, int errnoval,
                          const char *text);

/*
 * Sets the text that libxl_error_message returns on this thread, and returns `rc`. The text should begin with
 * the name of the wrong field. It may contain %m for errno. `fmt` NULL: the text is the general description
 * of `rc`. Does not change errno. If `rc` is 0, changes nothing and returns 0.
 */
int libxl__refuse(int rc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Like libxl__refuse. The text consists of the general description of `rc` and of `where`, which names the
 * function or its purpose.
 */
int libxl__refuse_in(int rc, const char *where);

/*
 * Sets the text that libxl_error_message returns on this thread. `message` NULL: the general description of
 * `rc`, or an empty text if `rc` is 0. Called just before an operation's result is returned or delivered to
 * the application.
 */
void libxl__error_message_set(int rc, const char *message);

#endif
