/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Per-operation memory: taken piece by piece, given back all at once. */
#ifndef LIBXL__GC_H
#define LIBXL__GC_H

#include <stdarg.h>
#include <stddef.h>

/* The memory of one operation; zero is the empty one. Guarded by its owner's lock. */
typedef struct libxl__gc {
    struct libxl__gc_block *blocks;
    char *next, *end; /* what is left of the newest block, or of the first memory given */
} libxl__gc;

/* Lets gc begin with memory of the caller's, which outlives it. */
void libxl__gc_begin(libxl__gc *gc, void *memory, size_t size);

/* Zeroed memory, aligned for numbers of 64 bits and pointers; NULL when the process is out of memory. */
void *libxl__gc_alloc(libxl__gc *gc, size_t size);

/* Makes sure that the next allocations of `size` octets together, each a multiple of 8, do not fail. Errors: NOMEM. */
int libxl__gc_reserve(libxl__gc *gc, size_t size);

/* printf into the gc's memory; NULL when out of memory. */
char *libxl__gc_printf(libxl__gc *gc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *libxl__gc_vprintf(libxl__gc *gc, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

/* Frees everything; gc is empty afterwards. */
void libxl__gc_end(libxl__gc *gc);

#endif
