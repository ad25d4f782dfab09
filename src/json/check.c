/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Visits the fields that the application has set, and finds those that the library does not support. Owns nothing
 * after a call. Needs no lock: any thread may call this.
 *
 * The JSON form of a value contains only the fields that differ from their initial values. So if a field is in the
 * JSON form, the application has set that field.
 */
#include "json_common.h"

#include <stdio.h>
#include <stdlib.h>

#include "log.h"

typedef libxl__json_spot spot;

typedef struct walk {
    /* Called for each member. Returns 0, or an error, which ends the walk. */
    int (*see)(const struct walk *walk, const spot *at, const libxl__json_field *field, json_object *value);
    int unsupported; /* the argument of libxl__json_check */
    libxl__json_visitor *visitor;
    void *data;
} walk;

static int walk_object(const walk *w, const spot *up, const libxl__json_field *fields, json_object *object);

static int walk_value(const walk *w, const spot *at, const libxl__json_field *field, json_object *value)
{
    int rc = w->see(w, at, field, value);
    if (!rc && field->kind == LIBXL__JSON_STRUCT)
        rc = walk_object(w, at, field->type->fields, value);
    else if (!rc && field->kind == LIBXL__JSON_GROUP)
        rc = walk_object(w, at, field->fields, value);
    return rc;
}

static int walk_array(const walk *w, const spot *up, const libxl__json_field *field, json_object *array)
{
    int rc = w->see(w, up, field, array);
    const size_t count = json_object_array_length(array);
    for (size_t i = 0; !rc && i < count; i++) {
        const spot at = {.up = up, .index = i};
        rc = walk_value(w, &at, field, json_object_array_get_idx(array, i));
    }
    return rc;
}

/* Visits the selected arm of a union. In JSON it is the member "KEY.WORD". */
static int walk_union(const walk *w, const spot *up, const libxl__json_field *field, json_object *object)
{
    int rc = 0;
    for (const libxl__json_field *arm = field->fields; !rc && arm->name; arm++) {
        char name[256];
        json_object *value;
        snprintf(name, sizeof(name), "%s.%s", field->name, field->words->word(arm->value));
        const spot at = {.up = up, .name = name};
        if (json_object_object_get_ex(object, name, &value))
            rc = walk_value(w, &at, arm, value);
    }
    return rc;
}

static int walk_object(const walk *w, const spot *up, const libxl__json_field *fields, json_object *object)
{
    int rc = 0;
    for (const libxl__json_field *field = fields; !rc && field->name; field++) {
        const spot at = {.up = up, .name = field->name};
        json_object *value;
        if (field->kind == LIBXL__JSON_UNION)
            rc = walk_union(w, up, field, object);
        else if (json_object_object_get_ex(object, field->name, &value))
            rc = field->array ? walk_array(w, &at, field, value) : walk_value(w, &at, field, value);
    }
    return rc;
}

static int begin(const walk *w, const libxl__json_type *type, const void *p)
{
    json_object *object;
    int rc = libxl__json_object(type, p, &object);
    if (rc)
        return rc == ERROR_NOMEM ? libxl__refuse(rc, NULL) : rc;
    rc = walk_object(w, NULL, type->fields, object);
    json_object_put(object);
    return rc;
}

static int check(const walk *w, const spot *at, const libxl__json_field *field, json_object *value)
{
    (void)value;
    return field->unsupported ? libxl__json_fail(at, w->unsupported, "not supported") : 0;
}

int libxl__json_check(const libxl__json_type *type, const void *p, int unsupported)
{
    return begin(&(walk){.see = check, .unsupported = unsupported}, type, p);
}

static int visit(const walk *w, const spot *at, const libxl__json_field *field, json_object *value)
{
    char *path = libxl__json_path(at);
    if (!path)
        return libxl__refuse(ERROR_NOMEM, NULL);
    const char *why = w->visitor(path, field, value, w->data);
    const int rc = why ? libxl__json_fail(at, ERROR_INVAL, "%s", why) : 0;
    free(path);
    return rc;
}

int libxl__json_visit(const libxl__json_type *type, const void *p, libxl__json_visitor *visitor, void *data)
{
    return begin(&(walk){.see = visit, .visitor = visitor, .data = data}, type, p);
}
