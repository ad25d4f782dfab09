/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the free records, in lists by size class, and the index that finds an operation by its `how`. The
 * context's lock guards both. The operations in the index belong to ao.c.
 */
#include "libxl_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
#ifdef __SANITIZE_ADDRESS__
    MOST_FREE = 0, /* no record is reused, so that AddressSanitizer detects every use after free */
#else
    MOST_FREE = 256, /* the greatest number of free records in each list */
#endif
};

struct libxl__ao_record {
    struct libxl__ao_record *next;
};

/*
 * Returns the index of the free list for records of this size. If the index is LIBXL__AO_RECORD_SIZES or
 * more, there is no list, and such records are freed at once.
 */
static size_t size_class_of(size_t size)
{
    return (size - 1) / LIBXL__AO_RECORD_STEP;
}

/*
 * Returns the size of a record, rounded up. The sum of the record's size and the size of malloc's header
 * becomes a multiple of LIBXL__AO_RECORD_STEP.
 */
static size_t record_size(size_t needed)
{
    const size_t head = sizeof(size_t);
    return (needed + head + LIBXL__AO_RECORD_STEP - 1) / LIBXL__AO_RECORD_STEP * LIBXL__AO_RECORD_STEP - head;
}

static size_t state_size(const libxl__ao_class *cls)
{
    return cls->phases ? LIBXL__AO_ALIGN(cls->phases->state_size) : 0;
}

libxl__ao *libxl__ao_record_get(libxl_ctx *ctx, const libxl__ao_class *cls)
{
    const size_t args =
        LIBXL__AO_ALIGN(cls->args_size) + (cls->reports ? sizeof(libxl_asyncprogress_how) : 0);
    const size_t state = state_size(cls), live = LIBXL__AO_ARGS_AT + args + state,
                 size = record_size(live > sizeof(libxl__ao) ? live : sizeof(libxl__ao)),
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
    memset(ao, 0, LIBXL__AO_ARGS_AT + args);
    ao->size = (uint32_t)size;
    libxl__gc_begin(&ao->gc, ao->args + args, size - LIBXL__AO_ARGS_AT - args);
    /* This allocation cannot fail, because the record's size includes the state of the phases. */
    if (cls->phases)
        ao->state_at = (uint16_t)((char *)libxl__gc_alloc(&ao->gc, state) - (char *)ao);
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

/* ---- the index of operations by `how` */

/* The key is `how`, whose two members have 64 bits each. */
static const uint64_t *key_of(const libxl__index_link *link)
{
    return (const uint64_t *)(const void *)&LIBXL__CONTAINER(link, const libxl__ao, index_link)->how;
}

void libxl__ao_index_open(libxl_ctx *ctx)
{
    _Static_assert(sizeof(libxl_asyncop_how) == 2 * sizeof(uint64_t), "a key has two words");
    libxl__index_open(&ctx->aos.index, key_of, 2, &ctx->loop.steps);
}

void libxl__ao_index_add(libxl__ao *ao)
{
    libxl__index_add(&ao->ctx->aos.index, &ao->index_link);
    ao->indexed = true;
}

void libxl__ao_index_remove(libxl__ao *ao)
{
    if (ao->indexed)
        libxl__index_remove(&ao->ctx->aos.index, &ao->index_link);
    ao->indexed = false;
}

libxl__ao *libxl__ao_index_find(libxl_ctx *ctx, const libxl_asyncop_how *how)
{
    libxl__index_link *link = libxl__index_find(&ctx->aos.index, (const uint64_t *)(const void *)how);
    return link ? LIBXL__CONTAINER(link, libxl__ao, index_link) : NULL;
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
    libxl__index_clear(&aos->index);
}
