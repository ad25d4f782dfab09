/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the hand-written types have in common. A file of this layer has one type: its functions, and its JSON form, which is
 * libxl's. No lock, no state: any thread may call these functions.
 */
#ifndef LIBXL__VALUE_JSON_H
#define LIBXL__VALUE_JSON_H

#include <json-c/json.h>

#include "log.h"

/* Add `value`, which may be NULL for "no memory", and take it over in any case. Errors: NOMEM. */
int libxl__json_append(json_object *array, json_object *value);
int libxl__json_set(json_object *object, const char *key, json_object *value);

/* Reads a string without NUL characters. Stores a copy that the caller frees. Errors: INVAL, NOMEM. */
int libxl__json_text(json_object *in, char **out);
/* Makes a string. Errors: NOMEM; INVAL if it is not UTF-8. */
int libxl__json_new_text(const char *text, json_object **out);

#endif
