/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes xl's files. Each row of a table can write its value. If a value has a special grammar, its row has a
 * function for this. The writers do not check values, because libxl_domain_config_to_xl reads its text again and
 * compares the result. The functions do not fail; errors of `out` are found by the caller. Any thread may call them,
 * without a lock; one thread uses `out` at a time.
 */
#ifndef LIBXL__XL_WRITE_H
#define LIBXL__XL_WRITE_H

#include <stdio.h>

#include "field.h"

/*
 * Writes "KEY = VALUE" and a newline for the field of an object. Writes nothing if `base` has the same value.
 */
void libxl__xl_write_key(FILE *out, const void *object, const void *base, const libxl__xl_field *field);

/*
 * Writes the parameters whose values differ from those of `base`, with commas between them. The row `last` is
 * written at the end. Deprecated names are not written.
 */
void libxl__xl_write_params(FILE *out, const void *object, const void *base, const libxl__xl_field *table,
                            const libxl__xl_field *last);

/*
 * The first function writes a text with quotes around it. The second writes a text as a part of a quoted
 * string. Both replace special characters by escapes.
 */
void libxl__xl_write_string(FILE *out, const char *text);
void libxl__xl_write_escaped(FILE *out, const char *text);

/* Writes the numbers of a bitmap as ranges: "0-3,5". */
void libxl__xl_write_bits(FILE *out, const libxl_bitmap *map);

#endif
