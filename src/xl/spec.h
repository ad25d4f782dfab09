/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads specifications. A specification is a string of parameters that are separated by commas, for example
 * the specification of a disk. Call the functions on the thread that uses the libxl__xl (xl.h), without a lock. Errors
 * are recorded in x.
 */
#ifndef LIBXL__XL_SPEC_H
#define LIBXL__XL_SPEC_H

#include "field.h"

/* One parameter: KEY=VALUE, or a word without "=". */
typedef struct libxl__xl_param {
    const char *key;      /* the text before the "=", or the word */
    libxl__xl_text place; /* the place of the key in the specification */
    libxl__xl_text text;  /* the text of the value; its `text` is NULL for a word without "=" */
} libxl__xl_param;

/* The rules by which a class of devices separates its parameters. */
typedef struct libxl__xl_style {
    const char *skipped; /* characters that are skipped before a parameter */
    bool trims;          /* blanks around keys and values are removed */
    /* The key whose value is the remaining string, commas included. NULL: no key has such a value. */
    const char *rest;
} libxl__xl_style;

/*
 * Reads the parameter at *at, and moves *at behind the parameter. Returns true, or false at the end of the
 * text. The key of an empty parameter is empty. All texts are copies that live as long as x.
 */
bool libxl__xl_param_next(libxl__xl *x, const libxl__xl_text *spec, const libxl__xl_style *style, size_t *at,
                          libxl__xl_param *out);

/*
 * Stores all parameters of a specification in the object, by the rows of the table. For an unknown parameter,
 * records a message of severity `unknown` that suggests the most similar parameter of the table. `what` is
 * the name of the specification in messages.
 */
void libxl__xl_params(libxl__xl *x, void *object, const char *what, const libxl__xl_text *spec,
                      const libxl__xl_style *style, const libxl__xl_field *table, libxl__xl_severity unknown);

/*
 * Records a message about a parameter that is not in the table, that lacks the value that it needs, or that has a
 * value although it takes none.
 */
void libxl__xl_unknown(libxl__xl *x, libxl__xl_severity severity, const char *what,
                       const libxl__xl_param *param, const libxl__xl_field *table);

#endif
