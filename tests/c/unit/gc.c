/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory that an operation allocates from its gc. The memory is zeroed and aligned, and can have any
 * size. All of it is freed at once. */
#include "core.h"

#include <malloc.h>
#include <stdio.h>

static void memory_is_zeroed_and_aligned(scene *s)
{
    libxl__gc gc = {.blocks = NULL};
    (void)s;
    for (size_t size = 0; size < 5000; size += 7) {
        char *memory = libxl__gc_alloc(&gc, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(uint64_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xff, size);
    }
    libxl__gc_end(&gc);
    assert_null(gc.blocks);
}

static void the_initial_buffer_is_used_first(scene *s)
{
    _Alignas(max_align_t) char first[64];
    libxl__gc gc;
    (void)s;
    memset(first, 0xff, sizeof(first));
    libxl__gc_begin(&gc, first, sizeof(first));
    char *one = libxl__gc_alloc(&gc, 32), *two = libxl__gc_alloc(&gc, 32), *three = libxl__gc_alloc(&gc, 1);
    assert_ptr_equal(one, first);
    assert_ptr_equal(two, first + 32);
    assert_false(three >= first && three < first + sizeof(first));
    assert_int_equal(two[31], 0);
    libxl__gc_end(&gc);
}

static void text_of_any_length_is_printed(scene *s)
{
    libxl__gc gc = {.blocks = NULL};
    (void)s;
    for (int length = 0; length < 3000; length += 13) {
        char *text = libxl__gc_printf(&gc, "%0*d", length, 0);
        assert_int_equal(strlen(text), length ? (size_t)length : 1);
    }
    assert_string_equal(libxl__gc_printf(&gc, "%s/%u", "local", 7u), "local/7");
    libxl__gc_end(&gc);
}

static void absurd_sizes_are_refused(scene *s)
{
    libxl__gc gc = {.blocks = NULL};
    (void)s;
    assert_null(libxl__gc_alloc(&gc, SIZE_MAX));
    assert_null(libxl__gc_alloc(&gc, SIZE_MAX / 2 + 1));
    assert_non_null(libxl__gc_alloc(&gc, 1));
    libxl__gc_end(&gc);
    libxl__gc_end(&gc); /* A gc may be ended twice. */
}

static const body bodies[] = {
    BODY(memory_is_zeroed_and_aligned, NO_CONTEXT),
    BODY(the_initial_buffer_is_used_first, NO_CONTEXT),
    BODY(text_of_any_length_is_printed, NO_CONTEXT),
    BODY(absurd_sizes_are_refused, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
