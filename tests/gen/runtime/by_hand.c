/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fixture's types that are written by hand. In JSON, octets are a string of hexadecimal digits. */
#include "_libxl_types_internal.h"
#include "_libxl_types_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* ------------------------------------------------------------------ the functions that src/json calls */

static char last_message[1024];

int libxl__refuse(int rc, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(last_message, sizeof(last_message), fmt ? fmt : libxl_error_describe(rc), args);
    va_end(args);
    return rc;
}

const char *libxl_error_message(void)
{
    return last_message;
}

/* ------------------------------------------------------------------ a bitmap, which owns memory */

void libxl_bitmap_init(libxl_bitmap *map)
{
    memset(map, 0, sizeof(*map));
}

void libxl_bitmap_dispose(libxl_bitmap *map)
{
    free(map->map);
    libxl_bitmap_init(map);
}

int libxl__bitmap_copy(libxl_ctx *ctx, libxl_bitmap *dst, const libxl_bitmap *src)
{
    (void)ctx;
    libxl_bitmap_init(dst);
    if (!src->size)
        return 0;
    dst->map = calloc(src->size, 1);
    if (!dst->map)
        return ERROR_NOMEM;
    memcpy(dst->map, src->map, src->size);
    dst->size = src->size;
    return 0;
}

/* Returns whether all octets are zero. Bitmaps of all sizes can be zero. */
bool libxl_bitmap_is_zero(const libxl_bitmap *p)
{
    size_t i = 0;

    while (i < p->size && !p->map[i])
        i++;
    return i == p->size;
}

/* ------------------------------------------------------------------ lists of strings */

void libxl_string_list_dispose(libxl_string_list *list)
{
    for (char **at = *list; at && *at; at++)
        free(*at);
    free(*list);
    *list = NULL;
}

int libxl__string_list_copy(libxl_ctx *ctx, libxl_string_list *dst, const libxl_string_list *src)
{
    size_t count = 0;

    (void)ctx;
    *dst = NULL;
    while (*src && (*src)[count])
        count++;
    if (!count)
        return 0;
    *dst = calloc(count + 1, sizeof(**dst));
    for (size_t i = 0; *dst && i < count; i++) {
        (*dst)[i] = strdup((*src)[i]);
        if (!(*dst)[i])
            libxl_string_list_dispose(dst);
    }
    return *dst ? 0 : ERROR_NOMEM;
}

void libxl_key_value_list_dispose(libxl_key_value_list *list)
{
    libxl_string_list_dispose(list);
}

int libxl__key_value_list_copy(libxl_ctx *ctx, libxl_key_value_list *dst, const libxl_key_value_list *src)
{
    return libxl__string_list_copy(ctx, dst, src);
}

void libxl_by_hand_init(libxl_by_hand *p)
{
    p->p = NULL;
}

void libxl_by_hand_dispose(libxl_by_hand *p)
{
    if (!p)
        return;
    free(p->p);
    p->p = NULL;
}

int libxl__by_hand_copy(libxl_ctx *ctx, libxl_by_hand *dst, const libxl_by_hand *src)
{
    (void)ctx;
    dst->p = src->p ? strdup(src->p) : NULL;
    return src->p && !dst->p ? ERROR_NOMEM : 0;
}

/* ------------------------------------------------------------------ types that are hexadecimal in JSON */

static int write_hex(const unsigned char *octets, size_t size, json_object **out)
{
    char *text = calloc(2 * size + 1, 1);

    if (!text)
        return ERROR_NOMEM;
    for (size_t i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", octets[i]);
    *out = json_object_new_string(text);
    free(text);
    return *out ? 0 : ERROR_NOMEM;
}

static int read_hex(unsigned char *octets, size_t size, json_object *in)
{
    const char *text = json_object_get_string(in);

    if (!json_object_is_type(in, json_type_string) || strlen(text) != 2 * size)
        return ERROR_INVAL;
    for (size_t i = 0; i < size; i++) {
        if (strspn(text, "0123456789abcdef") != 2 * size || sscanf(text + 2 * i, "%2hhx", &octets[i]) != 1)
            return ERROR_INVAL;
    }
    return 0;
}

int libxl__uuid_gen_json(const libxl_uuid *p, json_object **out)
{
    return write_hex(p->uuid, sizeof(p->uuid), out);
}

int libxl__uuid_parse_json(libxl_ctx *ctx, libxl_uuid *p, json_object *in)
{
    (void)ctx;
    return read_hex(p->uuid, sizeof(p->uuid), in);
}

int libxl__bitmap_gen_json(const libxl_bitmap *p, json_object **out)
{
    return write_hex(p->map, p->size, out);
}

int libxl__bitmap_parse_json(libxl_ctx *ctx, libxl_bitmap *p, json_object *in)
{
    (void)ctx;
    if (!json_object_is_type(in, json_type_string))
        return ERROR_INVAL;
    size_t size = (size_t)json_object_get_string_len(in) / 2;
    if (!size)
        return read_hex(NULL, 0, in);
    p->map = calloc(size, 1);
    if (!p->map)
        return ERROR_NOMEM;
    p->size = size;
    return read_hex(p->map, size, in);
}

int libxl__mac_gen_json(const libxl_mac *p, json_object **out)
{
    return write_hex(*p, sizeof(*p), out);
}

int libxl__mac_parse_json(libxl_ctx *ctx, libxl_mac *p, json_object *in)
{
    (void)ctx;
    return read_hex(*p, sizeof(*p), in);
}

int libxl__string_list_gen_json(const libxl_string_list *p, json_object **out)
{
    *out = json_object_new_array();
    for (char **at = *p; *out && at && *at; at++)
        json_object_array_add(*out, json_object_new_string(*at));
    return *out ? 0 : ERROR_NOMEM;
}

int libxl__string_list_parse_json(libxl_ctx *ctx, libxl_string_list *p, json_object *in)
{
    (void)ctx;
    if (!json_object_is_type(in, json_type_array))
        return ERROR_INVAL;
    const size_t count = json_object_array_length(in);
    *p = calloc(count + 1, sizeof(**p));
    for (size_t i = 0; *p && i < count; i++) {
        json_object *text = json_object_array_get_idx(in, i);
        if (!json_object_is_type(text, json_type_string))
            return ERROR_INVAL;
        (*p)[i] = strdup(json_object_get_string(text));
        if (!(*p)[i])
            return ERROR_NOMEM;
    }
    return *p ? 0 : ERROR_NOMEM;
}

int libxl__key_value_list_gen_json(const libxl_key_value_list *p, json_object **out)
{
    return libxl__string_list_gen_json(p, out);
}

int libxl__key_value_list_parse_json(libxl_ctx *ctx, libxl_key_value_list *p, json_object *in)
{
    return libxl__string_list_parse_json(ctx, p, in);
}

int libxl__by_hand_gen_json(const libxl_by_hand *p, json_object **out)
{
    *out = p->p ? json_object_new_string(p->p) : NULL;
    return p->p && !*out ? ERROR_NOMEM : 0;
}

int libxl__by_hand_parse_json(libxl_ctx *ctx, libxl_by_hand *p, json_object *in)
{
    (void)ctx;
    if (!json_object_is_type(in, json_type_string))
        return in ? ERROR_INVAL : 0;
    p->p = strdup(json_object_get_string(in));
    return p->p ? 0 : ERROR_NOMEM;
}
