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
    return cls->phases ? LIBXL__AO_ALIGN(cls->phases->state_size) : 0;
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

/*
 * A bucket is a list of the oldest operations of different `how`s. The operations with the same `how` are a ring, in order of
 * age. So adding, removing and finding cost the same, whatever the number of operations with this `how` is.
 *
 * The table grows by one bucket at a time (linear hashing), because moving all operations at once takes long: bucket N is
 * split from bucket N minus the largest power of 2 that is not above N.
 */

static libxl__ao **bucket_of(libxl__aos *aos, const libxl_asyncop_how *how)
{
    uint64_t key = how->u.for_event ^ (uintptr_t)how->callback;
    key *= 0x9E3779B97F4A7C15ull; /* 2^64 / golden ratio: spreads neighbours */
    uint32_t bucket = (uint32_t)(key >> 32) & aos->index_mask;
    if (bucket >= aos->index_size)
        bucket &= aos->index_mask >> 1;
    return &aos->index[bucket];
}

/* Returns the link of a bucket that points to the oldest operation with this `how`, or the bucket's last link, which is NULL. */
static libxl__ao **oldest(libxl_ctx *ctx, const libxl_asyncop_how *how)
{
    libxl__ao **link = bucket_of(&ctx->aos, how);
    for (; *link; link = &(*link)->index_next) {
        ctx->loop.steps++;
        if ((*link)->how.callback == how->callback && (*link)->how.u.for_event == how->u.for_event)
            break;
    }
    return link;
}

/* Returns whether the array has room for one more bucket. */
static bool make_index_room(libxl__aos *aos)
{
    if (aos->index_size < aos->index_room)
        return true;
    libxl__ao **before = aos->index == aos->first_index ? NULL : aos->index;
    libxl__ao **larger = realloc(before, 2 * (size_t)aos->index_room * sizeof(*larger));
    if (!larger)
        return false;
    if (!before)
        memcpy(larger, aos->first_index, sizeof(aos->first_index));
    aos->index = larger;
    aos->index_room *= 2;
    return true;
}

static void grow_index(libxl__aos *aos)
{
    if (!make_index_room(aos))
        return; /* the table still works, with longer buckets */
    if (aos->index_size > aos->index_mask)
        aos->index_mask = 2 * aos->index_mask + 1;
    libxl__ao **link = &aos->index[aos->index_size & aos->index_mask >> 1],
              **split = &aos->index[aos->index_size];
    *split = NULL;
    aos->index_size++;
    while (*link) {
        libxl__ao *ao = *link;
        if (bucket_of(aos, &ao->how) != split) {
            link = &ao->index_next;
            continue;
        }
        *link = ao->index_next;
        ao->index_next = *split;
        *split = ao;
    }
}

void libxl__ao_index_add(libxl__ao *ao)
{
    libxl__aos *aos = &ao->ctx->aos;
    if (aos->indexed >= aos->index_size)
        grow_index(aos);
    libxl__ao **link = oldest(ao->ctx, &ao->how), *first = *link;
    if (first) {
        ao->index_newer = first;
        ao->index_older = first->index_older;
        first->index_older->index_newer = ao;
        first->index_older = ao;
    } else {
        ao->index_newer = ao->index_older = ao;
        ao->index_next = NULL;
        *link = ao;
    }
    ao->indexed = true;
    aos->indexed++;
}

void libxl__ao_index_remove(libxl__ao *ao)
{
    if (!ao->indexed)
        return;
    libxl__ao **link = oldest(ao->ctx, &ao->how);
    if (*link == ao) {
        libxl__ao *next = ao->index_next;
        if (ao->index_newer != ao) {
            *link = ao->index_newer;
            ao->index_newer->index_next = next;
        } else {
            *link = next;
        }
    }
    ao->index_older->index_newer = ao->index_newer;
    ao->index_newer->index_older = ao->index_older;
    ao->indexed = false;
    ao->ctx->aos.indexed--;
}

libxl__ao *libxl__ao_index_find(libxl_ctx *ctx, const libxl_asyncop_how *how)
{
    return *oldest(ctx, how);
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
