/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Escaping of texts that come from outside the library, for messages and logs. Any thread may call these functions,
 * with or without the context's lock. */
#ifndef LIBXL__ESCAPE_H
#define LIBXL__ESCAPE_H

#include <stddef.h>

/*
 * Copies `text` to `to`, and writes some octets as \xNN: control characters, invalid UTF-8, and invisible characters
 * such as those that change the direction of text. Escapes that are already in `text` stay unchanged. Writes at most
 * `room` octets, the terminating zero included, and never a part of an escape. Returns the length of the complete copy,
 * without the zero. `to` NULL: only computes the length.
 */
size_t libxl__escape(char *to, size_t room, const char *text);
/* Escapes a malloc'ed text. Returns the text, or frees it and returns a malloc'ed copy. If there is no memory,
 * question marks replace the octets that need an escape. Returns NULL for NULL. */
char *libxl__printable(char *text);

#endif
