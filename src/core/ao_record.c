/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the free records, in lists by size class, and the hash table that finds an operation by its `how`. The context's lock
 * guards them. Operations in the table belong to ao.c.
 */
#include "libxl_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
#ifdef __SANITIZE_ADDRESS__
    MOST_FREE = 0, /* so that AddressSanitizer detects every use after free */
#else
    MOST_FREE = 256, /* free records in each list */
#endif
};

enum { BODY_STATE_SIZE = 128 }; /* the memory for the gc in the record of a slow operation without phases */

struct libxl__ao_record {
    struct libxl__ao_record *next;
};

/* The index of the free list for this size. LIBXL__AO_RECORD_SIZES or more: records of this size are not kept. */
static size_t size_class_of(size_t size)
{
    return (size - 1) / LIBXL__AO_RECORD_STEP;
}

/* The size of a record, such that it and malloc's header together are a multiple of LIBXL__AO_RECORD_STEP. */
static size_t record_size(size_t needed)
{
    const size_t head = sizeof(size_t);
    return (needed + head + LIBXL__AO_RECORD_STEP - 1) / LIBXL__AO_RECORD_STEP * LIBXL__AO_RECORD_STEP - head;
}

static size_t state_size(const libxl__ao_class *cls)
{
    if (cls->phases)
        return LIBXL__AO_ALIGN(cls->phases->state_size);
    return cls->slow ? BODY_STATE_SIZE : 0;
}

libxl__ao *libxl__ao_record_get(libxl_ctx *ctx, const libxl__ao_class *cls)
{
    const size_t args =
        LIBXL__AO_ALIGN(cls->args_size) + (cls->reports ? sizeof(libxl_asyncprogress_how) : 0);
    const size_t state = state_size(cls), size = record_size(sizeof(libxl__ao) + args + state),
                 size_class = size_class_of(size);
    struct libxl__ao_records *records =
        size_class < LIBXL__AO_RECORD_SIZES ? &ctx->aos.records[size_class] : NULL;
    struct libxl__ao_record *record = NULL;
    if (records && records->first) {
        record = records->first;
        records->first = record->next;
        records->count--;
    } else {
        record = malloc(size);
        if (!record)
            return NULL;
    }
    libxl__ao *ao = (libxl__ao *)(void *)record;
    memset(ao, 0, sizeof(*ao) + args);
    ao->size = (uint32_t)size;
    libxl__gc_begin(&ao->gc, ao->args + args, size - sizeof(*ao) - args);
    if (cls->phases)
        ao->state = libxl__gc_alloc(&ao->gc, state); /* does not fail: the record has room for it */
    return ao;
}

void libxl__ao_record_put(libxl_ctx *ctx, libxl__ao *ao)
{
    const size_t size_class = size_class_of(ao->size);
    struct libxl__ao_records *records =
        size_class < LIBXL__AO_RECORD_SIZES ? &ctx->aos.records[size_class] : NULL;
    if (!records || records->count == MOST_FREE) {
        free(ao);
        return;
    }
    struct libxl__ao_record *record = (struct libxl__ao_record *)(void *)ao;
    record->next = records->first;
    records->first = record;
    records->count++;
}

/* ---- the index */

static struct libxl__ao_bucket *bucket_of(libxl__aos *aos, const libxl_asyncop_how *how)
{
    uint64_t key = how->u.for_event ^ (uintptr_t)how->callback;
    key *= 0x9E3779B97F4A7C15ull; /* 2^64 / golden ratio: spreads neighbours */
    return &aos->index[(key >> 32) & (aos->index_size - 1)];
}

static void grow_index(libxl__aos *aos)
{
    uint32_t old_size = aos->index_size;
    struct libxl__ao_bucket *old = aos->index, *larger = calloc(4 * (size_t)old_size, sizeof(*larger));
    if (!larger)
        return; /* the old table still works, with longer buckets */
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
        grow_index(aos);
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
    libxl__ao *ao, *oldest = NULL; /* the last in the bucket, because new ones are inserted at its head */
    LIST_FOREACH (ao, bucket_of(&ctx->aos, how), index_link)
        if (ao->how.callback == how->callback && ao->how.u.for_event == how->u.for_event)
            oldest = ao;
    return oldest;
}

void libxl__ao_records_free(libxl_ctx *ctx)
{
    libxl__aos *aos = &ctx->aos;
    for (unsigned size_class = 0; size_class < LIBXL__AO_RECORD_SIZES; size_class++)
        while (aos->records[size_class].first) {
            struct libxl__ao_record *record = aos->records[size_class].first;
            aos->records[size_class].first = record->next;
            free(record);
        }
    if (aos->index != aos->first_index)
        free(aos->index);
}
