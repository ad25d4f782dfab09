/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading of xl's files: the declarations that the files of this directory share.
 *
 * A text passes three stages. parse.c makes a list of settings from it (syntax.h): a key with a string, a number or a
 * list. config.c walks the table of all keys (keys.c) in xl's order, and stores each setting in the configuration.
 * Values that have a grammar of their own, such as the specification of a disk, are read by one file each.
 *
 * A libxl__xl lives for one call. It owns its memory (gc) and its messages; one thread uses it, without a lock. A
 * configuration owns malloc'ed memory of its own, as its dispose function expects.
 *
 * A function that finds an error records it (libxl__xl_error) and goes on with the default value, so that one call finds
 * all errors of a text. libxl__xl_end returns whether any error was recorded.
 */
#ifndef LIBXL__XL_H
#define LIBXL__XL_H

#include <libxl_xl.h>

#include "gc.h"

enum {
    LIBXL__XL_DEPTH = 8,       /* the deepest nesting of lists */
    LIBXL__XL_MESSAGES = 100,  /* the most messages that are kept */
    LIBXL__XL_MAX_CPUS = 4096, /* the most processors, virtual and physical */
};

/* A text: that of a file, or that of an additional statement from the caller. */
typedef struct libxl__xl_source {
    const char *file;
    const char *text;
    size_t length;
    unsigned index;
} libxl__xl_source;

/* A place in a source, or a place in a value, which is converted to a place in a source when a message about it is kept. If
 * `source` and `value` are NULL, there is no place. */
typedef struct libxl__xl_place {
    const libxl__xl_source *source;
    size_t offset;
    const struct libxl__xl_value *value;
} libxl__xl_place;

typedef enum libxl__xl_severity {
    LIBXL__XL_ERROR,   /* an error in both modes, strict and lenient */
    LIBXL__XL_DOUBT,   /* an error if strict; a warning if lenient, because xl ignores it */
    LIBXL__XL_WARNING, /* a warning in both modes */
} libxl__xl_severity;

typedef struct libxl__xl_note libxl__xl_note; /* a message (report.c) */

typedef struct libxl__xl {
    libxl__gc gc;
    bool lenient;
    int rc; /* 0, or the error that the call will return */
    const libxl_xl_host *host;
    /* All settings of the text, for keys that depend on other keys. */
    const struct libxl__xl_settings *settings;
    int count;      /* the number of messages, including those that are not kept */
    bool has_error; /* an error is among the kept messages */
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

/* Return zeroed memory, and a copy of `length` octets with a terminating zero. The memory lives as long as x. NULL: there is no
 * memory, which is recorded. */
void *libxl__xl_alloc(libxl__xl *x, size_t size);
char *libxl__xl_copy(libxl__xl *x, const char *text, size_t length);

/* Returns the word of `words` that is most similar to `word`; NULL: none is similar. `words` ends with NULL. */
const char *libxl__xl_nearest(const char *word, const char *const *words);

/* Ends x: frees its memory, and stores the messages in *messages unless `messages` is NULL. Returns 0 or the error. On an error
 * the thread's error message is set. */
int libxl__xl_end(libxl__xl *x, libxl_xl_messages *messages);

#endif
