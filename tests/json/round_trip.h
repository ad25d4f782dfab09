/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads, copies, writes and frees values of generated types by the types' functions. Programs that test the
 * JSON of all types include this file. INCLUDE_TYPES names the file with the table of types.
 * json_support.table() writes this file.
 */
#ifndef ROUND_TRIP_H
#define ROUND_TRIP_H

#undef NDEBUG
#include <libxl.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct type {
    const char *name;
    size_t size;
    void (*init)(void *p);
    void (*dispose)(void *p);
    void (*copy)(libxl_ctx *ctx, void *dst, const void *src);
    char *(*to_json)(libxl_ctx *ctx, const void *p);
    int (*from_json)(libxl_ctx *ctx, void *p, const char *json);
} type;

#define INIT(fn)                                                                                             \
    static void fn##_any(void *p)                                                                            \
    {                                                                                                        \
        fn(p);                                                                                               \
    }
#define DISPOSE(fn) INIT(fn)
#define COPY(fn)                                                                                             \
    static void fn##_any(libxl_ctx *ctx, void *dst, const void *src)                                         \
    {                                                                                                        \
        fn(ctx, dst, src);                                                                                   \
    }
#define TO_JSON(fn)                                                                                          \
    static char *fn##_any(libxl_ctx *ctx, const void *p)                                                     \
    {                                                                                                        \
        return fn(ctx, p);                                                                                   \
    }
#define FROM_JSON(fn)                                                                                        \
    static int fn##_any(libxl_ctx *ctx, void *p, const char *json)                                           \
    {                                                                                                        \
        return fn(ctx, p, json);                                                                             \
    }

/* The file INCLUDE_TYPES defines the table types[]. A row whose name is NULL ends the table. */
#include INCLUDE_TYPES

static void assert_zero(const char *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert(!p[i]);
}

static void dispose_twice(const type *t, void *p)
{
    if (t->dispose) {
        t->dispose(p);
        assert_zero(p, t->size);
        t->dispose(p);
    }
}

static char *write_value(const type *t, const void *p)
{
    char *text = t->to_json(NULL, p);
    if (!text)
        fprintf(stderr, "%s: %s\n", t->name, libxl_error_message());
    assert(text);
    return text;
}

/* Checks that the library writes `json` for the value. Disposes of the value. */
static void expect(const type *t, void *p, const char *json)
{
    char *text = write_value(t, p);
    assert(!strcmp(text, json));
    free(text);
    dispose_twice(t, p);
}

/*
 * Reads a document into a value, copies the value, writes it, reads the written document, and disposes
 * of each value twice. Aborts if the values differ. Returns the document that the library writes. If
 * the library refuses the document, the result is NULL and *message is the error. The caller frees the
 * result and the message.
 */
static char *round_trip(const type *t, const char *json, char **message)
{
    void *p = malloc(t->size), *other = malloc(t->size);
    assert(p && other);
    memset(p, 0x55, t->size);
    memset(other, 0x55, t->size);
    char *text = NULL;
    int rc = t->from_json(NULL, p, json);
    *message = rc ? strdup(libxl_error_message()) : NULL;
    if (rc) {
        assert(rc == ERROR_INVAL);
        expect(t, p, "{}");
    } else {
        text = write_value(t, p);
        if (t->copy) {
            t->copy(NULL, other, p);
            expect(t, other, text);
        }
        assert(!t->from_json(NULL, other, text));
        expect(t, other, text);
        expect(t, p, text);
    }
    free(other);
    free(p);
    return text;
}

#endif
