/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions for paths, text and numbers that read.c and write.c share. They have no state and need no lock:
 * any thread may call them.
 */
#ifndef LIBXL__JSON_COMMON_H
#define LIBXL__JSON_COMMON_H

#include "json_table.h"

/*
 * The path of a value in a document, as a list of levels. Each level is on the stack of the function that
 * handles it, and points to the level above.
 */
typedef struct libxl__json_spot {
    const struct libxl__json_spot *up; /* the level above; NULL: this is the top level */
    /* The name of the object's member that the value is. NULL: the value is an element of an array. */
    const char *name;
    size_t index;
} libxl__json_spot;

/* Returns the path of a value, which the caller frees, or NULL if there is no memory. */
char *libxl__json_path(const libxl__json_spot *at);
/* Sets this thread's error message to "PATH: MESSAGE" and returns rc. `at` NULL: the message has no path. */
int libxl__json_fail(const libxl__json_spot *at, int rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns the length of the longest prefix of `text` that is valid UTF-8. Overlong forms and surrogates are not
 * valid. */
size_t libxl__json_utf8(const char *text, size_t length);

/* Returns the surrogate whose four hexadecimal digits are at p. Returns 0 if the digits do not name a surrogate. */
unsigned libxl__json_surrogate(const char *p, const char *end);
/*
 * Replaces each surrogate pair in \\u escapes by its character, in place, and returns the new length. This is
 * needed because json-c 0.16 converts some pairs wrongly. `text` must have room for a terminating zero octet.
 */
size_t libxl__json_join_surrogates(char *text, size_t length);

/*
 * Checks the first `end` octets of `text` for errors that json-c accepts, for example a duplicate member, a
 * number that does not fit into 64 bits, or an unpaired surrogate. Fails at the first error. If there is none
 * and `problem` is not NULL, fails with the message `problem` and the path of the value at `end`. Returns 0,
 * ERROR_INVAL with a message, or ERROR_NOMEM.
 */
int libxl__json_scan(const char *text, size_t end, const char *problem);

/* Returns the number at p, extended to 64 bits. The field gives its size and says whether it is signed. */
uint64_t libxl__json_load(const libxl__json_field *field, const void *p);
int libxl__json_load_int(const void *p);

/*
 * Makes the JSON object for *p. The caller releases it with json_object_put. Errors: NOMEM, INVAL with a
 * message.
 */
int libxl__json_object(const libxl__json_type *type, const void *p, json_object **out);

/* Returns the arm of a union that the key's value selects. Returns NULL if that arm has no fields. */
const libxl__json_field *libxl__json_arm(const libxl__json_field *field, int key);
/* Returns whether a member's name is "KEY.WORD" for the union `field`. Sets *word to the place of WORD then. */
bool libxl__json_names_arm(const libxl__json_field *field, const char *name, const char **word);

/* Parses a document. The caller releases it with json_object_put. Errors: NOMEM, INVAL with a message. */
int libxl__json_parse(const char *text, json_object **out);
/* Returns a copy of the object's text, which the caller frees, or NULL with a message if there is no memory. */
char *libxl__json_print(json_object *object);

#endif
