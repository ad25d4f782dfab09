/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables of keys and of parameters. A row says where a value is stored and which values are allowed. Reading and writing use the
 * same row.
 */
#ifndef LIBXL__XL_FIELD_H
#define LIBXL__XL_FIELD_H

#include <stdio.h>

#include "syntax.h"

/* A text: a whole value or a part of a value. */
typedef struct libxl__xl_text {
    const libxl__xl_value *value;
    size_t offset;    /* the position of the text in the value */
    const char *text; /* NULL: the value is a list */
} libxl__xl_text;

typedef struct libxl__xl_word {
    const char *word; /* NULL ends a table */
    int value;
} libxl__xl_word;

typedef enum libxl__xl_field_kind {
    LIBXL__XL_TEXT,
    LIBXL__XL_INTEGER, /* a number in a field of 1, 4 or 8 octets */
    LIBXL__XL_MIB,     /* a number of MiB, stored in KiB */
    LIBXL__XL_DEFBOOL,
    LIBXL__XL_BOOL,
    LIBXL__XL_ENUM,    /* one of `words` */
    LIBXL__XL_STRINGS, /* a list of strings */
    LIBXL__XL_SPECIAL, /* the row's function `read` reads it */
    LIBXL__XL_FLAG,    /* a parameter without a value: stores `max` in a bool or an int */
    LIBXL__XL_SWITCH,  /* a parameter without a value: sets a defbool to `max` */
    LIBXL__XL_NOTHING, /* has no effect; `note` says why */
} libxl__xl_field_kind;

typedef struct libxl__xl_field libxl__xl_field;
/* Reads a text into an object. Errors are recorded in x. */
typedef void libxl__xl_reader(libxl__xl *x, void *object, const libxl__xl_field *field,
                              const libxl__xl_text *text);

/* Writes a field of an object. For a key it writes the key, the value and a newline, or nothing if `base` has the same value.
 * For a parameter it writes the value only. */
typedef void libxl__xl_writer(FILE *out, const void *object, const void *base, const libxl__xl_field *field);

struct libxl__xl_field {
    const char *name; /* NULL ends a table */
    libxl__xl_field_kind kind;
    /* A bit 1 << LIBXL_DOMAIN_TYPE_... for each type of domain that has the key; 0: all types. */
    unsigned types;
    bool of_vfb;    /* for a PV domain the key is a parameter of the framebuffer */
    bool any_case;  /* the case of words does not matter */
    bool by_number; /* a file may give a word's number instead of the word, which is deprecated */
    size_t offset, size;
    int64_t min, max; /* the bounds of a number; max 0: INT32_MAX */
    const libxl__xl_word *words;
    libxl__xl_reader *read;
    /* Writes a value that has a grammar of its own; NULL: the kind determines the form. */
    libxl__xl_writer *write;
    bool alias;       /* this name is read but never written; another row has the name to write */
    const char *note; /* a warning for the reader of a file: the name is deprecated, or has no effect */
};

/* Rows of a table for a field f of the type T. */
#define LIBXL__XL_AT(T, f)        .offset = offsetof(T, f), .size = sizeof(((T *)0)->f)
#define LIBXL__XL_ROW(n, k, T, f) .name = (n), .kind = LIBXL__XL_##k, LIBXL__XL_AT(T, f)

/* Stores a text in a field of an object, and records errors. Frees the previous value of a string. */
void libxl__xl_put(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text);

/* Returns the place of a character of a text. */
libxl__xl_place libxl__xl_place_in(const libxl__xl_text *text, size_t offset);

/* Returns the whole text of a value. */
libxl__xl_text libxl__xl_whole(const libxl__xl_value *value);

/* Stores a copy of a text, and frees the previous one. */
void libxl__xl_put_string(libxl__xl *x, char **where, const char *text);

/* Reads a number as strtoll does. Returns false, without a message, if the text is not one. */
bool libxl__xl_number(const char *text, int64_t *out);

/* Returns whether a parameter stands alone, without a value. */
bool libxl__xl_is_flag(const libxl__xl_field *field);

/* Return the row of a table that has this name or this word. NULL: there is none. */
const libxl__xl_field *libxl__xl_field_named(const libxl__xl_field *table, const char *name);
const libxl__xl_word *libxl__xl_word_named(const libxl__xl_word *table, const char *word, bool any_case);

/* Adds a zeroed element to a malloc'ed array, and returns the element. NULL: there is no memory, or the array has too many
 * elements; both are recorded. */
void *libxl__xl_append(libxl__xl *x, libxl__xl_place place, void *array, int *count, size_t size);

#endif
