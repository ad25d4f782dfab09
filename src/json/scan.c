/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing beyond its call. A second look at a text that json-c has parsed: what json-c passes over in
 * silence, and the path of where it stopped. Any thread.
 *
 * It follows brackets, commas, strings and numbers, and relies on json-c for the syntax: in a text that is no
 * JSON the path is that of the innermost container that has been opened.
 */
#include "json_common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An object or an array that is open. */
typedef struct container {
    bool is_object, key_follows;
    size_t index;      /* of an array's element */
    json_object *keys; /* of an object, those seen */
    json_object *key;  /* the member's that is being scanned */
} container;

typedef struct scan {
    container open[LIBXL__JSON_DEPTH + 1];
    int depth; /* of open; the outermost is 1 */
    const char *at, *end;
} scan;

static int fail(const scan *s, int rc, const char *message)
{
    libxl__json_spot way[LIBXL__JSON_DEPTH + 1], *at = NULL;

    for (int i = 1; i <= s->depth; i++) {
        const container *c = &s->open[i];
        if (c->is_object && !c->key)
            continue;
        way[i] = (libxl__json_spot){at, json_object_get_string(c->key), c->index};
        at = &way[i];
    }
    return libxl__json_fail(at, rc, "%s", message);
}

/* The end of the string that begins at s->at; NULL: there is this problem in it. */
static const char *string_end(const scan *s, const char **problem)
{
    const char *p = s->at + 1;

    for (; p < s->end && *p != '"'; p++) {
        *problem = "a control character that is not escaped";
        if ((unsigned char)*p < ' ')
            return NULL;
        if (*p != '\\')
            continue;
        p++;
        *problem = "half a character (a \\u escape without its partner)";
        if (p < s->end && *p == 'u' && libxl__json_surrogate(p + 1, s->end))
            return NULL;
    }
    return p < s->end ? p + 1 : s->end;
}

static int scan_key(scan *s, const char *end)
{
    container *c = &s->open[s->depth];
    struct json_tokener *tokener = json_tokener_new();
    json_object *key = tokener ? json_tokener_parse_ex(tokener, s->at, (int)(end - s->at)) : NULL;

    json_tokener_free(tokener);
    if (!json_object_is_type(key, json_type_string)) { /* cut off */
        json_object_put(key);
        return 0;
    }
    json_object_put(c->key);
    c->key = key;
    c->key_follows = false;
    if (json_object_object_get_ex(c->keys, json_object_get_string(key), NULL))
        return fail(s, ERROR_INVAL, "given twice");
    return json_object_object_add(c->keys, json_object_get_string(key), NULL) ? ERROR_NOMEM : 0;
}

static int scan_string(scan *s)
{
    const char *problem = NULL, *end = string_end(s, &problem);
    const container *c = &s->open[s->depth];
    int rc = 0;

    if (!end)
        return fail(s, ERROR_INVAL, problem);
    if (s->depth && c->is_object && c->key_follows)
        rc = scan_key(s, end);
    s->at = end;
    return rc;
}

static int scan_number(scan *s)
{
    size_t length = strspn(s->at, "+-.0123456789eE");
    char digits[24] = "";
    bool fits = length < sizeof(digits);
    const char *first = s->at + (*s->at == '-');

    if (*first == '0' && first + 1 < s->end && first[1] >= '0' && first[1] <= '9')
        return fail(s, ERROR_INVAL, "a number does not begin with 0");

    /* Fractions are refused later: no field is one. */
    if (strcspn(s->at, ".eE") >= length && fits) {
        memcpy(digits, s->at, length);
        errno = 0;
        if (digits[0] == '-')
            strtoll(digits, NULL, 10);
        else
            strtoull(digits, NULL, 10);
        fits = errno != ERANGE;
    }
    s->at += length;
    return fits ? 0 : fail(s, ERROR_INVAL, "the number does not fit 64 bits");
}

static int open_container(scan *s, bool is_object)
{
    if (s->depth == LIBXL__JSON_DEPTH)
        return fail(s, ERROR_INVAL, "too deep");
    s->open[++s->depth] = (container){.is_object = is_object, .key_follows = is_object};
    if (!is_object)
        return 0;
    s->open[s->depth].keys = json_object_new_object();
    return s->open[s->depth].keys ? 0 : ERROR_NOMEM;
}

static void close_container(scan *s)
{
    if (s->depth == 0)
        return;
    json_object_put(s->open[s->depth].keys);
    json_object_put(s->open[s->depth].key);
    s->depth--;
}

static int scan_next(scan *s)
{
    container *c = &s->open[s->depth];

    switch (*s->at) {
    case '"': return scan_string(s);
    case '\'': return fail(s, ERROR_INVAL, "unexpected character"); /* json-c takes it around a key */
    case '{':
    case '[': return open_container(s, *s->at++ == '{');
    case '}':
    case ']': close_container(s); break;
    case ',':
        c->key_follows = c->is_object;
        c->index++;
        break;
    default:
        if (strchr("-0123456789", *s->at))
            return scan_number(s);
    }
    s->at++;
    return 0;
}

int libxl__json_scan(const char *text, size_t end, const char *problem)
{
    scan s = {.at = text, .end = text + end};
    int rc = 0;

    while (!rc && s.at < s.end)
        rc = scan_next(&s);
    if (!rc && problem)
        rc = fail(&s, ERROR_INVAL, problem);
    while (s.depth)
        close_container(&s);
    return rc;
}
