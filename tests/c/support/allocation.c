/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the allocation count and the number of the allocation that fails. Both are atomic, so any thread
 * may use them. */
#include "allocation.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl.h>

static atomic_uint count, failing;
static atomic_bool all_later; /* If true, all allocations after the chosen one fail, too. */

void allocation_fail(unsigned n)
{
    atomic_store(&count, 0);
    atomic_store(&all_later, false);
    atomic_store(&failing, n);
}

void allocation_fail_from(unsigned n)
{
    allocation_fail(n);
    atomic_store(&all_later, true);
}

unsigned allocations(void)
{
    return atomic_load(&count);
}

/* Returns whether an address is in libaioxen. `libxl_ctx_alloc` marks the library. */
static bool is_ours(void *address)
{
    static void *base;
    Dl_info info;
    if (!base && dladdr((void *)(uintptr_t)libxl_ctx_alloc, &info))
        base = info.dli_fbase;
    return dladdr(address, &info) && info.dli_fbase == base;
}

static bool must_fail(void *caller)
{
    if (!atomic_load(&failing) || !is_ours(caller))
        return false;
    const unsigned number = atomic_fetch_add(&count, 1) + 1, first = atomic_load(&failing);
    if (number != first && !(number > first && atomic_load(&all_later)))
        return false;
    errno = ENOMEM;
    return true;
}

/* glibc exports its allocator under these names for replacements such as this one. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *old, size_t size);

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    return must_fail(CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    return must_fail(CALLER) ? NULL : __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    return must_fail(CALLER) ? NULL : __libc_realloc(old, size);
}

static char *copy(const char *text, size_t length)
{
    char *made = __libc_malloc(length + 1);
    if (!made)
        return NULL;
    memcpy(made, text, length);
    made[length] = '\0';
    return made;
}

#undef strdup
#undef strndup

char *strdup(const char *text)
{
    return must_fail(CALLER) ? NULL : copy(text, strlen(text));
}

char *strndup(const char *text, size_t most)
{
    return must_fail(CALLER) ? NULL : copy(text, strnlen(text, most));
}

int vasprintf(char **out, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    *out = length < 0 || must_fail(CALLER) ? NULL : __libc_malloc((size_t)length + 1);
    return *out ? vsnprintf(*out, (size_t)length + 1, format, args) : -1;
}
