/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds values that the library does not support. Owns nothing after a call. Needs no lock: any thread may
 * call this.
 *
 * The JSON form of a value contains only the fields that differ from their initial values. So if an
 * unsupported field is in the JSON form, the application has set that field.
 */
#include "json_common.h"

#include <stdio.h>

#include "log.h"

typedef libxl__json_spot spot;

static int check_object(const spot *up, const libxl__json_field *fields, json_object *object,
                        int unsupported);

static int check_value(const spot *at, const libxl__json_field *field, json_object *value, int unsupported)
{
    if (field->unsupported)
        return libxl__json_fail(at, unsupported, "not supported");
    if (field->kind == LIBXL__JSON_STRUCT)
        return check_object(at, field->type->fields, value, unsupported);
    return field->kind == LIBXL__JSON_GROUP ? check_object(at, field->fields, value, unsupported) : 0;
}

static int check_array(const spot *up, const libxl__json_field *field, json_object *array, int unsupported)
{
    int rc = field->unsupported ? check_value(up, field, array, unsupported) : 0;
    const size_t count = json_object_array_length(array);
    for (size_t i = 0; !rc && i < count; i++) {
        const spot at = {.up = up, .index = i};
        rc = check_value(&at, field, json_object_array_get_idx(array, i), unsupported);
    }
    return rc;
}

/* Checks the selected arm of a union. In JSON it is the member "KEY.WORD". */
static int check_union(const spot *up, const libxl__json_field *field, json_object *object, int unsupported)
{
    int rc = 0;
    for (const libxl__json_field *arm = field->fields; !rc && arm->name; arm++) {
        char name[256];
        json_object *value;
        snprintf(name, sizeof(name), "%s.%s", field->name, field->words->word(arm->value));
        const spot at = {.up = up, .name = name};
        if (json_object_object_get_ex(object, name, &value))
            rc = check_value(&at, arm, value, unsupported);
    }
    return rc;
}

static int check_object(const spot *up, const libxl__json_field *fields, json_object *object, int unsupported)
{
    int rc = 0;
    for (const libxl__json_field *field = fields; !rc && field->name; field++) {
        const spot at = {.up = up, .name = field->name};
        json_object *value;
        if (field->kind == LIBXL__JSON_UNION)
            rc = check_union(up, field, object, unsupported);
        else if (json_object_object_get_ex(object, field->name, &value))
            rc = field->array ? check_array(&at, field, value, unsupported)
                              : check_value(&at, field, value, unsupported);
    }
    return rc;
}

int libxl__json_check(const libxl__json_type *type, const void *p, int unsupported)
{
    json_object *object;
    int rc = libxl__json_object(type, p, &object);
    if (rc)
        return rc == ERROR_NOMEM ? libxl__refuse(rc, NULL) : rc;
    rc = check_object(NULL, type->fields, object, unsupported);
    json_object_put(object);
    return rc;
}
