/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The JSON form of generated types: tables, one per struct, that the generator writes, and the two functions
 * that follow them. A table says where each field is and what it holds; nothing here knows a type by name.
 *
 * An object has the fields that differ from their initial values. The arm of a union is the member
 * "KEY.WORD": an object of its fields, {} where it has none. Arrays are arrays, enumerations words, and a
 * pointer that is NULL is null. What a struct does not own (const) and what has no form (private, raw
 * pointers, bare unions) has no member.
 *
 * No lock; any thread. Failures are told to libxl_error_message, with the path of what is wrong.
 */
#ifndef LIBXL__JSON_H
#define LIBXL__JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include <libxl.h>

typedef struct libxl__json_type libxl__json_type;
typedef struct libxl__json_field libxl__json_field;

typedef enum libxl__json_kind {
    LIBXL__JSON_BOOL,
    LIBXL__JSON_NUMBER,
    LIBXL__JSON_STRING,
    LIBXL__JSON_WORD,   /* an enumeration */
    LIBXL__JSON_STRUCT, /* a struct that has a name, and so a table of its own */
    LIBXL__JSON_GROUP,  /* an anonymous struct: its offsets are those of the struct that holds it */
    LIBXL__JSON_UNION,
    LIBXL__JSON_BY_HAND,
} libxl__json_kind;

/* An enumeration's words. */
typedef struct libxl__json_words {
    const char *name;
    const char *(*word)(int value);           /* NULL: not a value of it */
    int (*value)(const char *word, int *out); /* 0, or INVAL */
} libxl__json_words;

/* A type that is written by hand in C. Both return 0, NOMEM, or INVAL: the path is then told by the caller.
 */
typedef struct libxl__json_by_hand {
    const char *name;
    int (*write)(const void *p, json_object **out);
    int (*read)(libxl_ctx *ctx, void *p, json_object *in); /* *p is as its init has left it, or zero */
} libxl__json_by_hand;

struct libxl__json_field {
    const char *name;      /* NULL ends a table; of a union: its key's */
    libxl__json_kind kind; /* of an array: its elements' */
    bool array : 1;
    bool is_signed : 1;
    bool bounded : 1;
    bool empty_is_none : 1; /* a string: "" is not told from NULL */
    size_t offset;          /* of a union: its key's */
    size_t size;            /* of one value */
    size_t length;          /* offset of an array's length, an int */
    uint64_t min, max;      /* if bounded; int64_t in this form if signed; of an array: its length's */
    int value;              /* of an arm: the key's value that selects it */
    const libxl__json_words *words;
    const libxl__json_type *type;
    const libxl__json_field *fields; /* of a group; of a union: its arms that hold something */
    void (*init_key)(void *p, int key);
    const libxl__json_by_hand *by_hand;
    bool (*is_default)(const void *p); /* of what is left out beside the initial value; NULL: nothing is */
};

struct libxl__json_type {
    size_t size;
    void (*init)(void *p);    /* NULL: zero */
    void (*dispose)(void *p); /* NULL: owns nothing */
    const libxl__json_field *fields;
};

/* A document is at most this deep, and this many octets long. */
#define LIBXL__JSON_DEPTH 64
#define LIBXL__JSON_SIZE  (16u << 20)

/* malloc'ed text; NULL: out of memory, or *p holds what has no JSON form, such as text that is not UTF-8. */
char *libxl__json_write(const libxl__json_type *type, const void *p);
/* 0; or INVAL or NOMEM, and *p is as its init leaves it. What *p held before is overwritten, not freed. */
int libxl__json_read(libxl_ctx *ctx, const libxl__json_type *type, void *p, const char *text);

/* ------------------------------------------------------------------ for the tables */

/* Where a field is. */
#define LIBXL__JSON_AT(T, path) .offset = offsetof(T, path), .size = sizeof(((T *)0)->path)
#define LIBXL__JSON_ARRAY_AT(T, path, count)                                                                 \
    .array = true, .offset = offsetof(T, path), .size = sizeof(*((T *)0)->path), .length = offsetof(T, count)

/* What it holds. A number's sign is what C makes of its type. */
#define LIBXL__JSON_A_WORD(E)         .kind = LIBXL__JSON_WORD, .words = &E##_json_words
#define LIBXL__JSON_A_STRUCT(table)   .kind = LIBXL__JSON_STRUCT, .type = &(table)
#define LIBXL__JSON_A_BUILTIN(B)      .kind = LIBXL__JSON_BY_HAND, .by_hand = &B##_json_by_hand
#define LIBXL__JSON_A_NUMBER(T)       .kind = LIBXL__JSON_NUMBER, .is_signed = (T)-1 < (T)1
#define LIBXL__JSON_BOUNDS(low, high) .bounded = true, .min = (uint64_t)(low), .max = (uint64_t)(high)

/* The functions of one type behind void pointers; `title` is its name in messages. */
#define LIBXL__JSON_WORDS_OF(T, title)                                                                       \
    static const char *T##_json_word(int value)                                                              \
    {                                                                                                        \
        return T##_to_string((T)value);                                                                      \
    }                                                                                                        \
    static int T##_json_value(const char *word, int *out)                                                    \
    {                                                                                                        \
        T value;                                                                                             \
        int rc = T##_from_string(word, &value);                                                              \
        *out = rc ? 0 : (int)value;                                                                          \
        return rc;                                                                                           \
    }                                                                                                        \
    static const libxl__json_words T##_json_words = {title, T##_json_word, T##_json_value}

#define LIBXL__JSON_BUILTIN_OF(T, title, write_fn, read_fn)                                                  \
    static int T##_json_write(const void *p, json_object **out)                                              \
    {                                                                                                        \
        return write_fn(p, out);                                                                             \
    }                                                                                                        \
    static int T##_json_read(libxl_ctx *ctx, void *p, json_object *in)                                       \
    {                                                                                                        \
        return read_fn(ctx, p, in);                                                                          \
    }                                                                                                        \
    static const libxl__json_by_hand T##_json_by_hand = {title, T##_json_write, T##_json_read}

#define LIBXL__JSON_DEFAULT_OF(T, check_fn)                                                                  \
    static bool T##_json_is_default(const void *p)                                                           \
    {                                                                                                        \
        return check_fn(p);                                                                                  \
    }                                                                                                        \
    static bool T##_json_is_default(const void *p)

/* The last line of these four is there for the semicolon. */
#define LIBXL__JSON_INIT_OF(T, init_fn)                                                                      \
    static void T##_json_init(void *p)                                                                       \
    {                                                                                                        \
        init_fn(p);                                                                                          \
    }                                                                                                        \
    static void T##_json_init(void *p)

#define LIBXL__JSON_DISPOSE_OF(T, dispose_fn)                                                                \
    static void T##_json_dispose(void *p)                                                                    \
    {                                                                                                        \
        dispose_fn(p);                                                                                       \
    }                                                                                                        \
    static void T##_json_dispose(void *p)

#define LIBXL__JSON_KEY_OF(init_fn, K)                                                                       \
    static void init_fn##_json(void *p, int key)                                                             \
    {                                                                                                        \
        init_fn(p, (K)key);                                                                                  \
    }                                                                                                        \
    static void init_fn##_json(void *p, int key)

#endif
