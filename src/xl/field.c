/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stores single values in the fields of a configuration. Owns nothing; takes no lock. */
#include "field.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_DEVICES = 1024 }; /* the greatest number of devices of one class */

libxl__xl_text libxl__xl_whole(const libxl__xl_value *value)
{
    return (libxl__xl_text){.value = value, .text = value->form == LIBXL__XL_LIST ? NULL : value->text};
}

libxl__xl_place libxl__xl_place_in(const libxl__xl_text *text, size_t offset)
{
    if (!text->text)
        return text->value->place;
    return (libxl__xl_place){.value = text->value, .offset = text->offset + offset};
}

void libxl__xl_put_string(libxl__xl *x, char **where, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        libxl__xl_no_memory(x);
    free(*where);
    *where = copy;
}

bool libxl__xl_number(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 0);
    return end != text && !*end && !errno;
}

bool libxl__xl_is_flag(const libxl__xl_field *field)
{
    return field->kind == LIBXL__XL_FLAG || field->kind == LIBXL__XL_SWITCH;
}

const libxl__xl_field *libxl__xl_field_named(const libxl__xl_field *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

const libxl__xl_word *libxl__xl_word_named(const libxl__xl_word *table, const char *word, bool any_case)
{
    for (; table->word; table++)
        if ((any_case ? strcasecmp : strcmp)(table->word, word) == 0)
            return table;
    return NULL;
}

void *libxl__xl_append(libxl__xl *x, libxl__xl_place place, void *array, int *count, size_t size)
{
    void **base = array;
    const size_t n = (size_t)*count;
    if (n >= MOST_DEVICES) {
        libxl__xl_error(x, place, "more than %d elements", MOST_DEVICES);
        return NULL;
    }
    if (!(n & (n - 1))) { /* n is 0 or a power of 2, so the array is full: its room is always a power of 2 */
        void *larger = realloc(*base, (n ? 2 * n : 1) * size);
        if (!larger)
            return libxl__xl_no_memory(x);
        *base = larger;
    }
    ++*count;
    return memset((char *)*base + n * size, 0, size);
}

/* ---- storing a value of each kind */

static void put_integer(void *where, size_t size, int64_t value)
{
    /* Copying `size` octets is correct for smaller fields, too, because x86 stores the low octets first. */
    memcpy(where, &value, size);
}

/* Reads the number of a field. Returns true, or false if the field keeps its value. */
static bool number(libxl__xl *x, const libxl__xl_field *field, const libxl__xl_text *text, int64_t *out)
{
    if (!libxl__xl_number(text->text, out)) {
        libxl__xl_say(x, field->strict ? LIBXL__XL_ERROR : LIBXL__XL_DOUBT, libxl__xl_place_in(text, 0),
                      "%s: a number is expected, not '%.40s'", field->name, text->text);
        return false;
    }
    const int64_t most = field->max ? field->max : INT32_MAX;
    if (*out < field->min || *out > most) {
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "%s: %lld is not between %lld and %lld", field->name,
                        (long long)*out, (long long)field->min, (long long)most);
        return false;
    }
    return true;
}

/* Writes the words of a table into `text`, for a message. */
static const char *list_words(const libxl__xl_word *words, char *text, size_t room)
{
    size_t length = 0;
    text[0] = 0;
    for (; words->word; words++) {
        if (!words->word[0])
            continue; /* an empty value is allowed, but it is no word to suggest */
        const size_t more = strlen(words->word) + 2;
        if (length + more + 6 > room) {
            memcpy(text + length, ", ...", 6);
            break;
        }
        length += (size_t)snprintf(text + length, room - length, "%s%s", length ? ", " : "", words->word);
    }
    return text;
}

static void put_word(libxl__xl *x, void *where, const libxl__xl_field *field, const libxl__xl_text *text)
{
    char known[160];
    int64_t value;
    const libxl__xl_word *word = libxl__xl_word_named(field->words, text->text, field->any_case);
    if (!word && field->by_number && libxl__xl_number(text->text, &value)) {
        for (word = field->words; word->word && word->value != value;)
            word++;
        if (word->word)
            libxl__xl_warn(x, libxl__xl_place_in(text, 0), "%s: a number is deprecated; use '%s'",
                           field->name, word->word);
        else
            word = NULL;
    }
    if (word)
        put_integer(where, field->size, word->value);
    else
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "%s: '%.40s' is not one of %s", field->name,
                        text->text, list_words(field->words, known, sizeof(known)));
}

static void put_strings(libxl__xl *x, char ***where, const libxl__xl_field *field,
                        const libxl__xl_value *list)
{
    size_t n = 0;
    char **strings = calloc((size_t)list->count + 1, sizeof(char *));
    if (!strings) {
        libxl__xl_no_memory(x);
        return;
    }
    for (const libxl__xl_value *item = list->items; item; item = item->next) {
        /* As in xl, the items after an inner list are ignored. */
        if (item->form == LIBXL__XL_LIST) {
            libxl__xl_doubt(x, item->place, "%s: a string is expected, not a list", field->name);
            break;
        }
        libxl__xl_put_string(x, &strings[n++], item->text);
    }
    libxl_string_list_dispose(where);
    *where = strings;
    if (!n)
        libxl_string_list_dispose(where);
}

void libxl__xl_put(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    void *where = (char *)object + field->offset;
    int64_t value;
    if (field->note)
        libxl__xl_warn(x, libxl__xl_place_in(text, 0), "%s: %s", field->name, field->note);
    if (field->kind == LIBXL__XL_SPECIAL) {
        field->read(x, object, field, text);
        return;
    }
    if ((field->kind == LIBXL__XL_STRINGS) == !!text->text && field->kind != LIBXL__XL_NOTHING) {
        libxl__xl_doubt(x, libxl__xl_place_in(text, 0), "%s: a %s is expected, not a %s", field->name,
                        text->text ? "list" : "single value", text->text ? "single value" : "list");
        return;
    }
    switch (field->kind) {
    case LIBXL__XL_TEXT: libxl__xl_put_string(x, where, text->text); break;
    case LIBXL__XL_INTEGER:
        if (number(x, field, text, &value))
            put_integer(where, field->size, value);
        break;
    case LIBXL__XL_MIB:
        if (number(x, field, text, &value))
            put_integer(where, field->size, value << 10);
        break;
    case LIBXL__XL_DEFBOOL:
        if (number(x, field, text, &value))
            libxl_defbool_set(where, value);
        break;
    case LIBXL__XL_BOOL:
        if (number(x, field, text, &value))
            *(bool *)where = value;
        break;
    case LIBXL__XL_ENUM: put_word(x, where, field, text); break;
    case LIBXL__XL_STRINGS: put_strings(x, where, field, text->value); break;
    case LIBXL__XL_FLAG: put_integer(where, field->size, field->max); break;
    case LIBXL__XL_SWITCH: libxl_defbool_set(where, field->max); break;
    case LIBXL__XL_SPECIAL:
    case LIBXL__XL_NOTHING: break;
    }
}
