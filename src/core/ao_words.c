/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the error message of an operation. The message contains the cause, the operation, its subject and its
 * phase.
 *
 * Owns: nothing. A message belongs to its record. The context's lock guards the messages of all records
 * except records on the stack.
 */
#include "libxl_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Returns the part of a message that names the operation, for example "OPERATION 7" or "OPERATION 'NAME',
 * phase PHASE". Returns NULL if there is no memory.
 */
static char *place_of(const libxl__ao *ao)
{
    const libxl__subject *subject = &ao->subject;
    const bool in_phase = ao->cls->phases && ao->phase.since;
    char number[16] = "", *place;
    if (subject->number != UINT32_MAX)
        snprintf(number, sizeof(number), " %u", subject->number);
    const char *quote = subject->name ? "'" : "";
    if (asprintf(&place, "%s%s%s%s%s%s%s%s", ao->cls->name, subject->name ? " " : "", quote,
                 subject->name ? subject->name : "", quote, number, in_phase ? ", phase " : "",
                 in_phase ? libxl__phase_of(ao)->name : "") < 0)
        return NULL;
    return place;
}

/*
 * Returns the message for a cause. Takes ownership of `cause`, which is malloc'ed or NULL. Returns NULL if
 * there is no memory.
 */
static char *message_of(const libxl__ao *ao, char *cause)
{
    char *place = cause ? place_of(ao) : NULL, *message = NULL;
    const size_t length = cause ? strlen(cause) : 0;
    if (length && cause[length - 1] == '.') /* a general description ends with a full stop */
        cause[length - 1] = 0;
    if (place && asprintf(&message, "%s (%s)", cause, place) < 0)
        message = NULL;
    free(place);
    if (!message)
        return libxl__printable(cause);
    free(cause);
    return libxl__printable(message);
}

void libxl__ao_log(const libxl__ao *ao, xentoollog_level level, int errnoval, const char *fmt, ...)
{
    va_list args;
    if (!ao->ctx->logger)
        return;
    va_start(args, fmt);
    libxl__log_set_about(ao->cls->name, ao->subject.number);
    xtl_logv(ao->ctx->logger, level, errnoval, "libxl", fmt, args);
    libxl__log_set_about(NULL, UINT32_MAX);
    va_end(args);
}

int libxl__ao_fail(libxl__ao *ao, int rc, const char *fmt, ...)
{
    char *cause;
    if (ao->message)
        return rc;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&cause, fmt, args) < 0)
        cause = NULL;
    va_end(args);
    ao->message = message_of(ao, cause);
    /* A stop request was made, and the operation ends because of it. This is not logged as an error. */
    libxl__ao_log(ao, ao->stop && rc == ao->stop ? XTL_DEBUG : XTL_ERROR, -1, "%s", libxl__ao_words(ao, rc));
    return rc;
}

void libxl__ao_fail_also(libxl__ao *ao, const char *fmt, ...)
{
    char *addition, *longer;
    va_list args;
    va_start(args, fmt);
    const int length = vasprintf(&addition, fmt, args);
    va_end(args);
    if (length < 0)
        return;
    addition = libxl__printable(addition);
    libxl__ao_log(ao, XTL_ERROR, -1, "%s: %s", ao->cls->name, addition);
    if (ao->message && asprintf(&longer, "%s; %s", ao->message, addition) >= 0) {
        free(ao->message);
        ao->message = longer;
    }
    free(addition);
}

const char *libxl__ao_words(const libxl__ao *ao, int rc)
{
    return ao->message ? ao->message : libxl__error_words(rc);
}

void libxl__ao_describe_failure(libxl__ao *ao, int rc)
{
    if (rc < 0 && !ao->message)
        libxl__ao_fail(ao, rc, "%s", libxl__error_words(rc));
}

void libxl__ao_forget_failure(libxl__ao *ao)
{
    free(ao->message);
    ao->message = NULL;
    ao->rc = 0;
}

int libxl__ao_outward(const libxl__ao *ao, int rc)
{
    return rc ? ao->ctx->conventions->outward(ao->cls->name, rc) : 0;
}
