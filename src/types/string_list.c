/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_string_list and libxl_key_value_list: arrays of strings that end with NULL. A list owns its array and its
 * strings. These functions need no lock: any thread may call them.
 */
#include "_libxl_types_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "value_json.h"

/*
 * ---- functions for both types. `step` is 1 for a list of strings, and 2 for a list of pairs. The second
 * string of a pair may be NULL.
 */

static size_t count(char *const *list, size_t step)
{
    size_t n = 0;
    while (list && list[n * step])
        n++;
    return n;
}

static void dispose(char ***list, size_t step)
{
    if (!list || !*list)
        return;
    const size_t strings = count(*list, step) * step;
    for (size_t i = 0; i < strings; i++)
        free((*list)[i]);
    free(*list);
    *list = NULL;
}

/*
 * Makes a list with room for `n` elements, each of `step` pointers, and for the NULL at the end. All pointers are
 * NULL. Returns NULL if there is no memory.
 */
static char **new_list(size_t n, size_t step)
{
    return calloc(n * step + 1, sizeof(char *));
}

static int copy(char ***dst, char *const *src, size_t step)
{
    const size_t n = count(src, step);
    *dst = NULL;
    if (!n)
        return 0;
    char **list = new_list(n, step);
    if (!list)
        return ERROR_NOMEM;
    for (size_t i = 0; i < n * step; i++) {
        list[i] = src[i] ? strdup(src[i]) : NULL;
        if (src[i] && !list[i]) {
            dispose(&list, step);
            return ERROR_NOMEM;
        }
    }
    *dst = list;
    return 0;
}

/* ---- a list of strings. The JSON form is an array. */

void libxl_string_list_dispose(libxl_string_list *sl)
{
    dispose(sl, 1);
}

int libxl_string_list_length(const libxl_string_list *sl)
{
    return sl ? (int)count(*sl, 1) : 0;
}

int libxl__string_list_copy(libxl_ctx *ctx, libxl_string_list *dst, const libxl_string_list *src)
{
    (void)ctx;
    return copy(dst, *src, 1);
}

void libxl_string_list_copy(libxl_ctx *ctx, libxl_string_list *dst, const libxl_string_list *src)
{
    if (libxl__string_list_copy(ctx, dst, src))
        errno = ENOMEM;
}

int libxl__string_list_gen_json(const libxl_string_list *p, json_object **out)
{
    int rc = 0;
    *out = json_object_new_array();
    if (!*out)
        return ERROR_NOMEM;
    for (char **s = *p; !rc && s && *s; s++) {
        json_object *text = NULL;
        rc = libxl__json_new_text(*s, &text);
        if (!rc)
            rc = libxl__json_append(*out, text);
    }
    if (rc) {
        json_object_put(*out);
        *out = NULL;
    }
    return rc;
}

int libxl__string_list_parse_json(libxl_ctx *ctx, libxl_string_list *p, json_object *in)
{
    int rc = 0;
    (void)ctx;
    if (!json_object_is_type(in, json_type_array))
        return ERROR_INVAL;
    const size_t n = json_object_array_length(in);
    *p = n ? new_list(n, 1) : NULL;
    if (n && !*p)
        return ERROR_NOMEM;
    for (size_t i = 0; !rc && i < n; i++)
        rc = libxl__json_text(json_object_array_get_idx(in, i), &(*p)[i]);
    if (rc)
        libxl_string_list_dispose(p);
    return rc;
}

/* ---- a list of keys and values. The JSON form is an object. */

void libxl_key_value_list_dispose(libxl_key_value_list *kvl)
{
    dispose(kvl, 2);
}

int libxl_key_value_list_length(const libxl_key_value_list *kvl)
{
    return kvl ? (int)count(*kvl, 2) : 0;
}

int libxl__key_value_list_copy(libxl_ctx *ctx, libxl_key_value_list *dst, const libxl_key_value_list *src)
{
    (void)ctx;
    return copy(dst, *src, 2);
}

void libxl_key_value_list_copy(libxl_ctx *ctx, libxl_key_value_list *dst, const libxl_key_value_list *src)
{
    if (libxl__key_value_list_copy(ctx, dst, src))
        errno = ENOMEM;
}

/* Adds one pair to the object. A NULL value becomes null. */
static int write_pair(json_object *object, const char *key, const char *value)
{
    json_object *name = NULL, *text = NULL;
    int rc = libxl__json_new_text(key, &name); /* `name` is made only to check that the key is UTF-8 */
    json_object_put(name);
    if (!rc && value)
        rc = libxl__json_new_text(value, &text);
    if (rc)
        return rc;
    if (json_object_object_add(object, key, text)) {
        json_object_put(text);
        return ERROR_NOMEM;
    }
    return 0;
}

int libxl__key_value_list_gen_json(const libxl_key_value_list *p, json_object **out)
{
    int rc = 0;
    *out = json_object_new_object();
    if (!*out)
        return ERROR_NOMEM;
    for (char **s = *p; !rc && s && *s; s += 2)
        rc = write_pair(*out, s[0], s[1]);
    if (rc) {
        json_object_put(*out);
        *out = NULL;
    }
    return rc;
}

int libxl__key_value_list_parse_json(libxl_ctx *ctx, libxl_key_value_list *p, json_object *in)
{
    int rc = 0;
    size_t i = 0;
    (void)ctx;
    if (!json_object_is_type(in, json_type_object))
        return ERROR_INVAL;
    const size_t n = (size_t)json_object_object_length(in);
    *p = NULL;
    if (!n)
        return 0;
    *p = new_list(n, 2);
    if (!*p)
        return ERROR_NOMEM;
    json_object_object_foreach(in, key, value)
    {
        (*p)[i] = strdup(key);
        rc = !(*p)[i] ? ERROR_NOMEM : value ? libxl__json_text(value, &(*p)[i + 1]) : 0;
        if (rc)
            break;
        i += 2;
    }
    if (rc)
        libxl_key_value_list_dispose(p);
    return rc;
}
