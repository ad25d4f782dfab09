/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads lines "TYPE DOCUMENT" and answers each with "= DOCUMENT", the document that the library writes for it, or with
 * "! MESSAGE", the error. Each value is initialised, read, copied, write_value, read again, and disposed of twice. The
 * program aborts if one of these gives a different value.
 */
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

#include "types_under_test.h" /* json_support.py writes it: types[], which a NULL name ends */

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

/* Checks that the value is write_value as `json`, and disposes of it. */
static void expect(const type *t, void *p, const char *json)
{
    char *text = write_value(t, p);
    assert(!strcmp(text, json));
    free(text);
    dispose_twice(t, p);
}

static void try(const type *t, const char *json)
{
    void *p = malloc(t->size), *other = malloc(t->size);
    assert(p && other);
    memset(p, 0x55, t->size);
    memset(other, 0x55, t->size);
    int rc = t->from_json(NULL, p, json);
    if (rc) {
        printf("! %s\n", libxl_error_message());
        assert(rc == ERROR_INVAL);
        expect(t, p, "{}");
    } else {
        char *text = write_value(t, p);
        printf("= %s\n", text);
        if (t->copy) {
            t->copy(NULL, other, p);
            expect(t, other, text);
        }
        assert(!t->from_json(NULL, other, text));
        expect(t, other, text);
        expect(t, p, text);
        free(text);
    }
    free(other);
    free(p);
}

static const type *find(const char *name)
{
    for (const type *t = types; t->name; t++) {
        if (!strcmp(t->name, name))
            return t;
    }
    return NULL;
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;

    for (const type *t = types; t->name; t++) {
        void *p = malloc(t->size);
        memset(p, 0x55, t->size);
        if (t->init) {
            t->init(p);
            expect(t, p, "{}");
        }
        if (t->dispose)
            t->dispose(NULL);
        free(p);
    }
    for (ssize_t length; (length = getline(&line, &size, stdin)) > 0;) {
        line[length - 1] = '\0';
        char *json = strchr(line, ' ');
        assert(json);
        *json++ = '\0';
        const type *t = find(line);
        if (t)
            try(t, json);
        else
            printf("no such type: %s\n", line);
        fflush(stdout);
    }
    free(line);
    return 0;
}
