/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The settings of a text. A setting is a key and its value. All memory belongs to the libxl__xl. Call the functions on
 * the thread that uses the libxl__xl (xl.h), without a lock.
 */
#ifndef LIBXL__XL_SYNTAX_H
#define LIBXL__XL_SYNTAX_H

#include "xl.h"

typedef enum libxl__xl_form {
    LIBXL__XL_STRING,
    /* A number. Stored as its digits, because xl accepts a number for a string and a string for a number. */
    LIBXL__XL_NUMBER,
    LIBXL__XL_LIST,
} libxl__xl_form;

/* A part of a string: one token of a source. A string that was extended with += has several parts. */
typedef struct libxl__xl_piece {
    struct libxl__xl_piece *next;
    libxl__xl_place place; /* the place of the first character */
    size_t length;         /* the length in octets, after escapes are replaced */
} libxl__xl_piece;

typedef struct libxl__xl_value libxl__xl_value;
struct libxl__xl_value {
    libxl__xl_value *next; /* the next item of the list that contains this value */
    libxl__xl_form form;
    libxl__xl_place place;
    char *text; /* the text, if the value is a string or a number */
    libxl__xl_piece *pieces;
    libxl__xl_value *items; /* the first item, if the value is a list */
    int count;
};

typedef struct libxl__xl_setting {
    const char *key;
    libxl__xl_place place; /* the place of the setting's key */
    libxl__xl_value *value;
    bool known; /* libxl__xl_find has found this setting; the other settings are unknown keys */
} libxl__xl_setting;

/* The settings, sorted by their keys. No key occurs twice. */
typedef struct libxl__xl_settings {
    libxl__xl_setting *settings;
    size_t count;
} libxl__xl_settings;

/*
 * Reads the sources in order, and stores the settings in *out. Errors are recorded in x. After an error *out
 * is empty.
 */
void libxl__xl_parse(libxl__xl *x, const libxl__xl_source *sources, size_t count, libxl__xl_settings *out);

/* Returns the setting of a key, and marks the setting as known. Returns NULL if the key has no setting. */
libxl__xl_setting *libxl__xl_find(const libxl__xl_settings *settings, const char *key);

/* Returns the place of a character of a string or number. */
libxl__xl_place libxl__xl_inside(const libxl__xl_value *value, size_t offset);

#endif
