/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Specifications: strings of parameters that are separated by commas, such as that of a disk. */
#ifndef LIBXL__XL_SPEC_H
#define LIBXL__XL_SPEC_H

#include "field.h"

/* One parameter: KEY=VALUE, or a word without "=". */
typedef struct libxl__xl_param {
    const char *key;      /* the word */
    libxl__xl_text place; /* the text of the key */
    libxl__xl_text text;  /* the text of the value; its member `text` is NULL for a word without "=" */
} libxl__xl_param;

/* How a class separates its parameters. */
typedef struct libxl__xl_style {
    const char *skipped; /* characters that are skipped before a parameter */
    bool trims;          /* blanks around key and value are removed */
    const char *rest; /* the parameter whose value is the rest of the string, with its commas; NULL: none */
} libxl__xl_style;

/*
 * Reads the parameter at *at, and moves *at behind it. Returns false at the end of the text. Empty parameters are
 * returned with an empty key. All texts are copies that live as long as x.
 */
bool libxl__xl_param_next(libxl__xl *x, const libxl__xl_text *spec, const libxl__xl_style *style, size_t *at,
                          libxl__xl_param *out);

/*
 * Stores all parameters of a specification, as the rows of the table say. For an unknown parameter it records a message of
 * severity `unknown`, which suggests the most similar parameter of the table. `what` names the specification in messages.
 */
void libxl__xl_params(libxl__xl *x, void *object, const char *what, const libxl__xl_text *spec,
                      const libxl__xl_style *style, const libxl__xl_field *table, libxl__xl_severity unknown);

/* Records an unknown parameter. */
void libxl__xl_unknown(libxl__xl *x, libxl__xl_severity severity, const char *what,
                       const libxl__xl_param *param, const libxl__xl_field *table);

#endif
