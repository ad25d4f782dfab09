/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The messages about a text, and the memory of a libxl__xl. Owns: nothing. All memory belongs to the libxl__xl, until
 * libxl__xl_end frees it. Takes no lock, because one thread uses a libxl__xl.
 */
#include "syntax.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

struct libxl__xl_note {
    libxl__xl_note *next;
    libxl__xl_place place;
    bool error;
    /*
     * The number of notes that were recorded before this one; notes about the same place are sorted by this
     * number.
     */
    int number;
    const char *text;
};

void *libxl__xl_no_memory(libxl__xl *x)
{
    x->rc = ERROR_NOMEM;
    return NULL;
}

void *libxl__xl_alloc(libxl__xl *x, size_t size)
{
    void *memory = libxl__gc_alloc(&x->gc, size);
    return memory ? memory : libxl__xl_no_memory(x);
}

char *libxl__xl_copy(libxl__xl *x, const char *text, size_t length)
{
    char *copy = libxl__xl_alloc(x, length + 1);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

static bool is_error(const libxl__xl *x, libxl__xl_severity severity)
{
    return severity == LIBXL__XL_ERROR || (severity == LIBXL__XL_DOUBT && !x->lenient);
}

bool libxl__xl_is_full(const libxl__xl *x, libxl__xl_severity severity)
{
    return x->count >= LIBXL__XL_MESSAGES && (!is_error(x, severity) || x->has_error);
}

void libxl__xl_say(libxl__xl *x, libxl__xl_severity severity, libxl__xl_place place, const char *fmt, ...)
{
    const bool error = is_error(x, severity);
    if (error && !x->rc)
        x->rc = ERROR_INVAL;
    x->errors += error;
    /* The first error is always kept, even if many warnings were recorded before it. */
    if (libxl__xl_is_full(x, severity))
        return;
    if (place.value)
        place = libxl__xl_inside(place.value, place.offset);
    x->count++;
    x->has_error |= error;
    libxl__xl_note *note = libxl__xl_alloc(x, sizeof(*note));
    va_list args;
    va_start(args, fmt);
    char *text = libxl__gc_vprintf(&x->gc, fmt, args);
    va_end(args);
    if (!note || !text) {
        libxl__xl_no_memory(x);
        return;
    }
    *note = (libxl__xl_note){x->notes, place, error, x->count, text};
    x->notes = note;
}

/* ---- the nearest word */

enum { LONGEST = 48 }; /* the length of the longest words that are compared */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/*
 * Returns the edit distance of two words, which is the smallest number of changes that make one word equal to
 * the other. A change inserts, removes or replaces a character, or exchanges two neighbours. Both words have
 * at most LONGEST characters.
 */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][LONGEST + 1], *before = rows[0], *last = rows[1], *row = rows[2];
    const size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; a[i - 1]; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= width; j++) {
            const unsigned other = a[i - 1] != b[j - 1];
            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + other);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[width];
}

const char *libxl__xl_nearest(const char *word, const char *const *words)
{
    const size_t length = strlen(word);
    const char *nearest = NULL;
    unsigned best = (unsigned)(length < 4 ? 1 : length / 3) + 1;
    if (length > LONGEST)
        return NULL;
    for (; *words; words++) {
        const size_t other = strlen(*words);
        if (other > LONGEST || (other > length ? other - length : length - other) >= best)
            continue;
        const unsigned steps = distance(word, *words);
        if (steps < best) {
            best = steps;
            nearest = *words;
        }
    }
    return nearest;
}

/* ---- ending a libxl__xl */

static int compare(const void *a, const void *b)
{
    const libxl__xl_note *const *p = a, *const *q = b;
    const libxl__xl_place x = (*p)->place, y = (*q)->place;
    const unsigned i = x.source ? x.source->index + 1 : 0, j = y.source ? y.source->index + 1 : 0;
    if (i != j)
        return i < j ? -1 : 1;
    if (x.offset != y.offset)
        return x.offset < y.offset ? -1 : 1;
    return (*p)->number - (*q)->number;
}

/* Finds the line, and the column in characters, of a place. */
static void locate(libxl__xl_place place, int *line, int *column)
{
    *line = *column = 0;
    if (!place.source)
        return;
    const char *text = place.source->text;
    size_t start = 0;
    *line = *column = 1;
    for (size_t i = 0; i < place.offset; i++)
        if (text[i] == '\n') {
            start = i + 1;
            ++*line;
        }
    for (size_t i = start; i < place.offset; i++)
        *column += (text[i] & 0xc0) != 0x80; /* counts each UTF-8 character once, by its first octet */
}

static int store(const libxl__xl_note *note, libxl_xl_message *message)
{
    locate(note->place, &message->line, &message->column);
    message->error = note->error;
    message->file = strdup(note->place.source ? note->place.source->file : "");
    message->text = strdup(note->text);
    if (message->file)
        message->file = libxl__printable(message->file);
    if (message->text)
        message->text = libxl__printable(message->text);
    return message->file && message->text ? 0 : ERROR_NOMEM;
}

/* Makes the array of messages from the notes, in the order of the text. Returns 0 or an error. */
static int list(libxl__xl *x, libxl_xl_messages *out)
{
    int kept = 0, rc = 0;
    for (const libxl__xl_note *note = x->notes; note; note = note->next)
        kept++;
    libxl_xl_messages_init(out);
    if (!kept)
        return 0;
    libxl__xl_note **sorted = calloc((size_t)kept, sizeof(libxl__xl_note *));
    out->messages = calloc((size_t)kept, sizeof(*out->messages));
    if (!sorted || !out->messages) {
        free(sorted);
        libxl_xl_messages_dispose(out);
        return ERROR_NOMEM;
    }
    int i = 0;
    for (libxl__xl_note *note = x->notes; note; note = note->next)
        sorted[i++] = note;
    qsort(sorted, (size_t)kept, sizeof(*sorted), compare);
    for (out->num_messages = 0; !rc && out->num_messages < kept; out->num_messages++)
        rc = store(sorted[out->num_messages], &out->messages[out->num_messages]);
    free(sorted);
    if (rc)
        libxl_xl_messages_dispose(out);
    return rc;
}

/* Sets this thread's error message to the first error. */
static int refuse(int rc, const libxl_xl_messages *all)
{
    for (int i = 0; i < all->num_messages; i++) {
        const libxl_xl_message *m = &all->messages[i];
        if (m->error)
            return m->line ? libxl__refuse(rc, "%s:%d:%d: %s", m->file, m->line, m->column, m->text)
                           : libxl__refuse(rc, "%s", m->text);
    }
    return libxl__refuse(rc, NULL);
}

int libxl__xl_end(libxl__xl *x, libxl_xl_messages *messages)
{
    libxl_xl_messages all;
    int rc = list(x, &all);
    libxl__gc_end(&x->gc);
    rc = x->rc == ERROR_NOMEM ? ERROR_NOMEM : rc ? rc : x->rc;
    if (rc)
        refuse(rc, &all);
    if (messages)
        *messages = all;
    else
        libxl_xl_messages_dispose(&all);
    return rc;
}
