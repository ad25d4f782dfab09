/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions for paths, numbers and text that read.c and write.c share. Owns: nothing. They need no lock: any
 * thread may call them.
 */
#include "json_common.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "log.h"

static void print_path(FILE *out, const libxl__json_spot *at)
{
    if (!at)
        return;
    print_path(out, at->up);
    if (at->name)
        fprintf(out, "%s%s", at->up ? "." : "", *at->name ? at->name : "\"\"");
    else
        fprintf(out, "[%zu]", at->index);
}

char *libxl__json_path(const libxl__json_spot *at)
{
    char *path = NULL;
    size_t length;
    FILE *out = open_memstream(&path, &length);
    if (!out)
        return NULL;
    print_path(out, at);
    fclose(out);
    return path;
}

int libxl__json_fail(const libxl__json_spot *at, int rc, const char *fmt, ...)
{
    va_list args;
    char *message = NULL;
    size_t length;
    FILE *out = open_memstream(&message, &length);

    va_start(args, fmt);
    if (out) {
        print_path(out, at);
        fputs(at ? ": " : "", out);
        vfprintf(out, fmt, args);
        fclose(out);
    }
    va_end(args);
    message = libxl__printable(message); /* escaped, because the message may quote the document */
    if (message)
        libxl__refuse(rc, "%s", message);
    else
        libxl__refuse(rc, "out of memory (JSON)");
    free(message);
    return rc;
}

/*
 * Returns the length of the UTF-8 character at p. `left` is the number of octets that may be read. Returns 0
 * if the character is not valid.
 */
static size_t character(const unsigned char *p, size_t left)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t more = 0; more < sizeof(forms) / sizeof(forms[0]); more++) {
        if ((p[0] & forms[more].mask) != forms[more].lead)
            continue;
        if (more >= left)
            return 0;
        uint32_t code = p[0] & (uint32_t)~forms[more].mask;
        for (size_t i = 1; i <= more; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (p[i] & 0x3fu);
        }
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        return code < forms[more].least || surrogate || code > 0x10ffff ? 0 : more + 1;
    }
    return 0;
}

unsigned libxl__json_surrogate(const char *p, const char *end)
{
    char digits[5] = "";

    if (end - p >= 4)
        memcpy(digits, p, 4);
    unsigned code = (unsigned)strtoul(digits, NULL, 16);
    return code >= 0xd800 && code <= 0xdfff ? code : 0;
}

/*
 * Converts the surrogate pair at p to one character and writes the character to `out`. Returns the
 * character's length, or 0 if there is no pair at p.
 */
static size_t join_pair(const char *p, const char *end, char *out)
{
    unsigned high = end - p >= 12 && p[6] == '\\' && p[7] == 'u' ? libxl__json_surrogate(p + 2, end) : 0;
    unsigned low = high ? libxl__json_surrogate(p + 8, end) : 0;

    if (!low || high >= 0xdc00 || low < 0xdc00)
        return 0;
    unsigned code = 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
    out[0] = (char)(0xf0 | code >> 18);
    for (int i = 1; i < 4; i++)
        out[i] = (char)(0x80 | (code >> (18 - 6 * i) & 0x3f));
    return 4;
}

size_t libxl__json_join_surrogates(char *text, size_t length)
{
    const char *p = text, *end = text + length;
    char *out = text;

    while (p < end) {
        size_t joined = *p == '\\' && end - p > 1 && p[1] == 'u' ? join_pair(p, end, out) : 0;
        size_t copied = joined ? 0 : *p == '\\' && end - p > 1 ? 2 : 1;
        memmove(out, p, copied);
        out += joined + copied;
        p += joined ? 12 : copied;
    }
    *out = '\0';
    return (size_t)(out - text);
}

size_t libxl__json_utf8(const char *text, size_t length)
{
    size_t at = 0;

    while (at < length) {
        size_t used = character((const unsigned char *)text + at, length - at);
        if (!used)
            break;
        at += used;
    }
    return at;
}

uint64_t libxl__json_load(const libxl__json_field *field, const void *p)
{
    uint64_t value = 0;
    unsigned unused = (unsigned)(sizeof(value) - field->size) * 8;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    memcpy((char *)&value + sizeof(value) - field->size, p, field->size);
#else
    memcpy(&value, p, field->size);
#endif
    return field->is_signed ? (uint64_t)((int64_t)(value << unused) >> unused) : value;
}

int libxl__json_load_int(const void *p)
{
    int value;

    memcpy(&value, p, sizeof(value));
    return value;
}

const libxl__json_field *libxl__json_arm(const libxl__json_field *field, int key)
{
    for (const libxl__json_field *arm = field->fields; arm && arm->name; arm++) {
        if (arm->value == key)
            return arm;
    }
    return NULL;
}

bool libxl__json_names_arm(const libxl__json_field *field, const char *name, const char **word)
{
    const size_t length = strlen(field->name);
    *word = name + length + 1;
    return field->kind == LIBXL__JSON_UNION && strncmp(name, field->name, length) == 0 && name[length] == '.';
}
