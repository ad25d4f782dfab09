/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading of xl's files: the declarations that the files of this directory share.
 *
 * A text is read in three stages. First, parse.c makes a list of settings from the text (syntax.h). A setting
 * is a key with a string, a number or a list. Second, config.c goes through the table of all keys (keys.c) in
 * xl's order, and stores each setting in the configuration. Third, a value with a special grammar, such as
 * the specification of a disk, is read by a separate file.
 *
 * A libxl__xl exists during one call. It owns its memory (gc) and its messages. Only the calling thread uses
 * it, without a lock. The memory of a configuration is malloc'ed, because the dispose function of the
 * configuration frees it.
 *
 * A function that finds an error records it (libxl__xl_error) and goes on with the default value, so that one
 * call finds all errors of a text. libxl__xl_end returns whether any error was recorded.
 */
#ifndef LIBXL__XL_H
#define LIBXL__XL_H

#include <libxl_xl.h>

#include "gc.h"

enum {
    LIBXL__XL_DEPTH = 8,       /* the greatest depth of nested lists */
    LIBXL__XL_MESSAGES = 100,  /* the greatest number of messages that are kept */
    LIBXL__XL_MAX_CPUS = 4096, /* the greatest number of processors, virtual or physical */
};

/* A text: the text of a file, or of an additional statement from the caller. */
typedef struct libxl__xl_source {
    const char *file;
    const char *text;
    size_t length;
    unsigned index;
} libxl__xl_source;

/*
 * A place in a source or in a value. A place in a value is converted to a place in a source when a message
 * about the place is kept. If `source` and `value` are NULL, there is no place.
 */
typedef struct libxl__xl_place {
    const libxl__xl_source *source;
    size_t offset;
    const struct libxl__xl_value *value;
} libxl__xl_place;

typedef enum libxl__xl_severity {
    LIBXL__XL_ERROR,   /* an error in both modes, strict and lenient */
    LIBXL__XL_DOUBT,   /* an error if strict; a warning if lenient, because xl ignores the problem */
    LIBXL__XL_WARNING, /* the message is a warning in both modes */
} libxl__xl_severity;

typedef struct libxl__xl_note libxl__xl_note; /* one recorded message (report.c) */

typedef struct libxl__xl {
    libxl__gc gc;
    bool lenient;
    int rc; /* the result of the call so far: 0 or an error */
    const libxl_xl_host *host;
    /* All settings of the text. Used for keys that depend on other keys. */
    const struct libxl__xl_settings *settings;
    int count;       /* the number of messages, including those that are not kept */
    bool has_error;  /* one of the kept messages is an error */
    unsigned errors; /* the number of errors so far, kept or not */
    libxl__xl_note *notes;
} libxl__xl;

/* Records a message. Unprintable characters in it are escaped when the caller gets the messages. */
void libxl__xl_say(libxl__xl *x, libxl__xl_severity severity, libxl__xl_place place, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Returns whether a message of this severity would be dropped because the limit of messages is reached. */
bool libxl__xl_is_full(const libxl__xl *x, libxl__xl_severity severity);
#define libxl__xl_error(x, place, ...) libxl__xl_say(x, LIBXL__XL_ERROR, place, __VA_ARGS__)
#define libxl__xl_doubt(x, place, ...) libxl__xl_say(x, LIBXL__XL_DOUBT, place, __VA_ARGS__)
#define libxl__xl_warn(x, place, ...)  libxl__xl_say(x, LIBXL__XL_WARNING, place, __VA_ARGS__)

/* Records that there is no memory. Returns NULL, for the caller to return. */
void *libxl__xl_no_memory(libxl__xl *x);

/*
 * The first function returns zeroed memory. The second returns a copy of `length` octets with a terminating
 * zero. The memory is valid as long as x. Both return NULL, and record an error, if there is no memory.
 */
void *libxl__xl_alloc(libxl__xl *x, size_t size);
char *libxl__xl_copy(libxl__xl *x, const char *text, size_t length);

/*
 * Returns the word of `words` that is most similar to `word`. Returns NULL if no word is similar. `words`
 * ends with NULL.
 */
const char *libxl__xl_nearest(const char *word, const char *const *words);

/*
 * Ends x: frees the memory of x. If `messages` is not NULL, stores the messages in *messages. Returns 0 or an
 * error, and sets the thread's error message if it returns an error.
 */
int libxl__xl_end(libxl__xl *x, libxl_xl_messages *messages);

#endif
