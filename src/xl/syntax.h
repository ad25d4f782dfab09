/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The settings of a text. All memory is that of the libxl__xl. */
#ifndef LIBXL__XL_SYNTAX_H
#define LIBXL__XL_SYNTAX_H

#include "xl.h"

typedef enum libxl__xl_form {
    LIBXL__XL_STRING,
    LIBXL__XL_NUMBER, /* stored as its digits, because xl accepts a number for a string and a string for a number */
    LIBXL__XL_LIST,
} libxl__xl_form;

/* A part of a string: a token of a source. A string has several if it was extended with +=. */
typedef struct libxl__xl_piece {
    struct libxl__xl_piece *next;
    libxl__xl_place place; /* the place of its first character */
    size_t length;         /* in octets, after escapes are replaced */
} libxl__xl_piece;

typedef struct libxl__xl_value libxl__xl_value;
struct libxl__xl_value {
    libxl__xl_value *next; /* the next item of the list that contains this value */
    libxl__xl_form form;
    libxl__xl_place place;
    char *text; /* the text of a string or number */
    libxl__xl_piece *pieces;
    libxl__xl_value *items; /* the first item of a list */
    int count;
};

typedef struct libxl__xl_setting {
    const char *key;
    libxl__xl_place place; /* the place of the key */
    libxl__xl_value *value;
    bool known; /* libxl__xl_find has found this setting; the other settings are unknown keys */
} libxl__xl_setting;

/* The settings, sorted by their keys. No key occurs twice. */
typedef struct libxl__xl_settings {
    libxl__xl_setting *settings;
    size_t count;
} libxl__xl_settings;

/* Reads the sources in order. Errors are recorded in x; *out is empty then. */
void libxl__xl_parse(libxl__xl *x, const libxl__xl_source *sources, size_t count, libxl__xl_settings *out);

/* Returns the setting of a key, and marks it as known. NULL: there is none. */
libxl__xl_setting *libxl__xl_find(const libxl__xl_settings *settings, const char *key);

/* Returns the place of a character of a string or number. */
libxl__xl_place libxl__xl_inside(const libxl__xl_value *value, size_t offset);

#endif
