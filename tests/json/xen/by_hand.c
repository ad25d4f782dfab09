/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions of the types that Xen's files expect to be written by hand: copy, dispose, read and write. */
#include "_libxl_types_internal.h"
#include "_libxl_types_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

static char last_message[1024];

int libxl__refuse(int rc, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(last_message, sizeof(last_message), fmt ? fmt : "out of memory", args);
    va_end(args);
    return rc;
}

const char *libxl_error_message(void)
{
    return last_message;
}

/* ------------------------------------------------------------------ what JSON leaves out (check_default_fn) */

static bool is_zero(const void *p, size_t size)
{
    const char *octets = p;

    while (size && !octets[size - 1])
        size--;
    return !size;
}

#define LEFT_OUT(check_fn, T)                                                                                \
    bool check_fn(const T *p)                                                                                \
    {                                                                                                        \
        return is_zero(p, sizeof(*p));                                                                       \
    }

LEFT_OUT(libxl__defbool_is_default, libxl_defbool)
LEFT_OUT(libxl_uuid_is_nil, libxl_uuid)
LEFT_OUT(libxl__mac_is_default, libxl_mac)
LEFT_OUT(libxl__hwcap_is_default, libxl_hwcap)
LEFT_OUT(libxl_ms_vm_genid_is_zero, libxl_ms_vm_genid)
LEFT_OUT(libxl_bitmap_is_empty, libxl_bitmap)
LEFT_OUT(libxl__string_list_is_empty, libxl_string_list)
LEFT_OUT(libxl__key_value_list_is_empty, libxl_key_value_list)
LEFT_OUT(libxl__cpuid_policy_is_empty, libxl_cpuid_policy_list)

#ifdef XEN_WITH_TIMER_MODE
bool libxl__timer_mode_is_default(const libxl_timer_mode *p)
{
    return *p == LIBXL_TIMER_MODE_DEFAULT;
}
#endif

/* ------------------------------------------------------------------ octets: hexadecimal digits in JSON */

static int write_hex(const void *p, size_t size, json_object **out)
{
    char *text = calloc(2 * size + 1, 1);

    if (!text)
        return ERROR_NOMEM;
    for (size_t i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", ((const unsigned char *)p)[i]);
    *out = json_object_new_string(text);
    free(text);
    return *out ? 0 : ERROR_NOMEM;
}

static int read_hex(void *p, size_t size, json_object *in)
{
    const char *text = json_object_get_string(in);

    if (!json_object_is_type(in, json_type_string) || strlen(text) != 2 * size ||
        strspn(text, "0123456789abcdef") != 2 * size)
        return ERROR_INVAL;
    for (size_t i = 0; i < size; i++)
        sscanf(text + 2 * i, "%2hhx", (unsigned char *)p + i);
    return 0;
}

#define OCTETS(T)                                                                                            \
    int libxl__##T##_copy(libxl_ctx *ctx, libxl_##T *dst, const libxl_##T *src)                              \
    {                                                                                                        \
        (void)ctx;                                                                                           \
        memcpy(dst, src, sizeof(*dst));                                                                      \
        return 0;                                                                                            \
    }                                                                                                        \
    int libxl__##T##_gen_json(const libxl_##T *p, json_object **out)                                         \
    {                                                                                                        \
        return write_hex(p, sizeof(*p), out);                                                                \
    }                                                                                                        \
    int libxl__##T##_parse_json(libxl_ctx *ctx, libxl_##T *p, json_object *in)                               \
    {                                                                                                        \
        (void)ctx;                                                                                           \
        return read_hex(p, sizeof(*p), in);                                                                  \
    }

OCTETS(uuid)
OCTETS(mac)
OCTETS(hwcap)
OCTETS(ms_vm_genid)

/* ------------------------------------------------------------------ numbers */

/* The type files of 4.2 do not declare that these builtins are copied by assignment, so the builtins need
 * copy functions. */
int libxl__domid_copy(libxl_ctx *ctx, libxl_domid *dst, const libxl_domid *src)
{
    (void)ctx;
    *dst = *src;
    return 0;
}

int libxl__devid_copy(libxl_ctx *ctx, libxl_devid *dst, const libxl_devid *src)
{
    (void)ctx;
    *dst = *src;
    return 0;
}

/* ------------------------------------------------------------------ a boolean that may be left open */

int libxl__defbool_copy(libxl_ctx *ctx, libxl_defbool *dst, const libxl_defbool *src)
{
    (void)ctx;
    *dst = *src;
    return 0;
}

int libxl__defbool_gen_json(const libxl_defbool *p, json_object **out)
{
    *out = p->val ? json_object_new_boolean(p->val > 0) : json_object_new_string("<default>");
    return *out ? 0 : ERROR_NOMEM;
}

int libxl__defbool_parse_json(libxl_ctx *ctx, libxl_defbool *p, json_object *in)
{
    (void)ctx;
    if (json_object_is_type(in, json_type_boolean))
        p->val = json_object_get_boolean(in) ? 1 : -1;
    else if (!json_object_is_type(in, json_type_string) || strcmp(json_object_get_string(in), "<default>"))
        return ERROR_INVAL;
    return 0;
}

/* ------------------------------------------------------------------ bitmaps */

void libxl_bitmap_dispose(libxl_bitmap *map)
{
    free(map->map);
    memset(map, 0, sizeof(*map));
}

int libxl__bitmap_copy_alloc(libxl_ctx *ctx, libxl_bitmap *dst, const libxl_bitmap *src)
{
    (void)ctx;
    memset(dst, 0, sizeof(*dst));
    dst->map = src->size ? malloc(src->size) : NULL;
    if (src->size && !dst->map)
        return ERROR_NOMEM;
    if (src->size)
        memcpy(dst->map, src->map, src->size);
    dst->size = src->size;
    return 0;
}

int libxl__bitmap_gen_json(const libxl_bitmap *p, json_object **out)
{
    return write_hex(p->map, p->size, out);
}

int libxl__bitmap_parse_json(libxl_ctx *ctx, libxl_bitmap *p, json_object *in)
{
    size_t size = json_object_is_type(in, json_type_string) ? strlen(json_object_get_string(in)) / 2 : 0;
    libxl_bitmap map = {.size = (uint32_t)size, .map = calloc(size + 1, 1)};
    int rc = map.map ? read_hex(map.map, size, in) : ERROR_NOMEM;

    if (!rc && size)
        rc = libxl__bitmap_copy_alloc(ctx, p, &map);
    free(map.map);
    return rc;
}

/* ------------------------------------------------------------------ lists of strings */

void libxl_string_list_dispose(libxl_string_list *list)
{
    for (char **p = *list; p && *p; p++)
        free(*p);
    free(*list);
    *list = NULL;
}

int libxl__string_list_copy(libxl_ctx *ctx, libxl_string_list *dst, const libxl_string_list *src)
{
    size_t count = 0;

    (void)ctx;
    *dst = NULL;
    if (!*src)
        return 0;
    while ((*src)[count])
        count++;
    *dst = calloc(count + 1, sizeof(**dst));
    for (size_t i = 0; *dst && i < count; i++)
        (*dst)[i] = strdup((*src)[i]);
    return *dst ? 0 : ERROR_NOMEM;
}

int libxl__string_list_gen_json(const libxl_string_list *p, json_object **out)
{
    *out = json_object_new_array();
    for (char **s = *p; s && *s; s++)
        json_object_array_add(*out, json_object_new_string(*s));
    return *out ? 0 : ERROR_NOMEM;
}

int libxl__string_list_parse_json(libxl_ctx *ctx, libxl_string_list *p, json_object *in)
{
    (void)ctx;
    if (!json_object_is_type(in, json_type_array))
        return ERROR_INVAL;
    size_t count = json_object_array_length(in);
    *p = count ? calloc(count + 1, sizeof(**p)) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (!json_object_is_type(json_object_array_get_idx(in, i), json_type_string))
            return ERROR_INVAL;
        (*p)[i] = strdup(json_object_get_string(json_object_array_get_idx(in, i)));
    }
    return 0;
}

void libxl_key_value_list_dispose(libxl_key_value_list *list)
{
    libxl_string_list_dispose(list);
}

int libxl__key_value_list_copy(libxl_ctx *ctx, libxl_key_value_list *dst, const libxl_key_value_list *src)
{
    return libxl__string_list_copy(ctx, dst, src);
}

int libxl__key_value_list_gen_json(const libxl_key_value_list *p, json_object **out)
{
    return libxl__string_list_gen_json(p, out);
}

int libxl__key_value_list_parse_json(libxl_ctx *ctx, libxl_key_value_list *p, json_object *in)
{
    return libxl__string_list_parse_json(ctx, p, in);
}

/* ------------------------------------------------------------------ a policy, which here is any text */

void libxl_cpuid_dispose(libxl_cpuid_policy_list *list)
{
    free(*list);
    *list = NULL;
}

int libxl__cpuid_policy_list_copy(libxl_ctx *ctx, libxl_cpuid_policy_list *dst,
                                  const libxl_cpuid_policy_list *src)
{
    (void)ctx;
    *dst = *src ? strdup(*src) : NULL;
    return *src && !*dst ? ERROR_NOMEM : 0;
}

int libxl__cpuid_policy_list_gen_json(const libxl_cpuid_policy_list *p, json_object **out)
{
    *out = json_object_new_string(*p ? *p : "");
    return *out ? 0 : ERROR_NOMEM;
}

int libxl__cpuid_policy_list_parse_json(libxl_ctx *ctx, libxl_cpuid_policy_list *p, json_object *in)
{
    (void)ctx;
    if (!json_object_is_type(in, json_type_string))
        return ERROR_INVAL;
    *p = *json_object_get_string(in) ? strdup(json_object_get_string(in)) : NULL;
    return 0;
}
