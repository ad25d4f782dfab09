/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes a value as JSON in place of a text that another program, or a newer release, has written. Members of this
 * text that the type does not have are kept, for programs that know them. Owns nothing after a call. Needs no lock:
 * any thread may call this.
 *
 * The elements of an array may have moved. So an element is identified by the member "devid", or "vdev" of a disk.
 * The unknown members of an element without such a member are not kept.
 */
#include "json_common.h"

#include <string.h>

#include "log.h"

static int keep_members(const libxl__json_field *fields, json_object *old, json_object *object);

/*
 * Copies the unknown members of `old` into the object `name`, a member of `object`. If `object` has no such member,
 * adds it, unless `must_exist` is true.
 */
static int keep_below(const libxl__json_field *fields, const char *name, json_object *old,
                      json_object *object, bool must_exist)
{
    json_object *below = NULL;
    if (!fields || !json_object_is_type(old, json_type_object))
        return 0;
    const bool exists = json_object_object_get_ex(object, name, &below);
    if (exists)
        return json_object_is_type(below, json_type_object) ? keep_members(fields, old, below) : 0;
    if (must_exist)
        return 0;
    below = json_object_new_object();
    int rc = below ? keep_members(fields, old, below) : ERROR_NOMEM;
    if (!rc && json_object_object_length(below) && !json_object_object_add(object, name, below))
        return 0;
    json_object_put(below);
    return rc;
}

/* Returns whether both elements have the member `name`, with the same value. */
static bool share(json_object *left, json_object *right, const char *name)
{
    json_object *a, *b;
    return json_object_object_get_ex(left, name, &a) && json_object_object_get_ex(right, name, &b) &&
           json_object_equal(a, b);
}

static json_object *find_element(json_object *array, json_object *wanted)
{
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        json_object *element = json_object_array_get_idx(array, i);
        if (share(element, wanted, "devid") || share(element, wanted, "vdev"))
            return element;
    }
    return NULL;
}

static int keep_elements(const libxl__json_field *field, const char *name, json_object *old,
                         json_object *object)
{
    json_object *array;
    int rc = 0;
    if (!field->type || !json_object_is_type(old, json_type_array) ||
        !json_object_object_get_ex(object, name, &array))
        return 0;
    for (size_t i = 0; !rc && i < json_object_array_length(array); i++) {
        json_object *element = json_object_array_get_idx(array, i);
        json_object *before = find_element(old, element);
        if (before)
            rc = keep_members(field->type->fields, before, element);
    }
    return rc;
}

/*
 * Copies the unknown parts of the member `name` into `object`, the new object. `old` is the member's value in the
 * text.
 */
static int keep_member(const libxl__json_field *fields, const char *name, json_object *old,
                       json_object *object)
{
    for (const libxl__json_field *field = fields; field->name; field++) {
        const char *word;
        int key;
        if (libxl__json_names_arm(field, name, &word)) {
            const libxl__json_field *arm =
                field->words->value(word, &key) ? NULL : libxl__json_arm(field, key);
            return keep_below(arm ? arm->fields : NULL, name, old, object, true);
        }
        if (field->kind == LIBXL__JSON_UNION || strcmp(field->name, name) != 0)
            continue;
        if (field->array)
            return keep_elements(field, name, old, object);
        if (field->kind == LIBXL__JSON_GROUP)
            return keep_below(field->fields, name, old, object, false);
        return keep_below(field->kind == LIBXL__JSON_STRUCT ? field->type->fields : NULL, name, old, object,
                          false);
    }
    json_object *kept = json_object_get(old);
    if (!json_object_object_add(object, name, kept))
        return 0;
    json_object_put(kept);
    return ERROR_NOMEM;
}

static int keep_members(const libxl__json_field *fields, json_object *old, json_object *object)
{
    if (!json_object_is_type(old, json_type_object) || !json_object_is_type(object, json_type_object))
        return 0;
    json_object_object_foreach(old, name, value)
    {
        const int rc = keep_member(fields, name, value, object);
        if (rc)
            return rc;
    }
    return 0;
}

char *libxl__json_write_over(const libxl__json_type *type, const void *p, const char *text)
{
    json_object *old = NULL, *object = NULL;
    int rc = libxl__json_object(type, p, &object);
    if (!rc)
        rc = libxl__json_parse(text, &old);
    if (!rc)
        rc = keep_members(type->fields, old, object);
    if (rc == ERROR_NOMEM)
        libxl__refuse(rc, "out of memory (writing JSON)");
    char *written = rc ? NULL : libxl__json_print(object);
    json_object_put(old);
    json_object_put(object);
    return written;
}
