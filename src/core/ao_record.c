/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the records that are not in use, and the hash table that finds an operation by its `how`. Guarded by
 * the context's lock, but for records that have no context yet.
 */
#include "libxl_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
#ifdef __SANITIZE_ADDRESS__
    KEEP = 0, /* a use after free is to be seen */
#else
    KEEP = 256, /* records kept of each size */
#endif
};

/*
 * Records come in two sizes, with what malloc adds a multiple of 16: for what is instant, and for what waits and
 * has state; the larger one is made to measure for libxl__domain_shutdown_body, of which a host has thousands.
 * A few operations have larger args.
 */
static const uint32_t sizes[LIBXL__AO_RECORD_SIZES] = {264, LIBXL__AO_RECORD};
enum { STATE_SIZE = 128 }; /* first memory that every operation that waits has behind its args, at least */

struct libxl__ao_record {
    struct libxl__ao_record *next;
};

/* Which of the sizes; LIBXL__AO_RECORD_SIZES: none. */
static unsigned kind_of(size_t size)
{
    unsigned kind = 0;
    while (kind < LIBXL__AO_RECORD_SIZES && sizes[kind] < size)
        kind++;
    return kind;
}

libxl__ao *libxl__ao_record_get(libxl_ctx *ctx, const libxl__ao_class *cls)
{
    const size_t args =
        LIBXL__AO_ALIGN(cls->args_size) + (cls->reports ? sizeof(libxl_asyncprogress_how) : 0);
    const size_t needed = sizeof(libxl__ao) + args + (cls->slow ? STATE_SIZE : 0);
    const unsigned kind = kind_of(needed);
    const size_t size = kind < LIBXL__AO_RECORD_SIZES ? sizes[kind] : needed;
    struct libxl__ao_records *records = &ctx->aos.records[kind];
    struct libxl__ao_record *record = NULL;
    if (kind < LIBXL__AO_RECORD_SIZES && records->first) {
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
    return ao;
}

void libxl__ao_record_put(libxl_ctx *ctx, libxl__ao *ao)
{
    const unsigned kind = kind_of(ao->size);
    struct libxl__ao_records *records = &ctx->aos.records[kind];
    if (kind == LIBXL__AO_RECORD_SIZES || records->count == KEEP) {
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
    for (unsigned kind = 0; kind < LIBXL__AO_RECORD_SIZES; kind++)
        while (aos->records[kind].first) {
            struct libxl__ao_record *record = aos->records[kind].first;
            aos->records[kind].first = record->next;
            free(record);
        }
    if (aos->index != aos->first_index)
        free(aos->index);
}
