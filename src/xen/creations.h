/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The creations that a context has in progress. A creation is found by the name or by the UUID of its domain.
 * Searches in the hypervisor and in xenstore do not find such a domain yet, or find only a part of it.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__CREATIONS_H
#define LIBXL__CREATIONS_H

#include "ao.h"
#include "index.h"

/* A creation in progress. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__creation {
    libxl__source source; /* a source that is attached while the creation is in the indexes; it never fires */
    libxl__index_link by_name, by_uuid;
    const char *name;
    uint64_t name_key, uuid_key[2];
} libxl__creation;

/* The indexes of the creations in progress. Part of libxl__xen. */
typedef struct libxl__creations {
    libxl__index by_name, by_uuid;
} libxl__creations;

/*
 * `open` prepares the indexes while the context is made. `close` frees the indexes while the context is
 * freed.
 */
void libxl__creations_open(libxl_ctx *ctx);
void libxl__creations_close(libxl_ctx *ctx);

/*
 * Adds a creation to the indexes until the operation `ao` ends. The caller keeps `name` valid until then. Two
 * creations may have the same name or UUID. A caller that must not have the name or UUID of another creation
 * first searches for one. The operation that renames a domain is added, too, with the new name and a nil
 * UUID. Cannot fail.
 */
void libxl__creation_add(libxl__ao *ao, libxl__creation *creation, const char *name, const libxl_uuid *uuid);
/* Returns whether a creation or a renaming in progress has this name. */
bool libxl__creation_has_name(libxl_ctx *ctx, const char *name);
/*
 * Returns whether a creation in progress has this UUID. Ignores the creation of the operation `except`, which
 * may be NULL.
 */
bool libxl__creation_has_uuid(libxl_ctx *ctx, const libxl_uuid *uuid, const libxl__ao *except);

#endif
