/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions libxl_T_gen_json write a value by the library yajl, with a generator that the program
 * owns. Here they convert the value to JSON, and then the JSON to calls of yajl. In the drop-in,
 * libxl_T_to_json has yajl's layout. If all fields of a struct are left out, libxl writes an empty struct,
 * and this library leaves out the struct. So this file adds the empty structs, which it finds in the tables
 * of the types. Owns: nothing after a call. Takes no lock: a generator is used by one thread at a time.
 */
#include "dropin.h"

#include <stdlib.h>
#include <string.h>

static yajl_gen_status put(yajl_gen hand, json_object *value);

static yajl_gen_status put_text(yajl_gen hand, const char *text)
{
    return yajl_gen_string(hand, (const unsigned char *)text, strlen(text));
}

static yajl_gen_status put_members(yajl_gen hand, json_object *value)
{
    yajl_gen_status status = yajl_gen_map_open(hand);
    json_object_object_foreach(value, name, member)
    {
        if (status == yajl_gen_status_ok)
            status = put_text(hand, name);
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

/* Writes the number's digits unchanged, because yajl has no integers above 2^63. */
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
    case json_type_string: return put_text(hand, json_object_get_string(value));
    case json_type_object: return put_members(hand, value);
    case json_type_array: return put_elements(hand, value);
    default: return yajl_gen_null(hand);
    }
}

/* ---- structs */

static yajl_gen_status put_struct(yajl_gen hand, const libxl__json_field *fields, json_object *object);

/* Returns the fields of the struct that the field is, or NULL if the field is no struct. */
static const libxl__json_field *inner(const libxl__json_field *field)
{
    if (field->kind == LIBXL__JSON_STRUCT)
        return field->type->fields;
    return field->kind == LIBXL__JSON_GROUP ? field->fields : NULL;
}

static yajl_gen_status put_structs(yajl_gen hand, const libxl__json_field *fields, json_object *array)
{
    yajl_gen_status status = yajl_gen_array_open(hand);
    for (size_t i = 0; status == yajl_gen_status_ok && i < json_object_array_length(array); i++)
        status = put_struct(hand, fields, json_object_array_get_idx(array, i));
    return status == yajl_gen_status_ok ? yajl_gen_array_close(hand) : status;
}

/* Writes the member of a union, whose name is "KEY.WORD". */
static yajl_gen_status put_union(yajl_gen hand, const libxl__json_field *field, json_object *object)
{
    const size_t length = strlen(field->name);
    json_object_object_foreach(object, name, member)
    {
        int key;
        if (strncmp(name, field->name, length) != 0 || name[length] != '.' ||
            field->words->value(name + length + 1, &key))
            continue;
        const libxl__json_field *arm = libxl__json_arm(field, key);
        const libxl__json_field *fields = arm ? inner(arm) : NULL;
        const yajl_gen_status status = put_text(hand, name);
        if (status != yajl_gen_status_ok)
            return status;
        return fields ? put_struct(hand, fields, member) : put(hand, member);
    }
    return yajl_gen_status_ok;
}

static yajl_gen_status put_field(yajl_gen hand, const libxl__json_field *field, json_object *object)
{
    const libxl__json_field *fields = inner(field);
    json_object *member = NULL;
    if (field->kind == LIBXL__JSON_UNION)
        return put_union(hand, field, object);
    const bool given = json_object_object_get_ex(object, field->name, &member);
    if (!given && (field->array || !fields))
        return yajl_gen_status_ok;
    const yajl_gen_status status = put_text(hand, field->name);
    if (status != yajl_gen_status_ok)
        return status;
    if (!fields)
        return put(hand, member);
    return field->array ? put_structs(hand, fields, member) : put_struct(hand, fields, member);
}

/* Writes a struct. `object` has the fields that are not left out; NULL: all fields are left out. */
static yajl_gen_status put_struct(yajl_gen hand, const libxl__json_field *fields, json_object *object)
{
    yajl_gen_status status = yajl_gen_map_open(hand);
    json_object *none = object ? NULL : json_object_new_object();
    for (const libxl__json_field *field = fields; status == yajl_gen_status_ok && field->name; field++)
        status = put_field(hand, field, object ? object : none);
    json_object_put(none);
    return status == yajl_gen_status_ok ? yajl_gen_map_close(hand) : status;
}

/* ---- functions that the generated functions of each type call */

yajl_gen_status libxl__dropin_yajl_object(yajl_gen hand, int rc, json_object *object)
{
    if (rc)
        return yajl_gen_in_error_state;
    const yajl_gen_status status = put(hand, object);
    json_object_put(object);
    return status;
}

yajl_gen_status libxl__dropin_yajl_struct(yajl_gen hand, const libxl__json_type *type, char *text)
{
    json_object *object = text ? json_tokener_parse(text) : NULL;
    free(text);
    if (!object)
        return yajl_gen_in_error_state;
    const yajl_gen_status status = put_struct(hand, type->fields, object);
    json_object_put(object);
    return status;
}

yajl_gen_status libxl__dropin_yajl_word(yajl_gen hand, const char *word)
{
    return word ? put_text(hand, word) : yajl_gen_null(hand);
}

char *libxl__dropin_layout(const libxl__json_type *type, char *text)
{
    const unsigned char *buffer;
    size_t length;
    char *copy = NULL;
    yajl_gen hand = text ? yajl_gen_alloc(NULL) : NULL;
    if (!hand) {
        free(text);
        return NULL;
    }
    yajl_gen_config(hand, yajl_gen_beautify, 1);
    if (libxl__dropin_yajl_struct(hand, type, text) == yajl_gen_status_ok &&
        yajl_gen_get_buf(hand, &buffer, &length) == yajl_gen_status_ok)
        copy = strndup((const char *)buffer, length);
    yajl_gen_free(hand);
    return copy;
}
