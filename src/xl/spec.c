/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads specifications (spec.h). Owns nothing; takes no lock. */
#include "spec.h"

#include <string.h>

enum { MOST_PARAMETERS = 128 }; /* the greatest number of parameters in a table */

/* Returns a part of a text. `trims` true: blanks at both ends of the part are removed. */
static libxl__xl_text part(libxl__xl *x, const libxl__xl_text *spec, size_t start, size_t end, bool trims)
{
    while (trims && start < end && strchr(" \t", spec->text[start]))
        start++;
    while (trims && end > start && strchr(" \t", spec->text[end - 1]))
        end--;
    const char *copy = libxl__xl_copy(x, spec->text + start, end - start);
    return (libxl__xl_text){spec->value, spec->offset + start, copy ? copy : ""};
}

bool libxl__xl_param_next(libxl__xl *x, const libxl__xl_text *spec, const libxl__xl_style *style, size_t *at,
                          libxl__xl_param *out)
{
    const char *text = spec->text;
    size_t start = *at;
    if (!text[start])
        return false;
    while (text[start] && strchr(style->skipped, text[start]))
        start++;
    size_t end = start + strcspn(text + start, ",");
    const size_t equals = start + strcspn(text + start, "=,");
    const bool has_value = equals < end;
    if (has_value && style->rest && strlen(style->rest) == equals - start &&
        strncmp(text + start, style->rest, equals - start) == 0)
        end += strlen(text + end);
    out->place = part(x, spec, start, equals, style->trims);
    out->key = out->place.text;
    out->text = has_value ? part(x, spec, equals + 1, end, style->trims) : (libxl__xl_text){0};
    *at = end + !!text[end];
    return true;
}

void libxl__xl_unknown(libxl__xl *x, libxl__xl_severity severity, const char *what,
                       const libxl__xl_param *param, const libxl__xl_field *table)
{
    const char *names[MOST_PARAMETERS + 1];
    size_t n = 0;
    if (libxl__xl_is_full(x, severity))
        return;
    for (; table->name && n < MOST_PARAMETERS; table++)
        names[n++] = table->name;
    names[n] = NULL;
    const char *nearest = libxl__xl_nearest(param->key, names);
    const libxl__xl_place place = libxl__xl_place_in(&param->place, 0);
    if (nearest && strcmp(nearest, param->key) == 0)
        libxl__xl_say(x, severity, place, param->text.text ? "%s: %s has no value" : "%s: %s needs a value",
                      what, nearest);
    else if (nearest)
        libxl__xl_say(x, severity, place, "%s: unknown parameter '%.40s'; is '%s' meant?", what, param->key,
                      nearest);
    else
        libxl__xl_say(x, severity, place, "%s: unknown parameter '%.40s'", what, param->key);
}

void libxl__xl_params(libxl__xl *x, void *object, const char *what, const libxl__xl_text *spec,
                      const libxl__xl_style *style, const libxl__xl_field *table, libxl__xl_severity unknown)
{
    bool seen[MOST_PARAMETERS] = {0};
    libxl__xl_param param;
    for (size_t at = 0; libxl__xl_param_next(x, spec, style, &at, &param);) {
        if (!param.key[0] && !param.text.text)
            continue;
        const libxl__xl_field *field = libxl__xl_field_named(table, param.key);
        if (!field || libxl__xl_is_flag(field) == !!param.text.text) {
            libxl__xl_unknown(x, unknown, what, &param, table);
            continue;
        }
        if (seen[field - table])
            libxl__xl_doubt(x, libxl__xl_place_in(&param.place, 0), "%s: %s is given twice", what,
                            field->name);
        seen[field - table] = true;
        libxl__xl_put(x, object, field, param.text.text ? &param.text : &param.place);
    }
}
