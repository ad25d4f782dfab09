/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths, text and numbers for reading and writing. No lock, no state: any thread may call these. */
#ifndef LIBXL__JSON_COMMON_H
#define LIBXL__JSON_COMMON_H

#include "json_table.h"

/* A place in a document. Each level is on the stack of the function that handles it and points to the level above. */
typedef struct libxl__json_spot {
    const struct libxl__json_spot *up; /* NULL: the top level */
    const char *name;                  /* a member's name; NULL: an element of an array */
    size_t index;
} libxl__json_spot;

/* Sets this thread's error message to "PATH: MESSAGE" and returns rc. `at` NULL: the message alone. */
int libxl__json_fail(const libxl__json_spot *at, int rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The length of the longest prefix of `text` that is valid UTF-8: no overlong forms, no surrogates. */
size_t libxl__json_utf8(const char *text, size_t length);

/* The surrogate whose four hexadecimal digits are at p. 0: they are not a surrogate. */
unsigned libxl__json_surrogate(const char *p, const char *end);
/*
 * Replaces each surrogate pair of \\u escapes by its character, in place, and returns the new length. json-c 0.16
 * handles some pairs wrongly. `text` has room for a terminating NUL.
 */
size_t libxl__json_join_surrogates(char *text, size_t length);

/*
 * Checks what json-c does not, in a text that json-c has parsed, or has parsed up to `end`: it fails at the first
 * duplicate member, number that does not fit 64 bits, or unpaired surrogate. If there is none and `problem` is not
 * NULL, it fails with that message and the path of the place at `end`. Returns 0, ERROR_INVAL with the message set, or
 * ERROR_NOMEM.
 */
int libxl__json_scan(const char *text, size_t end, const char *problem);

/* Loads a number of the field's size and sign, extended to 64 bits. */
uint64_t libxl__json_load(const libxl__json_field *field, const void *p);
int libxl__json_load_int(const void *p);

/* Makes the object of *p, which the caller puts. Errors: NOMEM; INVAL, with the message set. */
int libxl__json_object(const libxl__json_type *type, const void *p, json_object **out);

/* The arm of a union that `key` selects. NULL: the arm holds nothing. */
const libxl__json_field *libxl__json_arm(const libxl__json_field *field, int key);

#endif
