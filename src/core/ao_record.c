/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the records that are not in use, and the hash table that finds an operation by its `how`. Guarded by
 * the context's lock, but for records that have no context yet.
 */
#include "libxl_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    RECORD_SIZE = 768, /* of the records that are kept: all but the largest operations fit */
    STATE_SIZE = 192,  /* first memory that every operation has behind its args */
#ifdef __SANITIZE_ADDRESS__
    KEEP = 0, /* a use after free is to be seen */
#else
    KEEP = 256, /* records kept */
#endif
};

struct libxl__ao_record {
    struct libxl__ao_record *next;
};

libxl__ao *libxl__ao_record_get(libxl_ctx *ctx, const libxl__ao_class *cls)
{
    libxl__aos *aos = &ctx->aos;
    size_t args = (cls->args_size + 15) & ~(size_t)15;
    size_t size = sizeof(libxl__ao) + args + STATE_SIZE;
    libxl__ao *ao;
    if (size <= RECORD_SIZE && aos->free_records) {
        ao = (libxl__ao *)(void *)aos->free_records;
        aos->free_records = aos->free_records->next;
        aos->free_count--;
    } else {
        ao = malloc(size <= RECORD_SIZE ? RECORD_SIZE : size);
        if (!ao)
            return NULL;
    }
    memset(ao, 0, sizeof(*ao) + args);
    ao->size = size <= RECORD_SIZE ? RECORD_SIZE : (uint32_t)size;
    libxl__gc_begin(&ao->gc, ao->args + args, ao->size - sizeof(*ao) - args);
    return ao;
}

void libxl__ao_record_put(libxl_ctx *ctx, libxl__ao *ao)
{
    libxl__aos *aos = &ctx->aos;
    if (ao->size != RECORD_SIZE || aos->free_count == KEEP) {
        free(ao);
        return;
    }
    struct libxl__ao_record *record = (struct libxl__ao_record *)(void *)ao;
    record->next = aos->free_records;
    aos->free_records = record;
    aos->free_count++;
}

/* ---- the index */

static struct libxl__ao_bucket *bucket_of(libxl__aos *aos, const libxl_asyncop_how *how)
{
    uint64_t key = how->u.for_event ^ (uintptr_t)how->callback;
    key *= 0x9E3779B97F4A7C15ull; /* 2^64 / golden ratio: spreads neighbours */
    return &aos->index[(key >> 32) & (aos->index_size - 1)];
}

static void grow(libxl__aos *aos)
{
    uint32_t old_size = aos->index_size;
    struct libxl__ao_bucket *old = aos->index, *larger = calloc(4 * (size_t)old_size, sizeof(*larger));
    if (!larger)
        return; /* it works as it is, only slower */
    aos->index = larger;
    aos->index_size = 4 * old_size;
    for (uint32_t i = 0; i < old_size; i++) {
        libxl__ao *ao;
        struct libxl__ao_bucket oldest_first = LIST_HEAD_INITIALIZER(oldest_first);
        while ((ao = LIST_FIRST(&old[i]))) {
            LIST_REMOVE(ao, index_link);
            LIST_INSERT_HEAD(&oldest_first, ao, index_link);
        }
        while ((ao = LIST_FIRST(&oldest_first))) {
            LIST_REMOVE(ao, index_link);
            LIST_INSERT_HEAD(bucket_of(aos, &ao->how), ao, index_link);
        }
    }
    if (old != aos->first_index)
        free(old);
}

void libxl__ao_index_add(libxl__ao *ao)
{
    libxl__aos *aos = &ao->ctx->aos;
    if (aos->indexed >= aos->index_size)
        grow(aos);
    LIST_INSERT_HEAD(bucket_of(aos, &ao->how), ao, index_link);
    ao->indexed = true;
    aos->indexed++;
}

void libxl__ao_index_remove(libxl__ao *ao)
{
    if (!ao->indexed)
        return;
    LIST_REMOVE(ao, index_link);
    ao->indexed = false;
    ao->ctx->aos.indexed--;
}

libxl__ao *libxl__ao_index_find(libxl_ctx *ctx, const libxl_asyncop_how *how)
{
    libxl__ao *ao, *oldest = NULL; /* new ones are put in front */
    LIST_FOREACH (ao, bucket_of(&ctx->aos, how), index_link)
        if (ao->how.callback == how->callback && ao->how.u.for_event == how->u.for_event)
            oldest = ao;
    return oldest;
}

void libxl__ao_records_free(libxl_ctx *ctx)
{
    libxl__aos *aos = &ctx->aos;
    while (aos->free_records) {
        struct libxl__ao_record *record = aos->free_records;
        aos->free_records = record->next;
        free(record);
    }
    if (aos->index != aos->first_index)
        free(aos->index);
}
