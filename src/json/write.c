/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes values as JSON. Owns nothing after a call. Needs no lock: any thread may call this.
 *
 * The writer compares each value with an initial value of the same type, and leaves out equal fields. If the
 * key of a union differs from its initial value, the initial value gets the key of the written union before
 * the two unions are compared. If the caller wants all fields, there is no initial value: every function then
 * gets NULL as `initial`, and leaves out nothing.
 */
#include "json_common.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

typedef libxl__json_spot spot;

static int write_fields(const spot *up, const libxl__json_field *fields, const char *p, char *initial,
                        json_object *object);

/* Returns the place of a field in the initial value, or NULL if there is no initial value. */
static char *initial_at(char *initial, size_t offset)
{
    return initial ? initial + offset : NULL;
}

static int add(json_object *object, const char *name, json_object *value)
{
    if (!json_object_object_add(object, name, value))
        return 0;
    json_object_put(value);
    return ERROR_NOMEM;
}

static int is_text(const spot *at, const char *text)
{
    size_t length = strlen(text);
    size_t good = libxl__json_utf8(text, length);

    return good == length ? 0 : libxl__json_fail(at, ERROR_INVAL, "not UTF-8 at octet %zu", good);
}

/*
 * Sets *out to the JSON form of a string. A NULL string gets no member if `all` is false. Otherwise it becomes null,
 * or "" if field->empty_is_none is true.
 */
static int write_string(const spot *at, const libxl__json_field *field, const char *text, bool all,
                        json_object **out)
{
    if (all && !text && field->empty_is_none)
        text = "";
    if (!text || (!all && field->empty_is_none && !*text))
        return 0;
    int rc = is_text(at, text);
    if (rc)
        return rc;
    *out = json_object_new_string(text);
    return *out ? 0 : ERROR_NOMEM;
}

static int write_word(const spot *at, const libxl__json_field *field, int value, json_object **out)
{
    const char *word = field->words->word(value);

    if (!word)
        return libxl__json_fail(at, ERROR_INVAL, "%d is not a %s", value, field->words->name);
    *out = json_object_new_string(word);
    return *out ? 0 : ERROR_NOMEM;
}

/* Writes a number with so many digits that reading returns the same value, but at least 15. */
static int write_double(const spot *at, double value, json_object **out)
{
    char text[40]; /* room for 17 digits, a sign, a point, an exponent and ".0" */

    if (!isfinite(value))
        return libxl__json_fail(at, ERROR_INVAL, "%g is not a finite number", value);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    /* In some locales the decimal point is a comma. JSON needs a point. */
    text[strcspn(text, ",")] = text[strcspn(text, ",")] ? '.' : '\0';
    if (!strpbrk(text, ".e"))
        memcpy(text + strlen(text), ".0", sizeof(".0"));
    *out = json_object_new_double_s(value, text);
    return *out ? 0 : ERROR_NOMEM;
}

static int write_octets(const libxl__json_field *field, const unsigned char *p, json_object **out)
{
    char *text = calloc(2 * field->size + 1, 1);

    if (!text)
        return ERROR_NOMEM;
    for (size_t i = 0; i < field->size; i++)
        snprintf(text + 2 * i, 3, "%02x", p[i]);
    *out = json_object_new_string(text);
    free(text);
    return *out ? 0 : ERROR_NOMEM;
}

static int write_flags(const spot *at, const libxl__json_field *field, unsigned value, json_object **out)
{
    *out = json_object_new_array();
    int rc = *out ? 0 : ERROR_NOMEM;
    for (unsigned flag = 1; !rc && flag; flag <<= 1) {
        json_object *word = NULL;
        if (!(value & flag))
            continue;
        rc = write_word(at, field, (int)flag, &word);
        if (!rc && json_object_array_add(*out, word)) {
            json_object_put(word);
            rc = ERROR_NOMEM;
        }
    }
    if (rc) {
        json_object_put(*out);
        *out = NULL;
    }
    return rc;
}

static int write_by_hand(const spot *at, const libxl__json_field *field, const void *p, const void *initial,
                         json_object **out)
{
    json_object *same = NULL;
    int rc = field->by_hand->write(p, out);

    if (!rc && initial)
        rc = field->by_hand->write(initial, &same);
    if (rc || (initial && json_object_equal(*out, same))) {
        json_object_put(*out);
        *out = NULL;
    }
    json_object_put(same);
    return rc == ERROR_INVAL ? libxl__json_fail(at, rc, "not a %s", field->by_hand->name) : rc;
}

/*
 * Writes the fields as an object. If the object would be empty and `always` is false, sets *out to NULL
 * instead.
 */
static int write_object(const spot *at, const libxl__json_field *fields, const void *p, void *initial,
                        bool always, json_object **out)
{
    *out = json_object_new_object();
    int rc = *out ? write_fields(at, fields, p, initial, *out) : ERROR_NOMEM;
    if (rc || (initial && !always && !json_object_object_length(*out))) {
        json_object_put(*out);
        *out = NULL;
    }
    return rc;
}

/*
 * Sets *out to the JSON form of the value at p, or to NULL if the value equals the initial value. `initial`
 * is NULL for elements of arrays, because elements are never left out. *out may also be NULL for a NULL string.
 */
static int write_value(const spot *at, const libxl__json_field *field, const void *p, void *initial,
                       json_object **out)
{
    bool same = initial && field->size && memcmp(p, initial, field->size) == 0;
    uint64_t number;

    *out = NULL;
    if (initial && field->is_default && field->is_default(p))
        return 0;
    switch (field->kind) {
    case LIBXL__JSON_BOOL:
        if (same)
            return 0;
        *out = json_object_new_boolean(*(const bool *)p);
        return *out ? 0 : ERROR_NOMEM;
    case LIBXL__JSON_NUMBER:
        if (same)
            return 0;
        number = libxl__json_load(field, p);
        *out = field->is_signed ? json_object_new_int64((int64_t)number) : json_object_new_uint64(number);
        return *out ? 0 : ERROR_NOMEM;
    case LIBXL__JSON_DOUBLE: return same ? 0 : write_double(at, *(const double *)p, out);
    case LIBXL__JSON_OCTETS: return same ? 0 : write_octets(field, p, out);
    case LIBXL__JSON_FLAGS: return same ? 0 : write_flags(at, field, (unsigned)libxl__json_load_int(p), out);
    case LIBXL__JSON_STRING: return write_string(at, field, *(char *const *)p, !initial, out);
    case LIBXL__JSON_WORD: return same ? 0 : write_word(at, field, libxl__json_load_int(p), out);
    case LIBXL__JSON_STRUCT: return write_object(at, field->type->fields, p, initial, false, out);
    case LIBXL__JSON_BY_HAND: return write_by_hand(at, field, p, initial, out);
    case LIBXL__JSON_GROUP:
    /* write_fields handles groups and unions, because their offsets count from the struct that contains them. */
    case LIBXL__JSON_UNION: break;
    }
    return libxl__json_fail(at, ERROR_INVAL, "no such kind");
}

/* Writes an element of an array. A struct is compared with a new initial value, unless all fields are wanted. */
static int write_element(const spot *at, const libxl__json_field *field, const void *p, bool all,
                         json_object **out)
{
    if (field->kind != LIBXL__JSON_STRUCT || all)
        return write_value(at, field, p, NULL, out);
    char *initial = calloc(1, field->size);
    if (!initial)
        return ERROR_NOMEM;
    if (field->type->init)
        field->type->init(initial);
    int rc = write_object(at, field->type->fields, p, initial, true, out);
    if (field->type->dispose)
        field->type->dispose(initial);
    free(initial);
    return rc;
}

static int write_array(const spot *at, const libxl__json_field *field, const char *p, bool all,
                       json_object **out)
{
    int count = libxl__json_load_int(p + field->length);
    const char *elements = *(char *const *)(p + field->offset);
    int rc = 0;

    *out = NULL;
    if (count <= 0 || !elements) /* T_copy and T_dispose also treat such an array as empty */
        count = 0;
    if (!count && !all)
        return 0;
    *out = json_object_new_array();
    if (!*out)
        return ERROR_NOMEM;
    for (size_t i = 0; !rc && i < (size_t)count; i++) {
        spot here = {.up = at, .index = i};
        json_object *element;
        rc = write_element(&here, field, elements + i * field->size, all, &element);
        if (!rc && json_object_array_add(*out, element)) {
            json_object_put(element);
            rc = ERROR_NOMEM;
        }
    }
    if (rc) {
        json_object_put(*out);
        *out = NULL;
    }
    return rc;
}

static int write_union(const spot *up, const libxl__json_field *field, const char *p, char *initial,
                       json_object *object)
{
    int key = libxl__json_load_int(p + field->offset);
    bool chosen = !initial || key != libxl__json_load_int(initial + field->offset);
    const libxl__json_field *arm = libxl__json_arm(field, key);
    const char *word = field->words->word(key);
    spot key_at = {.up = up, .name = field->name};
    spot at = {.up = &key_at, .name = word};
    json_object *value = NULL;
    int rc = 0;

    if (!word)
        return chosen ? libxl__json_fail(&key_at, ERROR_INVAL, "%d is not a %s", key, field->words->name) : 0;
    if (chosen && initial)
        field->init_key(initial, key);
    if (arm && arm->kind == LIBXL__JSON_GROUP)
        rc = write_object(&at, arm->fields, p, initial, chosen, &value);
    else if (arm && arm->kind == LIBXL__JSON_STRUCT)
        rc = write_object(&at, arm->type->fields, p + arm->offset, initial_at(initial, arm->offset), chosen,
                          &value);
    else if (arm)
        rc = write_value(&at, arm, p + arm->offset, chosen ? NULL : initial_at(initial, arm->offset), &value);
    else if (chosen && !(value = json_object_new_object()))
        rc = ERROR_NOMEM;
    if (rc || (!value && !chosen))
        return rc;
    char name[256];
    snprintf(name, sizeof(name), "%s.%s", field->name, word);
    return add(object, name, value);
}

static int write_fields(const spot *up, const libxl__json_field *fields, const char *p, char *initial,
                        json_object *object)
{
    int rc = 0;

    for (const libxl__json_field *field = fields; !rc && field->name; field++) {
        spot at = {.up = up, .name = field->name};
        json_object *value = NULL;
        if (field->kind == LIBXL__JSON_UNION) {
            rc = write_union(up, field, p, initial, object);
            continue;
        }
        if (field->array)
            rc = write_array(&at, field, p, !initial, &value);
        else if (field->kind == LIBXL__JSON_GROUP)
            rc = write_object(&at, field->fields, p, initial, false, &value);
        else
            rc = write_value(&at, field, p + field->offset, initial_at(initial, field->offset), &value);
        if (!rc && (value || !initial))
            rc = add(object, field->name, value);
    }
    return rc;
}

static int object_of(const libxl__json_type *type, const void *p, bool all, json_object **out)
{
    const libxl__json_field top = {.kind = LIBXL__JSON_STRUCT, .size = type->size, .type = type};

    *out = NULL;
    return write_element(NULL, &top, p, all, out);
}

int libxl__json_object(const libxl__json_type *type, const void *p, json_object **out)
{
    return object_of(type, p, false, out);
}

char *libxl__json_print(json_object *object)
{
    const char *printed =
        json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    char *text = printed ? strdup(printed) : NULL;

    if (!text)
        libxl__refuse(ERROR_NOMEM, "out of memory (writing JSON)");
    return text;
}

static char *text_of(const libxl__json_type *type, const void *p, bool all)
{
    json_object *object;
    char *text = NULL;
    int rc = object_of(type, p, all, &object);

    if (!rc)
        text = libxl__json_print(object);
    else if (rc != ERROR_INVAL)
        libxl__refuse(ERROR_NOMEM, "out of memory (writing JSON)");
    json_object_put(object);
    return text;
}

char *libxl__json_write_word(const libxl__json_words *words, int value)
{
    const char *word = words->word(value);
    if (!word) {
        libxl__json_fail(NULL, ERROR_INVAL, "%d is not a %s", value, words->name);
        return NULL;
    }
    json_object *object = json_object_new_string(word);
    char *text = libxl__json_print(object);
    json_object_put(object);
    return text;
}

char *libxl__json_write(const libxl__json_type *type, const void *p)
{
    return text_of(type, p, false);
}

char *libxl__json_write_all(const libxl__json_type *type, const void *p)
{
    return text_of(type, p, true);
}
