/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes single values. Owns nothing; takes no lock. */
#include "write.h"

#include <string.h>

#include <libxl_utils.h>

/*
 * Returns whether the field must be written, because it has another value in `object` than in `base`. A string or a
 * list of strings is always written if it is set.
 */
static bool differs(const void *object, const void *base, const libxl__xl_field *field)
{
    const char *a = (const char *)object + field->offset, *b = (const char *)base + field->offset;
    if (field->kind == LIBXL__XL_TEXT)
        return *(char *const *)a;
    if (field->kind == LIBXL__XL_STRINGS)
        return *(char **const *)a;
    return memcmp(a, b, field->size) != 0;
}

void libxl__xl_write_escaped(FILE *out, const char *text)
{
    static const char octets[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
    for (; *text; text++) {
        const char *special = strchr(octets, *text);
        if (special)
            fprintf(out, "\\%c", letters[special - octets]);
        else
            fputc(*text, out);
    }
}

void libxl__xl_write_string(FILE *out, const char *text)
{
    fputc('"', out);
    libxl__xl_write_escaped(out, text);
    fputc('"', out);
}

void libxl__xl_write_bits(FILE *out, const libxl_bitmap *map)
{
    const char *comma = "";
    const int bits = (int)map->size * 8;
    for (int first = 0, last; first < bits; first = last + 1) {
        last = first;
        if (!libxl_bitmap_test(map, first))
            continue;
        while (last + 1 < bits && libxl_bitmap_test(map, last + 1))
            last++;
        fprintf(out, last > first ? "%s%d-%d" : "%s%d", comma, first, last);
        comma = ",";
    }
}

static int64_t integer(const void *where, size_t size, bool is_signed)
{
    int64_t value = 0;
    /* Copying `size` octets is correct for smaller fields, too, because x86 stores the low octets first. */
    memcpy(&value, where, size);
    return size == 4 && is_signed ? (int32_t)value : value;
}

static void write_word(FILE *out, const void *where, const libxl__xl_field *field)
{
    const int64_t value = integer(where, field->size, true);
    for (const libxl__xl_word *word = field->words; word->word; word++)
        if (word->value == value) {
            fputs(word->word, out);
            return;
        }
    /* No word stands for this value. When libxl_domain_config_to_xl reads its output, it refuses this number. */
    fprintf(out, "%lld", (long long)value);
}

/* Writes a value without its quotes. */
static void write_value(FILE *out, const void *object, const libxl__xl_field *field)
{
    const void *where = (const char *)object + field->offset;
    switch (field->kind) {
    case LIBXL__XL_TEXT: libxl__xl_write_escaped(out, *(char *const *)where); break;
    case LIBXL__XL_INTEGER:
        fprintf(out, "%lld", (long long)integer(where, field->size, field->max <= INT32_MAX));
        break;
    case LIBXL__XL_MIB: fprintf(out, "%llu", (unsigned long long)*(const uint64_t *)where >> 10); break;
    case LIBXL__XL_DEFBOOL: fputc(libxl_defbool_val(*(const libxl_defbool *)where) ? '1' : '0', out); break;
    case LIBXL__XL_BOOL: fputc(*(const bool *)where ? '1' : '0', out); break;
    case LIBXL__XL_ENUM: write_word(out, where, field); break;
    default: break;
    }
}

static void write_strings(FILE *out, char *const *strings)
{
    fputs("[ ", out);
    for (; strings && *strings; strings++) {
        libxl__xl_write_string(out, *strings);
        if (strings[1])
            fputs(", ", out);
    }
    fputs(" ]", out);
}

void libxl__xl_write_key(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    if (field->write) {
        field->write(out, object, base, field);
        return;
    }
    if (field->alias || field->kind == LIBXL__XL_SPECIAL || field->kind == LIBXL__XL_NOTHING ||
        !differs(object, base, field))
        return;
    fprintf(out, "%s = ", field->name);
    if (field->kind == LIBXL__XL_STRINGS) {
        write_strings(out, *(char **const *)((const char *)object + field->offset));
    } else {
        const bool quoted = field->kind == LIBXL__XL_TEXT || field->kind == LIBXL__XL_ENUM;
        fputs(quoted ? "\"" : "", out);
        write_value(out, object, field);
        fputs(quoted ? "\"" : "", out);
    }
    fputc('\n', out);
}

/* Writes `comma` and a parameter. Returns the separator to write before the next parameter. */
static const char *write_param(FILE *out, const char *comma, const void *object, const void *base,
                               const libxl__xl_field *field)
{
    const void *where = (const char *)object + field->offset;
    if (field->alias || field->kind == LIBXL__XL_NOTHING || !differs(object, base, field))
        return comma;
    if (field->kind == LIBXL__XL_FLAG) {
        if (integer(where, field->size, true) != field->max)
            return comma;
        fprintf(out, "%s%s", comma, field->name);
    } else if (field->kind == LIBXL__XL_SWITCH) {
        if (libxl_defbool_val(*(const libxl_defbool *)where) != (bool)field->max)
            return comma;
        fprintf(out, "%s%s", comma, field->name);
    } else {
        fprintf(out, "%s%s=", comma, field->name);
        if (field->write)
            field->write(out, object, base, field);
        else
            write_value(out, object, field);
    }
    return ",";
}

void libxl__xl_write_params(FILE *out, const void *object, const void *base, const libxl__xl_field *table,
                            const libxl__xl_field *last)
{
    const char *comma = "";
    for (const libxl__xl_field *field = table; field->name; field++)
        if (field != last)
            comma = write_param(out, comma, object, base, field);
    if (last)
        write_param(out, comma, object, base, last);
}
