/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the malloc'ed blocks of each gc, until libxl__gc_end. Takes no lock: the lock of the gc's owner
 * guards the gc.
 */
#include "gc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl.h>

enum {
    /*
     * The size of a block's data, in octets. With the headers of the block and of malloc, a block takes 512
     * octets.
     */
    BLOCK_SIZE = 496,
    ALIGNMENT = 8,
};

struct libxl__gc_block {
    struct libxl__gc_block *older;
    _Alignas(ALIGNMENT) char memory[];
};

void libxl__gc_begin(libxl__gc *gc, void *memory, size_t size)
{
    gc->blocks = NULL;
    gc->next = memory;
    gc->end = gc->next + size;
}

static int add_block(libxl__gc *gc, size_t at_least)
{
    size_t size = at_least > BLOCK_SIZE ? at_least : BLOCK_SIZE;
    struct libxl__gc_block *block = malloc(sizeof(*block) + size);
    if (!block)
        return -1;
    block->older = gc->blocks;
    gc->blocks = block;
    gc->next = block->memory;
    gc->end = block->memory + size;
    return 0;
}

int libxl__gc_reserve(libxl__gc *gc, size_t size)
{
    size += ALIGNMENT;
    return (size_t)(gc->end - gc->next) >= size || !add_block(gc, size) ? 0 : ERROR_NOMEM;
}

void *libxl__gc_alloc(libxl__gc *gc, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    /* A result of NULL always means out of memory, so 0 octets need memory, too. */
    size += !size;
    size_t skip = -(uintptr_t)gc->next & (ALIGNMENT - 1);
    if ((size_t)(gc->end - gc->next) < skip + size) {
        if (add_block(gc, size))
            return NULL;
        skip = 0;
    }
    void *memory = gc->next + skip;
    gc->next += skip + size;
    return memset(memory, 0, size);
}

char *libxl__gc_vprintf(libxl__gc *gc, const char *fmt, va_list args)
{
    va_list copy;
    va_copy(copy, args);
    int length = vsnprintf(NULL, 0, fmt, copy);
    va_end(copy);
    char *text = length < 0 ? NULL : libxl__gc_alloc(gc, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, fmt, args);
    return text;
}

char *libxl__gc_printf(libxl__gc *gc, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = libxl__gc_vprintf(gc, fmt, args);
    va_end(args);
    return text;
}

void libxl__gc_end(libxl__gc *gc)
{
    while (gc->blocks) {
        struct libxl__gc_block *block = gc->blocks;
        gc->blocks = block->older;
        free(block);
    }
    gc->next = gc->end = NULL;
}
