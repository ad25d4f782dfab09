/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lexer of xl's files. Owns nothing; takes no lock. */
#include "lexer.h"

#include <string.h>

static const char *const PYTHON =
    "the file is not a Python program: xl accepts only strings, numbers and lists of them";

static libxl__xl_token wrong(libxl__xl *x, const libxl__xl_source *source, size_t at, const char *fmt,
                             int sign)
{
    libxl__xl_error(x, ((libxl__xl_place){.source = source, .offset = at}), fmt, sign);
    return (libxl__xl_token){.kind = LIBXL__XL_WRONG, .start = at, .end = at};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool in_word(char c)
{
    return is_letter(c) || is_digit(c) || c == '_' || c == '.';
}

static bool in_number(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || c == 'x';
}

/* The table of escapes: each pair has the character after the backslash and the octet that it stands for. */
static const char escapes[] = "a\ab\bf\fn\nr\rt\tv\v\\\\''\"\"";

static const char *escape(char c)
{
    for (const char *e = escapes; *e; e += 2)
        if (*e == c)
            return e;
    return NULL;
}

char libxl__xl_octet(const libxl__xl_source *source, size_t *at)
{
    const char c = source->text[(*at)++];
    if (c != '\\')
        return c;
    const char *found = escape(source->text[(*at)++]);
    if (found)
        return found[1];
    return c;
}

/* Reads a string up to the closing quote, which must be on the same line. */
static libxl__xl_token quoted(libxl__xl *x, const libxl__xl_source *source, size_t start)
{
    const char quote = source->text[start];
    size_t i = start + 1;
    for (; i < source->length && source->text[i] != quote && source->text[i] != '\n'; i++) {
        if (!source->text[i])
            return wrong(x, source, i, "a NUL character", 0);
        if (source->text[i] != '\\')
            continue;
        char next = '\n';
        if (i + 1 < source->length)
            next = source->text[i + 1];
        if (next == 'x' || is_digit(next))
            return wrong(x, source, i, "the escape \\%c is not supported, because xl reads it wrongly", next);
        if (!escape(next) && next != '\n')
            return wrong(x, source, i, "unknown escape \\%c", next);
        i += next != '\n';
    }
    if (i >= source->length || source->text[i] != quote)
        return wrong(x, source, start, "the string has no closing %c on this line", quote);
    return (libxl__xl_token){.kind = LIBXL__XL_QUOTED, .start = start, .end = i + 1};
}

/* Reads the longest run of characters that `member` accepts. */
static libxl__xl_token run(const libxl__xl_source *source, size_t start, libxl__xl_kind kind,
                           bool (*member)(char))
{
    size_t end = start;
    while (end < source->length && member(source->text[end]))
        end++;
    return (libxl__xl_token){.kind = kind, .start = start, .end = end};
}

static libxl__xl_token stray(libxl__xl *x, const libxl__xl_source *source, size_t at)
{
    const char c = source->text[at];
    if (c == '\r')
        return wrong(x, source, at, "a carriage return: xl does not accept line ends of Windows", 0);
    if (c >= 'A' && c <= 'Z')
        return wrong(x, source, at, "a capital letter outside a string: keys are in small letters", 0);
    if (c && strchr("({-:.", c)) {
        libxl__xl_error(x, ((libxl__xl_place){.source = source, .offset = at}), "unexpected '%c': %s", c,
                        PYTHON);
        return (libxl__xl_token){.kind = LIBXL__XL_WRONG, .start = at, .end = at};
    }
    return c > ' ' && c < 0x7f ? wrong(x, source, at, "unexpected '%c'", c)
                               : wrong(x, source, at, "unexpected octet 0x%02x", (unsigned char)c);
}

libxl__xl_token libxl__xl_next(libxl__xl *x, const libxl__xl_source *source, size_t *at)
{
    const char *text = source->text;
    size_t i = *at;
    while (i < source->length && (text[i] == ' ' || text[i] == '\t'))
        i++;
    if (i < source->length && text[i] == '#')
        while (i < source->length && text[i] != '\n')
            i++;
    libxl__xl_token token = {.kind = LIBXL__XL_END, .start = i, .end = i};
    if (i < source->length) {
        const char c = text[i];
        token = (libxl__xl_token){.kind = LIBXL__XL_SIGN, .start = i, .end = i + 1, .sign = c};
        if (c == '\n' || c == ';')
            token.kind = LIBXL__XL_LINE;
        else if (c == '\'' || c == '"')
            token = quoted(x, source, i);
        else if (is_digit(c))
            token = run(source, i, LIBXL__XL_DIGITS, in_number);
        else if (is_letter(c))
            token = run(source, i, LIBXL__XL_WORD, in_word);
        else if (c == '+' && i + 1 < source->length && text[i + 1] == '=')
            token = (libxl__xl_token){.kind = LIBXL__XL_ADD, .start = i, .end = i + 2};
        else if (!strchr("=[],", c) || !c)
            token = stray(x, source, i);
    }
    *at = token.end;
    return token;
}
