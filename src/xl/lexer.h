/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Divides a text into tokens. Call the functions on the thread that uses the libxl__xl (xl.h), without a lock. */
#ifndef LIBXL__XL_LEXER_H
#define LIBXL__XL_LEXER_H

#include "xl.h"

typedef enum libxl__xl_kind {
    LIBXL__XL_END,  /* the end of the source was reached */
    LIBXL__XL_LINE, /* the end of a line, or the character ';' */
    LIBXL__XL_WORD,
    LIBXL__XL_DIGITS,
    LIBXL__XL_QUOTED,
    LIBXL__XL_SIGN,  /* one of the characters '=', '[', ']' and ',' */
    LIBXL__XL_ADD,   /* the operator "+=" */
    LIBXL__XL_WRONG, /* an error, which was recorded */
} libxl__xl_kind;

typedef struct libxl__xl_token {
    libxl__xl_kind kind;
    /* The offsets in the source of the token's first octet and of the octet after its last octet. */
    size_t start, end;
    char sign; /* SIGN: the character. LINE: '\n' or ';'. */
} libxl__xl_token;

/* Returns the token at *at, and moves *at behind the token. */
libxl__xl_token libxl__xl_next(libxl__xl *x, const libxl__xl_source *source, size_t *at);

/*
 * Returns the octet at *at in a quoted string, and moves *at behind the octet. If there is an escape at *at,
 * returns the octet that the escape stands for, and moves *at behind the escape. The lexer has checked the
 * escapes.
 */
char libxl__xl_octet(const libxl__xl_source *source, size_t *at);

#endif
