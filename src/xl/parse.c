/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parser of xl's files.
 *
 *   text      = [statement] { (newline | ";") [statement] }
 *   statement = word ("=" | "+=") value
 *   value     = string | number | "[" [value { "," value } [","]] "]"      newlines are allowed in a list
 *
 * Parsing takes O(n log n) time. The statements are sorted by their keys. A string that is extended by many
 * += is joined only once.
 *
 * Owns: nothing. All memory belongs to the libxl__xl, which one thread uses. So this file takes no lock.
 */
#include "syntax.h"

#include <stdlib.h>
#include <string.h>

#include "lexer.h"

typedef struct statement {
    struct statement *next;
    const char *key;
    libxl__xl_place place;
    bool adds; /* the statement's operator is += */
    libxl__xl_value *value;
    size_t number;
} statement;

typedef struct parser {
    libxl__xl *x;
    const libxl__xl_source *source;
    size_t at;
    libxl__xl_token token; /* the next token, which was read but not used yet */
} parser;

static libxl__xl_place place_of(const parser *p)
{
    return (libxl__xl_place){.source = p->source, .offset = p->token.start};
}

static void advance(parser *p)
{
    p->token = libxl__xl_next(p->x, p->source, &p->at);
}

static bool is_sign(const parser *p, char sign)
{
    return p->token.kind == LIBXL__XL_SIGN && p->token.sign == sign;
}

/*
 * Records an error: `what` is expected in the place of the next token. Records nothing if this token is
 * LIBXL__XL_WRONG, because the lexer has recorded an error for it.
 */
static void *expected(const parser *p, const char *what)
{
    const int length = (int)(p->token.end - p->token.start);
    if (p->token.kind == LIBXL__XL_END)
        libxl__xl_error(p->x, place_of(p), "%s is expected, not the end of the text", what);
    else if (p->token.kind == LIBXL__XL_LINE && p->token.sign == '\n')
        libxl__xl_error(p->x, place_of(p), "%s is expected, not the end of the line", what);
    else if (p->token.kind != LIBXL__XL_WRONG)
        libxl__xl_error(p->x, place_of(p), "%s is expected, not %.*s", what, length < 40 ? length : 40,
                        p->source->text + p->token.start);
    return NULL;
}

/* ---- parsing values */

static libxl__xl_value *new_value(const parser *p, libxl__xl_form form)
{
    libxl__xl_value *value = libxl__xl_alloc(p->x, sizeof(*value));
    if (value) {
        value->form = form;
        value->place = place_of(p);
    }
    return value;
}

/* Reads a string or a number. */
static libxl__xl_value *parse_text(parser *p)
{
    const bool number = p->token.kind == LIBXL__XL_DIGITS;
    libxl__xl_value *value = new_value(p, number ? LIBXL__XL_NUMBER : LIBXL__XL_STRING);
    libxl__xl_piece *piece = libxl__xl_alloc(p->x, sizeof(*piece));
    size_t at = p->token.start + !number;
    const size_t end = p->token.end - !number;
    char *text = libxl__xl_alloc(p->x, end - at + 1);
    if (!value || !piece || !text)
        return NULL;
    piece->place = (libxl__xl_place){.source = p->source, .offset = at};
    while (at < end)
        if (number)
            text[piece->length++] = p->source->text[at++];
        else
            text[piece->length++] = libxl__xl_octet(p->source, &at);
    value->pieces = piece;
    value->text = text;
    advance(p);
    return value;
}

static void skip_lines(parser *p)
{
    while (p->token.kind == LIBXL__XL_LINE && p->token.sign == '\n')
        advance(p);
}

static libxl__xl_value *parse_value(parser *p, int depth);

static libxl__xl_value *parse_list(parser *p, int depth)
{
    libxl__xl_value *list = new_value(p, LIBXL__XL_LIST);
    if (!list)
        return NULL;
    libxl__xl_value **last = &list->items;
    if (depth == LIBXL__XL_DEPTH) {
        libxl__xl_error(p->x, place_of(p), "lists are nested more than %d deep", LIBXL__XL_DEPTH);
        return NULL;
    }
    advance(p);
    skip_lines(p);
    while (!is_sign(p, ']')) {
        *last = parse_value(p, depth + 1);
        if (!*last)
            return NULL;
        last = &(*last)->next;
        list->count++;
        skip_lines(p);
        if (!is_sign(p, ',')) {
            if (!is_sign(p, ']'))
                return expected(p, "',' or ']'");
            break;
        }
        advance(p);
        skip_lines(p);
    }
    advance(p);
    return list;
}

/* NOLINTNEXTLINE(misc-no-recursion): the depth is limited */
static libxl__xl_value *parse_value(parser *p, int depth)
{
    if (p->token.kind == LIBXL__XL_QUOTED || p->token.kind == LIBXL__XL_DIGITS)
        return parse_text(p);
    if (is_sign(p, '['))
        return parse_list(p, depth);
    return expected(p,
                    depth ? "a string, a number, a list or ']'" : "a string in quotes, a number or a list");
}

/* ---- parsing statements */

static statement *parse_statement(parser *p)
{
    statement *s = libxl__xl_alloc(p->x, sizeof(*s));
    if (!s)
        return NULL;
    if (p->token.kind != LIBXL__XL_WORD)
        return expected(p, "a key");
    s->place = place_of(p);
    s->key = libxl__xl_copy(p->x, p->source->text + p->token.start, p->token.end - p->token.start);
    advance(p);
    s->adds = p->token.kind == LIBXL__XL_ADD;
    if (!s->adds && !is_sign(p, '='))
        return expected(p, "= or +=");
    advance(p);
    s->value = parse_value(p, 0);
    if (!s->key || !s->value)
        return NULL;
    if (p->token.kind != LIBXL__XL_LINE && p->token.kind != LIBXL__XL_END)
        return expected(p, "the end of the line");
    return s;
}

/*
 * Appends the statements of a source to a list. Returns the new end of the list, or NULL if an error was
 * recorded.
 */
static statement **parse_source(libxl__xl *x, const libxl__xl_source *source, statement **last, size_t *count)
{
    parser p = {.x = x, .source = source};
    for (advance(&p); p.token.kind != LIBXL__XL_END;) {
        if (p.token.kind == LIBXL__XL_LINE) {
            advance(&p);
            continue;
        }
        statement *s = parse_statement(&p);
        if (!s)
            return NULL;
        s->number = (*count)++;
        *last = s;
        last = &s->next;
    }
    return last;
}

/* ---- combining statements to settings */

static int compare(const void *a, const void *b)
{
    const statement *const *p = a, *const *q = b;
    const int order = strcmp((*p)->key, (*q)->key);
    return order ? order : (*p)->number < (*q)->number ? -1 : 1;
}

/* Joins the texts of the `count` statements from `first` on into one string. */
static void join(libxl__xl *x, libxl__xl_value *value, statement *const *first, size_t count)
{
    size_t length = 0, at = 0;
    libxl__xl_piece **last = &value->pieces;
    for (size_t i = 0; i < count; i++) {
        *last = first[i]->value->pieces;
        length += (*last)->length;
        last = &(*last)->next;
    }
    char *text = libxl__xl_alloc(x, length + 1);
    for (size_t i = 0; text && i < count; i++) {
        memcpy(text + at, first[i]->value->text, first[i]->value->pieces->length);
        at += first[i]->value->pieces->length;
    }
    value->text = text;
}

/*
 * Returns the value of `count` statements from `first` on. The first statement assigns with =, and the other
 * statements add with +=.
 */
static libxl__xl_value *combine(libxl__xl *x, statement *const *first, size_t count)
{
    libxl__xl_value *value = first[0]->value, **last = &value->items;
    for (; *last;)
        last = &(*last)->next;
    for (size_t i = 1; i < count; i++) {
        libxl__xl_value *more = first[i]->value;
        if ((more->form == LIBXL__XL_LIST) != (value->form == LIBXL__XL_LIST)) {
            libxl__xl_error(x, first[i]->place, "%s: += cannot join a list and a single value",
                            first[i]->key);
            return value;
        }
        if (more->form == LIBXL__XL_NUMBER || value->form == LIBXL__XL_NUMBER)
            libxl__xl_doubt(x, first[i]->place, "%s: += joins the digits of numbers", first[i]->key);
        *last = more->items;
        for (; *last;)
            last = &(*last)->next;
        value->count += more->count;
    }
    if (count > 1 && value->form != LIBXL__XL_LIST)
        join(x, value, first, count);
    return value;
}

/* Returns the setting of `count` statements from `first` on, which all have the same key. */
static libxl__xl_setting settle(libxl__xl *x, statement *const *first, size_t count)
{
    size_t start = 0;
    for (size_t i = 1; i < count; i++) {
        if (first[i]->adds)
            continue;
        start = i;
        if (first[i]->place.source == first[0]->place.source)
            libxl__xl_warn(x, first[i]->place, "%s is set again; the first value is not used", first[i]->key);
    }
    return (libxl__xl_setting){first[start]->key, first[start]->place,
                               combine(x, first + start, count - start), false};
}

static void sort(libxl__xl *x, statement *list, size_t count, libxl__xl_settings *out)
{
    statement **sorted = libxl__xl_alloc(x, (count + 1) * sizeof(statement *));
    out->settings = libxl__xl_alloc(x, (count + 1) * sizeof(*out->settings));
    if (!sorted || !out->settings)
        return;
    for (size_t i = 0; list; list = list->next)
        sorted[i++] = list;
    qsort(sorted, count, sizeof(*sorted), compare);
    for (size_t i = 0, n; i < count; i += n) {
        for (n = 1; i + n < count && strcmp(sorted[i + n]->key, sorted[i]->key) == 0;)
            n++;
        out->settings[out->count++] = settle(x, sorted + i, n);
    }
}

void libxl__xl_parse(libxl__xl *x, const libxl__xl_source *sources, size_t count, libxl__xl_settings *out)
{
    statement *list = NULL, **last = &list;
    size_t statements = 0;
    *out = (libxl__xl_settings){0};
    for (size_t i = 0; last && i < count; i++)
        last = parse_source(x, &sources[i], last, &statements);
    if (last && !x->rc)
        sort(x, list, statements, out);
}

static int compare_key(const void *key, const void *setting)
{
    return strcmp(key, ((const libxl__xl_setting *)setting)->key);
}

libxl__xl_setting *libxl__xl_find(const libxl__xl_settings *settings, const char *key)
{
    libxl__xl_setting *found = settings->count ? bsearch(key, settings->settings, settings->count,
                                                         sizeof(*settings->settings), compare_key)
                                               : NULL;
    if (found)
        found->known = true;
    return found;
}

libxl__xl_place libxl__xl_inside(const libxl__xl_value *value, size_t offset)
{
    const libxl__xl_piece *piece = value->pieces;
    if (!piece)
        return value->place;
    for (; piece->next && offset >= piece->length; piece = piece->next)
        offset -= piece->length;
    libxl__xl_place place = piece->place;
    if (value->form == LIBXL__XL_NUMBER)
        place.offset += offset;
    else
        for (; offset; offset--)
            libxl__xl_octet(place.source, &place.offset);
    return place;
}
