/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory of an operation: allocated piece by piece, freed all at once.
 *
 * The lock of the gc's owner guards the gc. The context's lock guards the gc of an operation. Memory from a
 * gc is valid until libxl__gc_end.
 */
#ifndef LIBXL__GC_H
#define LIBXL__GC_H

#include <stdarg.h>
#include <stddef.h>

/* The memory of one owner. Zero-initialise it: it is empty then. */
typedef struct libxl__gc {
    struct libxl__gc_block *blocks;
    char *next, *end; /* the unused part of the newest block, or of the memory from libxl__gc_begin */
} libxl__gc;

/*
 * Makes gc use the caller's memory first. The memory belongs to the caller and must live until libxl__gc_end.
 */
void libxl__gc_begin(libxl__gc *gc, void *memory, size_t size);

/*
 * Returns zeroed memory, aligned to 8 octets. Returns NULL if there is no memory. A size of 0 gives a valid
 * pointer.
 */
void *libxl__gc_alloc(libxl__gc *gc, size_t size);

/* Reserves `size` octets. The next allocations do not fail if each size is a multiple of 8 and their sum is at most
 * `size`. Errors: NOMEM. */
int libxl__gc_reserve(libxl__gc *gc, size_t size);

/* Formats a string in the gc's memory, like printf. Returns the string, or NULL if there is no memory. */
char *libxl__gc_printf(libxl__gc *gc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *libxl__gc_vprintf(libxl__gc *gc, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

/* Frees all memory of the gc. The gc is empty afterwards. */
void libxl__gc_end(libxl__gc *gc);

#endif
