/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions libxl_T_gen_json write a value by the library yajl, with a generator that the program owns. Here
 * the value becomes JSON first, and then calls of yajl. Owns: nothing after a call.
 */
#include "dropin.h"

#include <stdlib.h>
#include <string.h>

static yajl_gen_status put(yajl_gen hand, json_object *value);

static yajl_gen_status put_text(yajl_gen hand, const char *text, size_t length)
{
    return yajl_gen_string(hand, (const unsigned char *)text, length);
}

static yajl_gen_status put_members(yajl_gen hand, json_object *value)
{
    yajl_gen_status status = yajl_gen_map_open(hand);
    json_object_object_foreach(value, name, member)
    {
        if (status == yajl_gen_status_ok)
            status = put_text(hand, name, strlen(name));
        if (status == yajl_gen_status_ok)
            status = put(hand, member);
    }
    return status == yajl_gen_status_ok ? yajl_gen_map_close(hand) : status;
}

static yajl_gen_status put_elements(yajl_gen hand, json_object *value)
{
    yajl_gen_status status = yajl_gen_array_open(hand);
    for (size_t i = 0; status == yajl_gen_status_ok && i < json_object_array_length(value); i++)
        status = put(hand, json_object_array_get_idx(value, i));
    return status == yajl_gen_status_ok ? yajl_gen_array_close(hand) : status;
}

/* Writes the number's digits, because a number above 2^63 is not one of yajl's integers. */
static yajl_gen_status put_number(yajl_gen hand, json_object *value)
{
    const char *digits = json_object_to_json_string(value);
    return digits ? yajl_gen_number(hand, digits, strlen(digits)) : yajl_gen_in_error_state;
}

static yajl_gen_status put(yajl_gen hand, json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean: return yajl_gen_bool(hand, json_object_get_boolean(value));
    case json_type_int:
    case json_type_double: return put_number(hand, value);
    case json_type_string:
        return put_text(hand, json_object_get_string(value), (size_t)json_object_get_string_len(value));
    case json_type_object: return put_members(hand, value);
    case json_type_array: return put_elements(hand, value);
    default: return yajl_gen_null(hand);
    }
}

yajl_gen_status libxl__dropin_yajl_object(yajl_gen hand, int rc, json_object *object)
{
    if (rc)
        return yajl_gen_in_error_state;
    const yajl_gen_status status = put(hand, object);
    json_object_put(object);
    return status;
}

yajl_gen_status libxl__dropin_yajl_text(yajl_gen hand, char *text)
{
    json_object *object = text ? json_tokener_parse(text) : NULL;
    free(text);
    return libxl__dropin_yajl_object(hand, object ? 0 : ERROR_NOMEM, object);
}

yajl_gen_status libxl__dropin_yajl_word(yajl_gen hand, const char *word)
{
    return word ? put_text(hand, word, strlen(word)) : yajl_gen_null(hand);
}
