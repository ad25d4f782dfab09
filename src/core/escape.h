/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Escaping of texts that come from outside the library, for messages and logs. Any thread may call these, locked or not. */
#ifndef LIBXL__ESCAPE_H
#define LIBXL__ESCAPE_H

#include <stddef.h>

/*
 * Copies `text` with each octet that is not shown as it is, as \xNN: control characters, what is not valid UTF-8, and characters that
 * change the direction of text. Octets that are escaped already stay. Writes at most `room` octets with the terminating zero,
 * and no part of an escape. Returns the length of the whole.
 */
size_t libxl__escape(char *to, size_t room, const char *text);
/* Escapes a malloc'ed text. Returns it, or a malloc'ed copy in its place. Without memory the octets become question marks. NULL
 * stays NULL. */
char *libxl__printable(char *text);

#endif
