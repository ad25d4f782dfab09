/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The JSON form of generated types. The generator writes a table for each struct. The table gives the offset
 * and the kind of each field. libxl__json_write and libxl__json_read work with any table.
 *
 * The JSON form of each kind:
 *
 * - A struct is an object. It has a member for each field that differs from its initial value. Fields that
 *   the struct does not own (const) and fields without a JSON form (private fields, raw pointers) have no
 *   member.
 * - The arm of a union is the member "KEY.WORD": an object with the arm's fields, or {} if the arm has no
 *   fields.
 * - An array is an array, an enumeration is its word, and a NULL string is null.
 * - A set of flags is an array of words.
 * - A union without a key is a string of its octets in hexadecimal.
 *
 * The tables are constant. The functions need no lock: any thread may call them. An error message
 * (libxl_error_message) begins with the path of the wrong member.
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
    LIBXL__JSON_OCTETS, /* the field is a union without a key */
    LIBXL__JSON_WORD,   /* the field is an enumeration */
    LIBXL__JSON_FLAGS,  /* the field is a set of flags */
    LIBXL__JSON_STRUCT, /* the field is a named struct, which has its own table */
    /* The field is an anonymous struct; the offsets of its fields are relative to the outer struct. */
    LIBXL__JSON_GROUP,
    LIBXL__JSON_UNION,
    LIBXL__JSON_BY_HAND, /* a type with hand-written functions */
} libxl__json_kind;

/* The words of an enumeration. */
typedef struct libxl__json_words {
    const char *name;
    /* Returns the word of a value, or NULL if the enumeration has no such value. */
    const char *(*word)(int value);
    /* Stores the value of a word. Returns 0, or ERROR_INVAL if the enumeration has no such word. */
    int (*value)(const char *word, int *out);
} libxl__json_words;

/*
 * A type with hand-written functions. Both functions return 0, ERROR_NOMEM or ERROR_INVAL. The caller adds
 * the path to the error message.
 */
typedef struct libxl__json_by_hand {
    const char *name;
    int (*write)(const void *p, json_object **out);
    /* Reads a value into *p, which the caller has initialised or zeroed. */
    int (*read)(libxl_ctx *ctx, void *p, json_object *in);
} libxl__json_by_hand;

struct libxl__json_field {
    /* The name of the member; for a union, the name of its key; NULL: the end of the table. */
    const char *name;
    libxl__json_kind kind; /* the kind of the field; for an array the kind of its elements */
    bool array : 1;
    bool is_signed : 1;
    bool bounded : 1;
    bool empty_is_none : 1; /* an empty string is written like a NULL string */
    bool unsupported : 1;   /* libxl__json_check fails if the value is not the initial one */
    size_t offset;          /* the offset of the field; for a union the offset of its key */
    size_t size;            /* the size of one value, in octets */
    size_t length;          /* the offset of an array's length, which is an int */
    union {                 /* this member is valid if `bounded` is set */
        struct {
            /*
             * The bounds of a number, or of the length of an array. The bounds of a signed number are int64_t
             * values that were cast to uint64_t.
             */
            uint64_t min, max;
        };
        struct {
            double low, high; /* the lowest and the highest value of a double */
        };
    };
    int value; /* the key's value that selects this arm of a union */
    const libxl__json_words *words;
    const libxl__json_type *type;
    /* The fields of a group, or the arms of a union that have fields. */
    const libxl__json_field *fields;
    void (*init_key)(void *p, int key);
    const libxl__json_by_hand *by_hand;
    /* Returns whether the value is the default, which is left out in JSON. May be NULL. */
    bool (*is_default)(const void *p);
};

struct libxl__json_type {
    size_t size;
    void (*init)(void *p);    /* sets a value to the initial value; NULL: the initial value is zero */
    void (*dispose)(void *p); /* frees the memory of a value; NULL: the type owns no memory */
    const libxl__json_field *fields;
};

/* The greatest depth of a document, and its greatest length in octets. */
#define LIBXL__JSON_DEPTH 64
#define LIBXL__JSON_SIZE  (16u << 20)

/*
 * Returns the JSON text of *p, which the caller frees. Returns NULL and sets the error message if there is no
 * memory, or if *p contains a value without a JSON form, for example a string that is not UTF-8.
 */
char *libxl__json_write(const libxl__json_type *type, const void *p);
/* Like libxl__json_write, but also writes the fields that have their initial values. */
char *libxl__json_write_all(const libxl__json_type *type, const void *p);
/*
 * Checks that each unsupported field of *p has its initial value. If such a field has another value, returns
 * the error `unsupported`, and sets a message that begins with the path of the first such field. Otherwise
 * returns 0. Returns ERROR_INVAL if *p contains a value without a JSON form, and ERROR_NOMEM if there is no
 * memory.
 */
int libxl__json_check(const libxl__json_type *type, const void *p, int unsupported);
/*
 * Called for each field that differs from its initial value. `path` is the field's path, for example
 * "disks[0].vdev". `value` is its JSON form. An array is visited before its elements, and a struct before its fields.
 * Returns NULL, or the reason why the field is wrong. A reason ends the visit.
 */
typedef const char *libxl__json_visitor(const char *path, const libxl__json_field *field, json_object *value,
                                        void *data);
/*
 * Visits *p. Returns 0; ERROR_INVAL with a message that begins with the path of the wrong field, or of a value without
 * a JSON form; or ERROR_NOMEM.
 */
int libxl__json_visit(const libxl__json_type *type, const void *p, libxl__json_visitor *visitor, void *data);
/*
 * Reads a JSON text into *p. The previous value of *p is overwritten, not freed. Returns 0, ERROR_INVAL or
 * ERROR_NOMEM. After an error *p has its initial value. `ctx` is passed to hand-written functions.
 */
int libxl__json_read(libxl_ctx *ctx, const libxl__json_type *type, void *p, const char *text);

/* The longest array in a text that another program has written. No domain has as many devices of one kind. */
enum { LIBXL__JSON_FOREIGN_ELEMENTS = 256 };

/* The unknown members of a text that another program has written. Zero-initialise it. */
typedef struct libxl__json_foreign {
    uint32_t unknown; /* the number of members that were ignored, because the type does not have them */
    char first[160];  /* the message about the first of them, with its path; may be cut off */
} libxl__json_foreign;

/*
 * Like libxl__json_read, for a text that another program or a newer release has written. Ignores unknown members, and
 * counts them. An array with more than LIBXL__JSON_FOREIGN_ELEMENTS elements is an error.
 */
int libxl__json_read_foreign(libxl_ctx *ctx, const libxl__json_type *type, void *p, const char *text,
                             libxl__json_foreign *foreign);

/*
 * Returns the JSON text of *p like libxl__json_write, with the members of `text` that the type does not have.
 * libxl__json_read_foreign must have accepted `text`. An unknown member of an array's element is kept if a new element
 * has the same "devid" or "vdev".
 */
char *libxl__json_write_over(const libxl__json_type *type, const void *p, const char *text);

/*
 * libxl__json_write and libxl__json_read for a value of an enumeration, whose JSON form is a string. A number without
 * a word gives NULL. After an error of libxl__json_read_word *out is unchanged.
 */
char *libxl__json_write_word(const libxl__json_words *words, int value);
int libxl__json_read_word(const libxl__json_words *words, int *out, const char *text);

/* ------------------------------------------------------------------ macros for the generated tables */

/* The offset and the size of a field. */
#define LIBXL__JSON_AT(T, path) .offset = offsetof(T, path), .size = sizeof(((T *)0)->path)
#define LIBXL__JSON_ARRAY_AT(T, path, count)                                                                 \
    .array = true, .offset = offsetof(T, path), .size = sizeof(*((T *)0)->path), .length = offsetof(T, count)

/* The kind of a field. Whether a number is signed is derived from its C type. */
#define LIBXL__JSON_A_WORD(E)           .kind = LIBXL__JSON_WORD, .words = &E##_json_words
#define LIBXL__JSON_A_FLAGS(E)          .kind = LIBXL__JSON_FLAGS, .words = &E##_json_words
#define LIBXL__JSON_A_STRUCT(table)     .kind = LIBXL__JSON_STRUCT, .type = &(table)
#define LIBXL__JSON_A_BUILTIN(B)        .kind = LIBXL__JSON_BY_HAND, .by_hand = &B##_json_by_hand
#define LIBXL__JSON_A_NUMBER(T)         .kind = LIBXL__JSON_NUMBER, .is_signed = (T)-1 < (T)1
#define LIBXL__JSON_BOUNDS(least, most) .bounded = true, .min = (uint64_t)(least), .max = (uint64_t)(most)
#define LIBXL__JSON_LIMITS(least, most) .bounded = true, .low = (least), .high = (most)

/*
 * These macros define functions with void pointers that call the functions of one type. `title` is the type's
 * name in messages.
 */
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

/* Each of these macros ends with a declaration, so that a semicolon can follow the use of the macro. */
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
