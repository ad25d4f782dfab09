/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON functions that the hand-written types share. Each C file of this directory has the functions and the
 * JSON form of one type, or of a few similar types. The JSON forms are libxl's. These functions have no state
 * and need no lock: any thread may call them.
 */
#ifndef LIBXL__VALUE_JSON_H
#define LIBXL__VALUE_JSON_H

#include <json-c/json.h>

#include "log.h"

/*
 * Add `value` to an array or an object, and take ownership of it, also after an error. Errors: NOMEM, also if
 * `value` is NULL.
 */
int libxl__json_append(json_object *array, json_object *value);
int libxl__json_set(json_object *object, const char *key, json_object *value);

/*
 * Stores a copy of a JSON string in *out, which the caller frees. Errors: INVAL (`in` is not a string, or has
 * a NUL character), NOMEM.
 */
int libxl__json_text(json_object *in, char **out);
/* Makes a JSON string of `text`. Errors: NOMEM, INVAL (`text` is not UTF-8). */
int libxl__json_new_text(const char *text, json_object **out);

#endif
