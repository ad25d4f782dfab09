/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading of xl's files: what the files of this directory share.
 *
 * A text passes three stages. parse.c makes a list of settings from it (syntax.h): a key with a string, a number or a
 * list. config.c walks the table of all keys (keys.c) in xl's order, and stores each setting in the configuration.
 * Values that have a grammar of their own, such as the specification of a disk, are read by one file each.
 *
 * A libxl__xl lives for one call. It owns its memory (gc) and its messages; one thread uses it, without a lock. A
 * configuration owns malloc'ed memory of its own, as its dispose function expects.
 *
 * A function that finds an error records it (libxl__xl_error) and goes on with its default, so that one call finds
 * all errors of a text. The caller of libxl__xl_end learns whether there was one.
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

/* A text: the file's, or that of an additional statement. */
typedef struct libxl__xl_source {
    const char *file;
    const char *text;
    size_t length;
    unsigned index;
} libxl__xl_source;

/* A place in a source, or in a value: its place in a source is found only for messages that are kept. Both NULL: no
 * place. */
typedef struct libxl__xl_place {
    const libxl__xl_source *source;
    size_t offset;
    const struct libxl__xl_value *value;
} libxl__xl_place;

typedef enum libxl__xl_severity {
    LIBXL__XL_ERROR,   /* in both modes */
    LIBXL__XL_DOUBT,   /* an error if strict; a warning if lenient, because xl ignores it */
    LIBXL__XL_WARNING, /* in both modes */
} libxl__xl_severity;

typedef struct libxl__xl_note libxl__xl_note; /* a message (report.c) */

typedef struct libxl__xl {
    libxl__gc gc;
    bool lenient;
    int rc; /* 0, or the error that the call will return */
    const libxl_xl_host *host;
    const struct libxl__xl_settings *settings; /* all, for keys that depend on others */
    int count;                                 /* of messages, also those that are not kept */
    bool has_error;                            /* an error is among the kept messages */
    libxl__xl_note *notes;
} libxl__xl;

/* Records a message. The text is escaped when it is written. */
void libxl__xl_say(libxl__xl *x, libxl__xl_severity severity, libxl__xl_place place, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Returns whether a message would not be kept, because there are many. */
bool libxl__xl_is_full(const libxl__xl *x, libxl__xl_severity severity);
#define libxl__xl_error(x, place, ...) libxl__xl_say(x, LIBXL__XL_ERROR, place, __VA_ARGS__)
#define libxl__xl_doubt(x, place, ...) libxl__xl_say(x, LIBXL__XL_DOUBT, place, __VA_ARGS__)
#define libxl__xl_warn(x, place, ...)  libxl__xl_say(x, LIBXL__XL_WARNING, place, __VA_ARGS__)

/* Records that there is no memory. Returns NULL, for the caller to return. */
void *libxl__xl_no_memory(libxl__xl *x);

/* Return zeroed memory, or a copy of `length` octets with a NUL, that lives as long as x. NULL: no memory, which is
 * recorded. */
void *libxl__xl_alloc(libxl__xl *x, size_t size);
char *libxl__xl_copy(libxl__xl *x, const char *text, size_t length);

/* Returns the word of `words` that is most like `word`; NULL: none is like it. `words` ends with NULL. */
const char *libxl__xl_nearest(const char *word, const char *const *words);

/* Ends x: frees its memory, and stores the messages in *messages unless it is NULL. Returns 0, or the error, whose
 * message is set. */
int libxl__xl_end(libxl__xl *x, libxl_xl_messages *messages);

#endif
