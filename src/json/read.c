/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads JSON into values. The reader is strict: wrong types and values out of range are errors, and so are
 * unknown members, unless another program has written the text. Owns nothing after a call. Needs no lock: any
 * thread may call this.
 */
#include "json_common.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

typedef libxl__json_spot spot;

/*
 * The caller's arguments, which all levels of the document share. `foreign` NULL: unknown members are errors.
 */
typedef struct reading {
    libxl_ctx *ctx;
    libxl__json_foreign *foreign;
} reading;

static int read_object(const reading *r, const spot *up, const libxl__json_field *fields, char *p,
                       json_object *in);

static int wrong(const spot *at, const char *wanted, json_object *in)
{
    static const char *const kinds[] = {
        [json_type_null] = "null",       [json_type_boolean] = "a boolean", [json_type_double] = "a fraction",
        [json_type_int] = "a number",    [json_type_object] = "an object",  [json_type_array] = "an array",
        [json_type_string] = "a string",
    };
    return libxl__json_fail(at, ERROR_INVAL, "%s is expected, not %s", wanted,
                            kinds[json_object_get_type(in)]);
}

/* ------------------------------------------------------------------ single values */

/* Gets a string. A NUL character in the string is an error, because a C string ends at a NUL character. */
static int get_string(const spot *at, json_object *in, const char **out)
{
    if (!json_object_is_type(in, json_type_string))
        return wrong(at, "a string", in);
    *out = json_object_get_string(in);
    if (strlen(*out) != (size_t)json_object_get_string_len(in))
        return libxl__json_fail(at, ERROR_INVAL, "a NUL character");
    return 0;
}

static int read_string(const spot *at, char **p, json_object *in)
{
    const char *text = ""; /* get_string sets the text, unless it fails */

    if (!in)
        return 0;
    int rc = get_string(at, in, &text);
    if (rc)
        return rc;
    *p = strdup(text);
    return *p ? 0 : ERROR_NOMEM;
}

static int read_word(const spot *at, const libxl__json_field *field, void *p, json_object *in)
{
    const char *text = ""; /* get_string sets the text, unless it fails */
    int value;
    int rc = get_string(at, in, &text);

    if (rc)
        return rc;
    /* from_string ignores case, but in JSON only lower case is accepted. */
    if (field->words->value(text, &value) || strcmp(field->words->word(value), text) != 0)
        return libxl__json_fail(at, ERROR_INVAL, "\"%s\" is not a %s", text, field->words->name);
    memcpy(p, &value, sizeof(value));
    return 0;
}

static int read_signed(const spot *at, const libxl__json_field *field, json_object *in, uint64_t *out)
{
    int64_t value = json_object_get_int64(in);
    int64_t least = INT64_MIN >> (64 - 8 * field->size), greatest = INT64_MAX >> (64 - 8 * field->size);

    if (field->bounded && !field->array) {
        least = (int64_t)field->min;
        greatest = (int64_t)field->max;
    }
    *out = (uint64_t)value;
    if (value >= least && value <= greatest && json_object_get_uint64(in) <= INT64_MAX)
        return 0;
    return libxl__json_fail(at, ERROR_INVAL, "%s is not between %" PRId64 " and %" PRId64,
                            json_object_get_string(in), least, greatest);
}

static int read_unsigned(const spot *at, const libxl__json_field *field, json_object *in, uint64_t *out)
{
    uint64_t value = json_object_get_uint64(in);
    uint64_t least = 0, greatest = UINT64_MAX >> (64 - 8 * field->size);

    if (field->bounded && !field->array) {
        least = field->min;
        greatest = field->max;
    }
    *out = value;
    if (json_object_get_int64(in) >= 0 && value >= least && value <= greatest)
        return 0;
    return libxl__json_fail(at, ERROR_INVAL, "%s is not between %" PRIu64 " and %" PRIu64,
                            json_object_get_string(in), least, greatest);
}

static int read_number(const spot *at, const libxl__json_field *field, void *p, json_object *in)
{
    uint64_t value = 0;

    if (!json_object_is_type(in, json_type_int))
        return wrong(at, "a number", in);
    int rc = field->is_signed ? read_signed(at, field, in, &value) : read_unsigned(at, field, in, &value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    memcpy(p, (char *)&value + sizeof(value) - field->size, field->size);
#else
    memcpy(p, &value, field->size);
#endif
    return rc;
}

static int read_double(const spot *at, const libxl__json_field *field, double *p, json_object *in)
{
    if (!json_object_is_type(in, json_type_double) && !json_object_is_type(in, json_type_int))
        return wrong(at, "a number", in);
    const double value = json_object_get_double(in);
    if (!isfinite(value))
        return libxl__json_fail(at, ERROR_INVAL, "%s does not fit a double", json_object_get_string(in));
    if (field->bounded && !field->array && !(value >= field->low && value <= field->high))
        return libxl__json_fail(at, ERROR_INVAL, "%s is not between %.17g and %.17g",
                                json_object_get_string(in), field->low, field->high);
    *p = value;
    return 0;
}

static int read_octets(const spot *at, const libxl__json_field *field, unsigned char *p, json_object *in)
{
    const char *text = ""; /* get_string sets the text, unless it fails */
    int rc = get_string(at, in, &text);

    if (rc)
        return rc;
    if (strlen(text) != 2 * field->size || strspn(text, "0123456789abcdef") != 2 * field->size)
        return libxl__json_fail(at, ERROR_INVAL, "%zu hexadecimal digits are expected", 2 * field->size);
    for (size_t i = 0; i < 2 * field->size; i++) {
        const unsigned digit = text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10;
        p[i / 2] = (unsigned char)(i % 2 ? p[i / 2] | digit : digit << 4);
    }
    return 0;
}

static int read_flags(const spot *at, const libxl__json_field *field, void *p, json_object *in)
{
    int value = 0, rc = 0;

    if (!json_object_is_type(in, json_type_array))
        return wrong(at, "an array", in);
    for (size_t i = 0; !rc && i < json_object_array_length(in); i++) {
        spot here = {.up = at, .index = i};
        int flag = 0;
        rc = read_word(&here, field, &flag, json_object_array_get_idx(in, i));
        if (!rc && value & flag)
            rc = libxl__json_fail(&here, ERROR_INVAL, "given twice");
        value |= flag;
    }
    memcpy(p, &value, sizeof(value));
    return rc;
}

static int read_by_hand(const reading *r, const spot *at, const libxl__json_field *field, void *p,
                        json_object *in)
{
    int rc = field->by_hand->read(r->ctx, p, in);
    return rc == ERROR_INVAL ? libxl__json_fail(at, rc, "not a %s", field->by_hand->name) : rc;
}

static int read_value(const reading *r, const spot *at, const libxl__json_field *field, void *p,
                      json_object *in)
{
    switch (field->kind) {
    case LIBXL__JSON_BOOL:
        if (!json_object_is_type(in, json_type_boolean))
            return wrong(at, "true or false", in);
        *(bool *)p = json_object_get_boolean(in);
        return 0;
    case LIBXL__JSON_NUMBER: return read_number(at, field, p, in);
    case LIBXL__JSON_DOUBLE: return read_double(at, field, p, in);
    case LIBXL__JSON_STRING: return read_string(at, p, in);
    case LIBXL__JSON_OCTETS: return read_octets(at, field, p, in);
    case LIBXL__JSON_FLAGS: return read_flags(at, field, p, in);
    case LIBXL__JSON_WORD: return read_word(at, field, p, in);
    case LIBXL__JSON_STRUCT: return read_object(r, at, field->type->fields, p, in);
    case LIBXL__JSON_BY_HAND: return read_by_hand(r, at, field, p, in);
    case LIBXL__JSON_GROUP:
    case LIBXL__JSON_UNION:
        /* read_member handles groups and unions, because their offsets count from the struct that contains them. */
        break;
    }
    return libxl__json_fail(at, ERROR_INVAL, "no such kind");
}

/* ------------------------------------------------------------------ arrays, unions, objects */

static int read_array(const reading *r, const spot *at, const libxl__json_field *field, char *p,
                      json_object *in)
{
    if (!json_object_is_type(in, json_type_array))
        return wrong(at, "an array", in);
    size_t count = json_object_array_length(in);
    size_t least = field->bounded ? field->min : 0, greatest = field->bounded ? field->max : INT_MAX;
    if (r->foreign && greatest > LIBXL__JSON_FOREIGN_ELEMENTS)
        greatest = LIBXL__JSON_FOREIGN_ELEMENTS;
    if (count < least || count > greatest)
        return libxl__json_fail(at, ERROR_INVAL, "%zu elements are not between %zu and %zu", count, least,
                                greatest);
    if (!count)
        return 0;
    char *elements = calloc(count, field->size);
    if (!elements)
        return ERROR_NOMEM;
    memcpy(p + field->offset, &elements, sizeof(elements));
    int rc = 0;
    for (int i = 0; !rc && i < (int)count; i++) {
        char *element = elements + (size_t)i * field->size;
        spot here = {.up = at, .index = (size_t)i};
        if (field->kind == LIBXL__JSON_STRUCT && field->type->init)
            field->type->init(element);
        /*
         * The element is counted before it is read. So the caller also disposes of an element whose reading
         * has failed.
         */
        int counted = i + 1;
        memcpy(p + field->length, &counted, sizeof(counted));
        rc = read_value(r, &here, field, element, json_object_array_get_idx(in, (size_t)i));
    }
    return rc;
}

static int read_arm(const reading *r, const spot *at, const libxl__json_field *field, int key, char *p,
                    json_object *in)
{
    static const libxl__json_field nothing[] = {{.name = NULL}};
    const libxl__json_field *arm = libxl__json_arm(field, key);

    field->init_key(p, key);
    if (!arm)
        return read_object(r, at, nothing, p, in);
    if (arm->kind == LIBXL__JSON_GROUP)
        return read_object(r, at, arm->fields, p, in);
    return read_value(r, at, arm, p + arm->offset, in);
}

/* Reads the arm `word` of a union. Fails if `object` has another arm of the same union. */
static int read_union(const reading *r, const spot *at, const libxl__json_field *field, const char *word,
                      char *p, json_object *object, json_object *in)
{
    int key;

    if (field->words->value(word, &key) || strcmp(field->words->word(key), word) != 0)
        return libxl__json_fail(at, ERROR_INVAL, "\"%s\" is not a %s", word, field->words->name);
    json_object_object_foreach(object, name, other)
    {
        const char *word_of_other;
        (void)other;
        if (libxl__json_names_arm(field, name, &word_of_other) && strcmp(word_of_other, word) != 0)
            return libxl__json_fail(at, ERROR_INVAL, "another arm, %s, is given too", name);
    }
    return read_arm(r, at, field, key, p, in);
}

static int read_member(const reading *r, const spot *at, const libxl__json_field *fields, char *p,
                       json_object *object, json_object *in)
{
    for (const libxl__json_field *field = fields; field->name; field++) {
        const char *word;
        if (libxl__json_names_arm(field, at->name, &word))
            return read_union(r, at, field, word, p, object, in);
        if (field->kind == LIBXL__JSON_UNION || strcmp(field->name, at->name) != 0)
            continue;
        if (field->array)
            return read_array(r, at, field, p, in);
        if (field->kind == LIBXL__JSON_GROUP)
            return read_object(r, at, field->fields, p, in);
        return read_value(r, at, field, p + field->offset, in);
    }
    const int rc = libxl__json_fail(at, ERROR_INVAL, "there is no such member");
    if (!r->foreign)
        return rc;
    if (!r->foreign->unknown++)
        snprintf(r->foreign->first, sizeof(r->foreign->first), "%s", libxl_error_message());
    return 0;
}

static int read_object(const reading *r, const spot *up, const libxl__json_field *fields, char *p,
                       json_object *in)
{
    int rc = 0;

    if (!json_object_is_type(in, json_type_object))
        return wrong(up, "an object", in);
    json_object_object_foreach(in, name, value)
    {
        spot at = {.up = up, .name = name};
        rc = read_member(r, &at, fields, p, in, value);
        if (rc)
            break;
    }
    return rc;
}

/* ------------------------------------------------------------------ the document */

/* Parses `text`, which must be valid UTF-8 and at most LIBXL__JSON_SIZE octets long. */
static int parse_text(const char *text, size_t length, json_object **out)
{
    struct json_tokener *tokener = json_tokener_new_ex(LIBXL__JSON_DEPTH);
    if (!tokener)
        return ERROR_NOMEM;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    /* The terminating zero octet is passed, too, so that json-c finds the end of a number. */
    *out = json_tokener_parse_ex(tokener, text, (int)length + 1);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (error == json_tokener_continue || error == json_tokener_error_parse_eof)
        return libxl__json_scan(text, length, "the document is cut off");
    if (error != json_tokener_success)
        return libxl__json_scan(text, end, json_tokener_error_desc(error));
    return libxl__json_scan(text, length, NULL);
}

int libxl__json_parse(const char *text, json_object **out)
{
    size_t length = strnlen(text, LIBXL__JSON_SIZE + 1);
    if (length > LIBXL__JSON_SIZE)
        return libxl__json_fail(NULL, ERROR_INVAL, "longer than %u octets", LIBXL__JSON_SIZE);
    size_t good = libxl__json_utf8(text, length);
    if (good != length)
        return libxl__json_scan(text, good, "not UTF-8");
    char *joined = strdup(text);
    if (!joined)
        return ERROR_NOMEM;
    int rc = parse_text(joined, libxl__json_join_surrogates(joined, length), out);
    free(joined);
    return rc;
}

int libxl__json_read_word(const libxl__json_words *words, int *out, const char *text)
{
    const libxl__json_field field = {.kind = LIBXL__JSON_WORD, .words = words};
    json_object *document = NULL;
    int rc = text ? libxl__json_parse(text, &document) : libxl__json_fail(NULL, ERROR_INVAL, "NULL");
    if (!rc)
        rc = read_word(NULL, &field, out, document);
    json_object_put(document);
    return rc;
}

static int read_document(const reading *r, const libxl__json_type *type, void *p, const char *text)
{
    json_object *document = NULL;

    memset(p, 0, type->size);
    if (type->init)
        type->init(p);
    int rc = text ? libxl__json_parse(text, &document) : libxl__json_fail(NULL, ERROR_INVAL, "NULL");
    if (!rc)
        rc = read_object(r, NULL, type->fields, p, document);
    json_object_put(document);
    if (rc == ERROR_NOMEM)
        libxl__refuse(rc, "out of memory (reading JSON)");
    if (rc) {
        if (type->dispose)
            type->dispose(p);
        memset(p, 0, type->size);
        if (type->init)
            type->init(p);
    }
    return rc;
}

int libxl__json_read(libxl_ctx *ctx, const libxl__json_type *type, void *p, const char *text)
{
    return read_document(&(reading){.ctx = ctx}, type, p, text);
}

int libxl__json_read_foreign(libxl_ctx *ctx, const libxl__json_type *type, void *p, const char *text,
                             libxl__json_foreign *foreign)
{
    return read_document(&(reading){.ctx = ctx, .foreign = foreign}, type, p, text);
}
