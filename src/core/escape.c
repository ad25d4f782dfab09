/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Escaping of texts that come from outside the library. Owns nothing. Any thread may call these functions, with or
 * without the context's lock. */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Returns whether a valid character changes how a line is shown: a control character, a line separator, an
 * invisible character, or one that changes the direction of text.
 */
static bool is_hidden(uint32_t character)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0, 0x1f},          {0x7f, 0x9f},       {0xad, 0xad},       {0x600, 0x605},
                  {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},
                  {0x8e2, 0x8e2},     {0x180e, 0x180e},   {0x200b, 0x200f},   {0x2028, 0x202e},
                  {0x2060, 0x206f},   {0xfeff, 0xfeff},   {0xfff9, 0xfffb},   {0x110bd, 0x110cd},
                  {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};
    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}

/*
 * Decodes the UTF-8 character at `text`. Returns the length of the character, or 0 if the octets are not
 * valid UTF-8.
 */
static size_t decode(const unsigned char *text, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char first = *text;
    const size_t length = first < 0x80       ? 1
                          : first >> 5 == 6  ? 2
                          : first >> 4 == 14 ? 3
                          : first >> 3 == 30 ? 4
                                             : 0;
    *character = length == 1 ? first : first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) /* the condition is also true at the terminating zero */
            return 0;
        *character = *character << 6 | (text[i] & 0x3f);
    }
    const bool surrogate = *character >= 0xd800 && *character <= 0xdfff;
    return !length || *character < least[length] || *character > 0x10ffff || surrogate ? 0 : length;
}

/* Returns the length of the character at `text`. Sets *shown to whether the character is copied without an escape. */
static size_t next(const char *text, bool *shown)
{
    uint32_t character;
    const size_t length = decode((const unsigned char *)text, &character);
    *shown = length && !is_hidden(character);
    return length ? length : 1;
}

static void put(char *to, const char *text, size_t length, bool shown)
{
    if (shown) {
        memcpy(to, text, length);
        to[length] = 0;
    } else {
        for (size_t i = 0; i < length; i++)
            snprintf(to + 4 * i, 5, "\\x%02x", (unsigned char)text[i]);
    }
}

size_t libxl__escape(char *to, size_t room, const char *text)
{
    size_t used = 0;
    bool shown;
    if (to && room)
        *to = 0;
    for (size_t length; *text; text += length) {
        length = next(text, &shown);
        const size_t needed = shown ? length : 4 * length;
        if (to && used + needed < room)
            put(to + used, text, length, shown);
        /* Once a character does not fit, `used` exceeds `room`, so nothing is written afterwards. */
        used += needed;
    }
    return used;
}

/* Replaces each octet that would be escaped by a question mark. Used if there is no memory for escapes. */
static void mask(char *text)
{
    bool shown;
    for (size_t length; *text; text += length) {
        length = next(text, &shown);
        if (!shown)
            memset(text, '?', length);
    }
}

char *libxl__printable(char *text)
{
    const size_t length = text ? strlen(text) : 0, needed = text ? libxl__escape(NULL, 0, text) : 0;
    if (needed == length)
        return text;
    char *escaped = malloc(needed + 1);
    if (!escaped) {
        mask(text);
        return text;
    }
    libxl__escape(escaped, needed + 1, text);
    free(text);
    return escaped;
}
