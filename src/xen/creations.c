/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the two indexes in ctx->xen->creations. The entries belong to the operations. The context's lock
 * guards both.
 *
 * The key of a name in the index is a hash of the name. Different names can have the same hash. So a search
 * compares the names of all entries with the same key.
 */
#include "creations.h"
#include "xen.h"

#include <string.h>

static const uint64_t *name_key_of(const libxl__index_link *link)
{
    return &LIBXL__CONTAINER(link, libxl__creation, by_name)->name_key;
}

static const uint64_t *uuid_key_of(const libxl__index_link *link)
{
    return LIBXL__CONTAINER(link, libxl__creation, by_uuid)->uuid_key;
}

/* Returns the FNV-1a hash of a name. */
static uint64_t hash(const char *name)
{
    uint64_t key = 0xCBF29CE484222325ull;
    for (; *name; name++)
        key = (key ^ (unsigned char)*name) * 0x100000001B3ull;
    return key;
}

void libxl__creations_open(libxl_ctx *ctx)
{
    libxl__creations *all = &ctx->xen->creations;
    libxl__index_open(&all->by_name, name_key_of, 1, &ctx->loop.steps);
    libxl__index_open(&all->by_uuid, uuid_key_of, 2, &ctx->loop.steps);
}

void libxl__creations_close(libxl_ctx *ctx)
{
    libxl__index_clear(&ctx->xen->creations.by_name);
    libxl__index_clear(&ctx->xen->creations.by_uuid);
}

static void creation_stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__creation *creation = (libxl__creation *)source;
    libxl__index_remove(&ctx->xen->creations.by_name, &creation->by_name);
    libxl__index_remove(&ctx->xen->creations.by_uuid, &creation->by_uuid);
}

void libxl__creation_add(libxl__ao *ao, libxl__creation *creation, const char *name, const libxl_uuid *uuid)
{
    libxl__creations *all = &ao->ctx->xen->creations;
    creation->name = name;
    creation->name_key = hash(name);
    memcpy(creation->uuid_key, uuid->uuid, sizeof(creation->uuid_key));
    libxl__index_add(&all->by_name, &creation->by_name);
    libxl__index_add(&all->by_uuid, &creation->by_uuid);
    libxl__source_attach(ao, &creation->source, creation_stop);
}

bool libxl__creation_has_name(libxl_ctx *ctx, const char *name)
{
    const uint64_t key = hash(name);
    const libxl__index_link *oldest = libxl__index_find(&ctx->xen->creations.by_name, &key), *link = oldest;
    if (!oldest)
        return false;
    do {
        if (strcmp(LIBXL__CONTAINER(link, libxl__creation, by_name)->name, name) == 0)
            return true;
        link = link->newer;
    } while (link != oldest);
    return false;
}

bool libxl__creation_has_uuid(libxl_ctx *ctx, const libxl_uuid *uuid, const libxl__ao *except)
{
    uint64_t key[2];
    memcpy(key, uuid->uuid, sizeof(key));
    const libxl__index_link *oldest = libxl__index_find(&ctx->xen->creations.by_uuid, key), *link = oldest;
    if (!oldest)
        return false;
    do {
        if (LIBXL__CONTAINER(link, libxl__creation, by_uuid)->source.ao != except)
            return true;
        link = link->newer;
    } while (link != oldest);
    return false;
}
