/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON functions that the hand-written types share. Owns nothing. These functions need no lock: any thread
 * may call them.
 */
#include "value_json.h"

#include <string.h>

#include "json_common.h"

int libxl__json_append(json_object *array, json_object *value)
{
    if (value && !json_object_array_add(array, value))
        return 0;
    json_object_put(value);
    return ERROR_NOMEM;
}

int libxl__json_set(json_object *object, const char *key, json_object *value)
{
    if (value && !json_object_object_add(object, key, value))
        return 0;
    json_object_put(value);
    return ERROR_NOMEM;
}

int libxl__json_text(json_object *in, char **out)
{
    if (!json_object_is_type(in, json_type_string))
        return ERROR_INVAL;
    const char *text = json_object_get_string(in);
    if (strlen(text) != (size_t)json_object_get_string_len(in))
        return ERROR_INVAL;
    *out = strdup(text);
    return *out ? 0 : ERROR_NOMEM;
}

int libxl__json_new_text(const char *text, json_object **out)
{
    const size_t length = strlen(text);
    if (libxl__json_utf8(text, length) != length)
        return ERROR_INVAL;
    *out = json_object_new_string(text);
    return *out ? 0 : ERROR_NOMEM;
}
