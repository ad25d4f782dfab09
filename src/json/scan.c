/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A second pass over a text that json-c has parsed. It finds errors that json-c accepts. It also finds the
 * path of the value at which json-c has stopped. Owns nothing after a call. Needs no lock: any thread may
 * call this.
 *
 * This pass looks only at brackets, commas, strings and numbers; json-c has checked the syntax. If the text
 * is not JSON, the path is the path of the innermost open object or array.
 */
#include "json_common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An object or array whose end has not been reached. */
typedef struct container {
    bool is_object, key_follows;
    size_t index;      /* the index of the present element of an array */
    json_object *keys; /* the keys of an object's members so far */
    json_object *key;  /* the key of an object's present member */
} container;

typedef struct scan {
    container open[LIBXL__JSON_DEPTH + 1];
    int depth; /* the index of the innermost container in `open`; the outermost has index 1 */
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

/*
 * Returns the end of the string that begins at s->at. If the string has an error, returns NULL and sets
 * *problem to its description.
 */
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
    if (!json_object_is_type(key, json_type_string)) { /* the document ends before the key ends */
        json_object_put(key);
        return 0;
    }
    json_object_put(c->key);
    c->key = key;
    c->key_follows = false;
    /* json-c cuts the name at its NUL character. */
    if (strlen(json_object_get_string(key)) != (size_t)json_object_get_string_len(key))
        return fail(s, ERROR_INVAL, "a NUL character in the name");
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

    /*
     * A number with a fraction or an exponent needs no check of its size. It is read as a double, or the
     * reader refuses it.
     */
    if (strspn(s->at, "+-0123456789") < length)
        fits = true;
    else if (fits) {
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
    case '\'':
        return fail(s, ERROR_INVAL, "unexpected character"); /* json-c accepts ' as the quote of a key */
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
