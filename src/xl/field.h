/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables of keys and of parameters. A row says where a value is stored and which values are allowed. The
 * reader and the writer use the same row. Call the functions on the thread that uses the libxl__xl (xl.h), without a
 * lock.
 */
#ifndef LIBXL__XL_FIELD_H
#define LIBXL__XL_FIELD_H

#include <stdio.h>

#include "syntax.h"

/* A text: a whole value or a part of a value. */
typedef struct libxl__xl_text {
    const libxl__xl_value *value;
    size_t offset;    /* the position of the text in the value */
    const char *text; /* the text; NULL: the value is a list */
} libxl__xl_text;

typedef struct libxl__xl_word {
    const char *word; /* the word in a file; NULL ends a table */
    int value;
} libxl__xl_word;

typedef enum libxl__xl_field_kind {
    LIBXL__XL_TEXT,
    LIBXL__XL_INTEGER, /* a number in a field of 1, 4 or 8 octets */
    LIBXL__XL_MIB,     /* a number of MiB in the file; KiB are stored */
    LIBXL__XL_DEFBOOL,
    LIBXL__XL_BOOL,
    LIBXL__XL_ENUM,    /* a word: one of the row's `words` */
    LIBXL__XL_STRINGS, /* a list of strings */
    LIBXL__XL_SPECIAL, /* the row's function `read` reads it */
    LIBXL__XL_FLAG,    /* a parameter without a value: stores `max` in a bool or an int */
    LIBXL__XL_SWITCH,  /* a parameter without a value: sets a libxl_defbool to `max` */
    LIBXL__XL_NOTHING, /* libxl__xl_put stores nothing; `note`, if set, says why the key has no effect */
} libxl__xl_field_kind;

typedef struct libxl__xl_field libxl__xl_field;
/* A function that reads a text into an object. Errors are recorded in x. */
typedef void libxl__xl_reader(libxl__xl *x, void *object, const libxl__xl_field *field,
                              const libxl__xl_text *text);

/*
 * A function that writes a field of an object. For a key it writes the key, the value and a newline. If
 * `base` has the same value, it writes nothing. For a parameter it writes only the value.
 */
typedef void libxl__xl_writer(FILE *out, const void *object, const void *base, const libxl__xl_field *field);

struct libxl__xl_field {
    const char *name; /* the name of the key or parameter; NULL ends a table */
    libxl__xl_field_kind kind;
    /*
     * The types of domains that have the key: one bit 1 << LIBXL_DOMAIN_TYPE_... for each type. 0: all types.
     */
    unsigned types;
    bool of_vfb;   /* the key is a parameter of the framebuffer in the file of a PV domain */
    bool any_case; /* the words are compared without regard to case */
    /* a text that is not a number is an error, as in xl; false: the severity of such a text is DOUBT */
    bool strict;
    bool by_number; /* a file may have the number of a word instead of the word, which is deprecated */
    size_t offset, size;
    /* The smallest and the greatest number that is allowed; max 0: the greatest is INT32_MAX. */
    int64_t min, max;
    const libxl__xl_word *words;
    libxl__xl_reader *read;
    /* Writes the value. NULL: the kind of the row determines the form of the value. */
    libxl__xl_writer *write;
    /* The reader accepts this name, but the writer never writes it. Another row has the name to write. */
    bool alias;
    /* The warning for a file that uses this name, for example that the name is deprecated. */
    const char *note;
};

/* Set the members of a row for the field f of the type T. */
#define LIBXL__XL_AT(T, f)        .offset = offsetof(T, f), .size = sizeof(((T *)0)->f)
#define LIBXL__XL_ROW(n, k, T, f) .name = (n), .kind = LIBXL__XL_##k, LIBXL__XL_AT(T, f)

/* Stores a text in a field of an object. Errors are recorded in x. Frees the previous value of a string. */
void libxl__xl_put(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text);

/* Returns the place of a character of a text. */
libxl__xl_place libxl__xl_place_in(const libxl__xl_text *text, size_t offset);

/* Returns the whole text of a value. */
libxl__xl_text libxl__xl_whole(const libxl__xl_value *value);

/* Stores a copy of a text, and frees the previous one. */
void libxl__xl_put_string(libxl__xl *x, char **where, const char *text);

/*
 * Reads a number in the form that strtoll accepts. Returns true, or false without a message if the text is
 * not a number.
 */
bool libxl__xl_number(const char *text, int64_t *out);

/* Returns whether a parameter is written without a value. */
bool libxl__xl_is_flag(const libxl__xl_field *field);

/* Return the row of a table that has this name or this word. Return NULL if no row has it. */
const libxl__xl_field *libxl__xl_field_named(const libxl__xl_field *table, const char *name);
const libxl__xl_word *libxl__xl_word_named(const libxl__xl_word *table, const char *word, bool any_case);

/*
 * Adds a zeroed element to a malloc'ed array, and returns the element. Returns NULL and records an error if
 * there is no memory or if the array has too many elements.
 */
void *libxl__xl_append(libxl__xl *x, libxl__xl_place place, void *array, int *count, size_t size);

#endif
