/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The JSON form of generated types. The generator writes one table per struct. A table gives the place and the kind of
 * each field. libxl__json_write() and libxl__json_read() work with any table.
 *
 * A struct is written as an object, with a member for each field that differs from its initial value. The arm of a
 * union is the member "KEY.WORD": an object of the arm's fields, or {} if the arm has no fields. An array is written as
 * an array, an enumeration as its word, a NULL string as null, a set of flags as an array of words, and a bare union as
 * a string of its octets in hexadecimal. Fields that the struct does not own (const) and fields without a JSON form
 * (private fields, raw pointers) have no member.
 *
 * Owns: nothing; the tables are constant. These functions need no lock: any thread may call them. The message of an
 * error (libxl_error_message) begins with the path of the wrong member.
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
    LIBXL__JSON_DOUBLE,
    LIBXL__JSON_OCTETS, /* a bare union */
    LIBXL__JSON_WORD,   /* an enumeration */
    LIBXL__JSON_FLAGS,  /* a set of flags */
    LIBXL__JSON_STRUCT, /* a named struct; it has its own table */
    LIBXL__JSON_GROUP,  /* an anonymous struct; its offsets are relative to the struct that holds it */
    LIBXL__JSON_UNION,
    LIBXL__JSON_BY_HAND, /* a type with hand-written functions */
} libxl__json_kind;

/* The words of an enumeration. */
typedef struct libxl__json_words {
    const char *name;
    const char *(*word)(int value);           /* NULL: the enumeration has no such value */
    int (*value)(const char *word, int *out); /* returns 0 or ERROR_INVAL */
} libxl__json_words;

/* A type with hand-written functions. Both functions return 0, ERROR_NOMEM or ERROR_INVAL. The caller adds the path
 * to the message. */
typedef struct libxl__json_by_hand {
    const char *name;
    int (*write)(const void *p, json_object **out);
    int (*read)(libxl_ctx *ctx, void *p, json_object *in); /* when called, *p is initialised or zero */
} libxl__json_by_hand;

struct libxl__json_field {
    const char *name;      /* NULL ends a table; a union has its key's name */
    libxl__json_kind kind; /* an array has its elements' kind */
    bool array : 1;
    bool is_signed : 1;
    bool bounded : 1;
    bool empty_is_none : 1; /* a string: "" is written as a NULL string is */
    bool unsupported : 1;   /* libxl__json_check refuses a value other than the initial one */
    size_t offset;          /* a union has its key's offset */
    size_t size;            /* the size of one value */
    size_t length;          /* the offset of an array's length, which is an int */
    union {                 /* used if `bounded` */
        struct {
            /* The bounds of the value, cast from int64_t if signed, or of the array's length. */
            uint64_t min, max;
        };
        struct {
            double low, high; /* the bounds of a double */
        };
    };
    int value; /* an arm: the key's value that selects it */
    const libxl__json_words *words;
    const libxl__json_type *type;
    const libxl__json_field *fields; /* a group's fields, or the arms of a union that have fields */
    void (*init_key)(void *p, int key);
    const libxl__json_by_hand *by_hand;
    bool (*is_default)(const void *p); /* true: the value is left out, as the initial one is; may be NULL */
};

struct libxl__json_type {
    size_t size;
    void (*init)(void *p);    /* NULL: the initial value is zero */
    void (*dispose)(void *p); /* NULL: the type owns nothing */
    const libxl__json_field *fields;
};

/* The greatest depth of a document, and its greatest length in octets. */
#define LIBXL__JSON_DEPTH 64
#define LIBXL__JSON_SIZE  (16u << 20)

/* Returns the JSON text, which the caller frees. Returns NULL and sets the message if the process is out of memory,
 * or if *p has a value without a JSON form, such as a string that is not UTF-8. */
char *libxl__json_write(const libxl__json_type *type, const void *p);
/*
 * Checks that each unsupported field of *p has its initial value. Returns 0 if they have. If not, returns the error
 * `unsupported`, and sets a message that begins with the path of the first such field. Returns ERROR_INVAL if *p has a
 * value without a JSON form, and ERROR_NOMEM.
 */
int libxl__json_check(const libxl__json_type *type, const void *p, int unsupported);
/* Reads a document into *p. Returns 0, ERROR_INVAL or ERROR_NOMEM; after an error *p has its initial value. The
 * previous value of *p is overwritten, not freed. `ctx` is passed to hand-written functions. */
int libxl__json_read(libxl_ctx *ctx, const libxl__json_type *type, void *p, const char *text);

/* ------------------------------------------------------------------ macros for the generated tables */

/* The place of a field. */
#define LIBXL__JSON_AT(T, path) .offset = offsetof(T, path), .size = sizeof(((T *)0)->path)
#define LIBXL__JSON_ARRAY_AT(T, path, count)                                                                 \
    .array = true, .offset = offsetof(T, path), .size = sizeof(*((T *)0)->path), .length = offsetof(T, count)

/* The kind of a field. The C type decides whether a number is signed. */
#define LIBXL__JSON_A_WORD(E)           .kind = LIBXL__JSON_WORD, .words = &E##_json_words
#define LIBXL__JSON_A_FLAGS(E)          .kind = LIBXL__JSON_FLAGS, .words = &E##_json_words
#define LIBXL__JSON_A_STRUCT(table)     .kind = LIBXL__JSON_STRUCT, .type = &(table)
#define LIBXL__JSON_A_BUILTIN(B)        .kind = LIBXL__JSON_BY_HAND, .by_hand = &B##_json_by_hand
#define LIBXL__JSON_A_NUMBER(T)         .kind = LIBXL__JSON_NUMBER, .is_signed = (T)-1 < (T)1
#define LIBXL__JSON_BOUNDS(least, most) .bounded = true, .min = (uint64_t)(least), .max = (uint64_t)(most)
#define LIBXL__JSON_LIMITS(least, most) .bounded = true, .low = (least), .high = (most)

/* These macros define the functions of one type with void pointers. `title` is the type's name in messages. */
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

/* These macros end with a declaration, so that their use ends with a semicolon. */
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
