/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_bitmap: a bitmap with libxl's layout. A bitmap owns its map. These functions need no lock: any thread
 * may call them.
 */
#include "_libxl_types_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

#include "value_json.h"

/*
 * The largest bit number that is accepted in JSON. The hypervisor has fewer processors and nodes. Because of
 * this limit, JSON cannot make a bitmap of more than 8 KiB.
 */
#define MAX_BIT 65535

void libxl_bitmap_init(libxl_bitmap *map)
{
    memset(map, 0, sizeof(*map));
}

void libxl_bitmap_dispose(libxl_bitmap *map)
{
    if (!map)
        return;
    free(map->map);
    libxl_bitmap_init(map);
}

int libxl_bitmap_alloc(libxl_ctx *ctx, libxl_bitmap *bitmap, int n_bits)
{
    (void)ctx;
    libxl_bitmap_init(bitmap);
    if (n_bits < 0)
        return libxl__refuse(ERROR_INVAL, "n_bits: %d is negative", n_bits);
    const uint32_t size = ((uint32_t)n_bits + 7) / 8;
    bitmap->map = size ? calloc(1, size) : NULL;
    if (size && !bitmap->map)
        return libxl__refuse(ERROR_NOMEM, "no memory for %d bits", n_bits);
    bitmap->size = size;
    return 0;
}

int libxl__bitmap_copy_alloc(libxl_ctx *ctx, libxl_bitmap *dst, const libxl_bitmap *src)
{
    if (!src->size || !src->map) {
        libxl_bitmap_init(dst);
        return 0;
    }
    const int rc = libxl_bitmap_alloc(ctx, dst, (int)src->size * 8);
    if (!rc && dst->map)
        memcpy(dst->map, src->map, src->size);
    return rc;
}

void libxl_bitmap_copy_alloc(libxl_ctx *ctx, libxl_bitmap *dptr, const libxl_bitmap *sptr)
{
    if (libxl__bitmap_copy_alloc(ctx, dptr, sptr))
        errno = ENOMEM;
}

void libxl_bitmap_copy(libxl_ctx *ctx, libxl_bitmap *dptr, const libxl_bitmap *sptr)
{
    (void)ctx;
    if (!dptr->size)
        return;
    const uint32_t size = dptr->size < sptr->size ? dptr->size : sptr->size;
    memset(dptr->map, 0, dptr->size);
    if (size)
        memcpy(dptr->map, sptr->map, size);
}

int libxl_bitmap_test(const libxl_bitmap *bitmap, int bit)
{
    return bit >= 0 && (uint32_t)bit / 8 < bitmap->size && (bitmap->map[bit / 8] >> (bit % 8)) & 1;
}

void libxl_bitmap_set(libxl_bitmap *bitmap, int bit)
{
    if (bit >= 0 && (uint32_t)bit / 8 < bitmap->size)
        bitmap->map[bit / 8] |= (uint8_t)(1u << (bit % 8));
}

void libxl_bitmap_reset(libxl_bitmap *bitmap, int bit)
{
    if (bit >= 0 && (uint32_t)bit / 8 < bitmap->size)
        bitmap->map[bit / 8] &= (uint8_t) ~(1u << (bit % 8));
}

int libxl_bitmap_count_set(const libxl_bitmap *bitmap)
{
    int count = 0;
    for (uint32_t i = 0; i < bitmap->size; i++)
        count += __builtin_popcount(bitmap->map[i]);
    return count;
}

int libxl_bitmap_is_full(const libxl_bitmap *bitmap)
{
    return libxl_bitmap_count_set(bitmap) == (int)bitmap->size * 8;
}

int libxl_bitmap_is_empty(const libxl_bitmap *bitmap)
{
    return !libxl_bitmap_count_set(bitmap);
}

void libxl_bitmap_set_any(libxl_bitmap *bitmap)
{
    if (bitmap->size)
        memset(bitmap->map, 0xff, bitmap->size);
}

void libxl_bitmap_set_none(libxl_bitmap *bitmap)
{
    if (bitmap->size)
        memset(bitmap->map, 0, bitmap->size);
}

int libxl_bitmap_cpu_valid(libxl_bitmap *bitmap, int bit)
{
    return bit >= 0 && (uint32_t)bit / 8 < bitmap->size;
}

int libxl_bitmap_equal(const libxl_bitmap *ba, const libxl_bitmap *bb, int nr_bits)
{
    const uint32_t size = ba->size > bb->size ? ba->size : bb->size;
    const int bits = nr_bits ? nr_bits : (int)size * 8;
    for (int bit = 0; bit < bits; bit++)
        if (libxl_bitmap_test(ba, bit) != libxl_bitmap_test(bb, bit))
            return 0;
    return 1;
}

/* Makes *out a bitmap without set bits. It has the size of the larger one of `a` and `b`. */
static int alloc_for_both(libxl_ctx *ctx, libxl_bitmap *out, const libxl_bitmap *a, const libxl_bitmap *b)
{
    return libxl_bitmap_alloc(ctx, out, (int)(a->size > b->size ? a->size : b->size) * 8);
}

static uint8_t octet(const libxl_bitmap *map, uint32_t index)
{
    return index < map->size ? map->map[index] : 0;
}

int libxl_bitmap_or(libxl_ctx *ctx, libxl_bitmap *or_map, const libxl_bitmap *map1, const libxl_bitmap *map2)
{
    const int rc = alloc_for_both(ctx, or_map, map1, map2);
    for (uint32_t i = 0; !rc && or_map->map && i < or_map->size; i++)
        or_map->map[i] = octet(map1, i) | octet(map2, i);
    return rc;
}

int libxl_bitmap_and(libxl_ctx *ctx, libxl_bitmap *and_map, const libxl_bitmap *map1,
                     const libxl_bitmap *map2)
{
    const int rc = alloc_for_both(ctx, and_map, map1, map2);
    for (uint32_t i = 0; !rc && and_map->map && i < and_map->size; i++)
        and_map->map[i] = octet(map1, i) & octet(map2, i);
    return rc;
}

char *libxl_bitmap_to_hex_string(libxl_ctx *ctx, const libxl_bitmap *bitmap)
{
    static const char digits[] = "0123456789abcdef";
    (void)ctx;
    char *text = malloc(2 + 2 * (size_t)bitmap->size + 1), *p = text;
    if (!text)
        return NULL;
    *p++ = '0';
    *p++ = 'x';
    for (uint32_t i = bitmap->size; i-- > 0;) {
        *p++ = digits[bitmap->map[i] >> 4];
        *p++ = digits[bitmap->map[i] & 15];
    }
    *p = 0;
    return text;
}

/* ---- the JSON form: an array of the numbers of all set bits */

int libxl__bitmap_gen_json(const libxl_bitmap *p, json_object **out)
{
    *out = json_object_new_array();
    if (!*out)
        return ERROR_NOMEM;
    for (int bit = 0; bit < (int)p->size * 8; bit++)
        if (libxl_bitmap_test(p, bit) && libxl__json_append(*out, json_object_new_int(bit)))
            goto no_memory;
    return 0;

no_memory:
    json_object_put(*out);
    *out = NULL;
    return ERROR_NOMEM;
}

/* Returns the number at `index` of the array, or -1 if the element is not a valid number of a bit. */
static int bit_at(json_object *in, size_t index)
{
    json_object *element = json_object_array_get_idx(in, index);
    const int64_t bit = json_object_is_type(element, json_type_int) ? json_object_get_int64(element) : -1;
    return bit >= 0 && bit <= MAX_BIT ? (int)bit : -1;
}

int libxl__bitmap_parse_json(libxl_ctx *ctx, libxl_bitmap *p, json_object *in)
{
    int highest = -1;
    if (!json_object_is_type(in, json_type_array))
        return ERROR_INVAL;
    const size_t count = json_object_array_length(in);
    for (size_t i = 0; i < count; i++) {
        const int bit = bit_at(in, i);
        if (bit < 0)
            return ERROR_INVAL;
        highest = bit > highest ? bit : highest;
    }
    const int rc = libxl_bitmap_alloc(ctx, p, highest + 1);
    for (size_t i = 0; !rc && i < count; i++)
        libxl_bitmap_set(p, bit_at(in, i));
    return rc;
}
