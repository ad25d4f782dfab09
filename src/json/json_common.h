/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What reading and writing share. */
#ifndef LIBXL__JSON_COMMON_H
#define LIBXL__JSON_COMMON_H

#include "json_table.h"

/* Where in a document something is: the way down from the top, on the stack. */
typedef struct libxl__json_spot {
    const struct libxl__json_spot *up; /* NULL: the top */
    const char *name;                  /* a member; NULL: an element */
    size_t index;
} libxl__json_spot;

/* Makes "path: message" this thread's error message; returns rc. `at` NULL: the document as a whole. */
int libxl__json_fail(const libxl__json_spot *at, int rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The longest part of `text` that is UTF-8: no overlong forms, no surrogates. */
size_t libxl__json_utf8(const char *text, size_t length);

/* The half of a character whose four hexadecimal digits are at p; 0: they are none. */
unsigned libxl__json_surrogate(const char *p, const char *end);
/*
 * Makes the pairs of escapes that are one character that character, for json-c (0.16) mistakes some of them
 * for halves. `text` has room for a NUL. The new length.
 */
size_t libxl__json_join_surrogates(char *text, size_t length);

/*
 * What json-c does not tell: in a text that it has parsed (or has parsed up to `end`), the first member that
 * an object has twice, number that does not fit 64 bits, or escape that is no character. 0, or INVAL and the
 * message is set. `problem`: instead, fails with this message and the path of what is at `end`.
 */
int libxl__json_scan(const char *text, size_t end, const char *problem);

/* A number in 64 bits, whose sign the field knows. */
uint64_t libxl__json_load(const libxl__json_field *field, const void *p);
int libxl__json_load_int(const void *p);

#endif
