/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_blob: octets of any number. A blob owns its octets. The JSON form is a string of hexadecimal digits,
 * two for each octet. These functions need no lock: any thread may call them.
 */
#include "_libxl_types_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "value_json.h"

void libxl_blob_init(libxl_blob *blob)
{
    *blob = (libxl_blob){0};
}

void libxl_blob_dispose(libxl_blob *blob)
{
    if (!blob)
        return;
    free(blob->data);
    libxl_blob_init(blob);
}

int libxl_blob_set(libxl_blob *blob, const void *data, uint32_t size)
{
    uint8_t *copied = malloc((size_t)size + 1);
    if (!copied)
        return ERROR_NOMEM;
    if (size)
        memcpy(copied, data, size);
    copied[size] = 0;
    free(blob->data);
    *blob = (libxl_blob){.size = size, .data = copied};
    return 0;
}

/* Errors: NOMEM, INVAL (there are no octets although the size is not 0). */
int libxl__blob_copy(libxl_ctx *ctx, libxl_blob *dst, const libxl_blob *src)
{
    (void)ctx;
    libxl_blob_init(dst);
    if (src->size && !src->data)
        return ERROR_INVAL;
    return libxl_blob_set(dst, src->data, src->size);
}

void libxl_blob_copy(libxl_ctx *ctx, libxl_blob *dst, const libxl_blob *src)
{
    if (libxl__blob_copy(ctx, dst, src))
        errno = ENOMEM;
}

int libxl__blob_gen_json(const libxl_blob *p, json_object **out)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * (size_t)p->size + 1), *at = text;
    if (!text)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < p->size; i++) {
        *at++ = digits[p->data[i] >> 4];
        *at++ = digits[p->data[i] & 15];
    }
    *at = 0;
    const int rc = libxl__json_new_text(text, out);
    free(text);
    return rc;
}

/* Returns the value of a hexadecimal digit, or -1. */
static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int libxl__blob_parse_json(libxl_ctx *ctx, libxl_blob *p, json_object *in)
{
    (void)ctx;
    if (!json_object_is_type(in, json_type_string))
        return ERROR_INVAL;
    const char *text = json_object_get_string(in);
    const size_t length = (size_t)json_object_get_string_len(in);
    if (length % 2)
        return ERROR_INVAL;
    uint8_t *data = malloc(length / 2 + 1);
    if (!data)
        return ERROR_NOMEM;
    for (size_t i = 0; i < length / 2; i++) {
        const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            free(data);
            return ERROR_INVAL;
        }
        data[i] = (uint8_t)(high * 16 + low);
    }
    data[length / 2] = 0;
    libxl_blob_dispose(p);
    *p = (libxl_blob){.size = (uint32_t)(length / 2), .data = data};
    return 0;
}
