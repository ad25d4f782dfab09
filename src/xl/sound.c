/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads and writes virtual sound cards. A specification is a list of items: "CARD, ...", "PCM, ..." and
 * "STREAM, ...". Owns nothing; takes no lock.
 */
#include "devices.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const libxl__xl_word stream_types[] = {
    {"p", LIBXL_VSND_STREAM_TYPE_P}, {"c", LIBXL_VSND_STREAM_TYPE_C}, {NULL, 0}};

/* Calls `put` for each part of a list that is separated by semicolons. */
static void each(libxl__xl *x, const libxl__xl_text *text,
                 void (*put)(libxl__xl *x, libxl_vsnd_params *params, const libxl__xl_text *part),
                 libxl_vsnd_params *params)
{
    for (size_t at = 0; text->text[at];) {
        const size_t length = strcspn(text->text + at, ";");
        const char *part = libxl__xl_copy(x, text->text + at, length);
        const libxl__xl_text item = {text->value, text->offset + at, part ? part : ""};
        if (length)
            put(x, params, &item);
        at += length + !!text->text[at + length];
    }
}

static void put_rate(libxl__xl *x, libxl_vsnd_params *params, const libxl__xl_text *part)
{
    int64_t rate;
    uint32_t *out = libxl__xl_append(x, libxl__xl_place_in(part, 0), &params->sample_rates,
                                     &params->num_sample_rates, sizeof(*params->sample_rates));
    if (!libxl__xl_number(part->text, &rate) || rate < 0 || rate > UINT32_MAX)
        libxl__xl_doubt(x, libxl__xl_place_in(part, 0), "vsnd: a number is expected, not '%.40s'",
                        part->text);
    else if (out)
        *out = (uint32_t)rate;
}

static void put_format(libxl__xl *x, libxl_vsnd_params *params, const libxl__xl_text *part)
{
    libxl_vsnd_pcm_format format;
    if (libxl_vsnd_pcm_format_from_string(part->text, &format)) {
        libxl__xl_error(x, libxl__xl_place_in(part, 0), "vsnd: unknown sample format '%.40s'", part->text);
        return;
    }
    libxl_vsnd_pcm_format *out =
        libxl__xl_append(x, libxl__xl_place_in(part, 0), &params->sample_formats, &params->num_sample_formats,
                         sizeof(*params->sample_formats));
    if (out)
        *out = format;
}

static void read_rates(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    each(x, text, put_rate,
         (libxl_vsnd_params *)((char *)object + field->offset - offsetof(libxl_vsnd_params, sample_rates)));
}

static void read_formats(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    each(x, text, put_format,
         (libxl_vsnd_params *)((char *)object + field->offset - offsetof(libxl_vsnd_params, sample_formats)));
}

static void write_rates(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const char *at = (const char *)object + field->offset - offsetof(libxl_vsnd_params, sample_rates);
    const libxl_vsnd_params *params = (const libxl_vsnd_params *)at;
    (void)base;
    for (int i = 0; i < params->num_sample_rates; i++)
        fprintf(out, "%s%u", i ? ";" : "", params->sample_rates[i]);
}

static void write_formats(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const char *at = (const char *)object + field->offset - offsetof(libxl_vsnd_params, sample_formats);
    const libxl_vsnd_params *params = (const libxl_vsnd_params *)at;
    (void)base;
    for (int i = 0; i < params->num_sample_formats; i++) {
        const char *word = libxl_vsnd_pcm_format_to_string(params->sample_formats[i]);
        fprintf(out, "%s%s", i ? ";" : "", word ? word : "?");
    }
}

/* The rows that cards, PCM devices and streams have in common. T is a struct with the member params. */
#define COMMON(T)                                                                                            \
    {LIBXL__XL_ROW("sample-rates", SPECIAL, T, params.sample_rates), .read = read_rates,                     \
     .write = write_rates},                                                                                  \
        {LIBXL__XL_ROW("sample-formats", SPECIAL, T, params.sample_formats), .read = read_formats,           \
         .write = write_formats},                                                                            \
        {LIBXL__XL_ROW("channels-min", INTEGER, T, params.channels_min)},                                    \
        {LIBXL__XL_ROW("channels-max", INTEGER, T, params.channels_max)},                                    \
    {                                                                                                        \
        LIBXL__XL_ROW("buffer-size", INTEGER, T, params.buffer_size)                                         \
    }

static const libxl__xl_field card[] = {
    {LIBXL__XL_ROW("backend", TEXT, libxl_device_vsnd, backend_domname)},
    {LIBXL__XL_ROW("short-name", TEXT, libxl_device_vsnd, short_name)},
    {LIBXL__XL_ROW("long-name", TEXT, libxl_device_vsnd, long_name)},
    COMMON(libxl_device_vsnd),
    {.name = NULL},
};
static const libxl__xl_field pcm[] = {
    {LIBXL__XL_ROW("name", TEXT, libxl_vsnd_pcm, name)}, COMMON(libxl_vsnd_pcm), {.name = NULL}};
static const libxl__xl_field stream[] = {
    {LIBXL__XL_ROW("unique-id", TEXT, libxl_vsnd_stream, unique_id)},
    {LIBXL__XL_ROW("type", ENUM, libxl_vsnd_stream, type), .words = stream_types, .any_case = true},
    COMMON(libxl_vsnd_stream),
    {.name = NULL},
};

static libxl_vsnd_pcm *add_pcm(libxl__xl *x, libxl_device_vsnd *vsnd, libxl__xl_place place)
{
    libxl_vsnd_pcm *new = libxl__xl_append(x, place, &vsnd->pcms, &vsnd->num_vsnd_pcms, sizeof(*vsnd->pcms));
    if (new)
        libxl_vsnd_pcm_init(new);
    return new;
}

/* Adds a stream to the last PCM device. If there is no PCM device, adds one first. */
static libxl_vsnd_stream *add_stream(libxl__xl *x, libxl_device_vsnd *vsnd, libxl__xl_place place)
{
    libxl_vsnd_pcm *last =
        vsnd->num_vsnd_pcms ? &vsnd->pcms[vsnd->num_vsnd_pcms - 1] : add_pcm(x, vsnd, place);
    libxl_vsnd_stream *new =
        last ? libxl__xl_append(x, place, &last->streams, &last->num_vsnd_streams, sizeof(*last->streams))
             : NULL;
    if (new)
        libxl_vsnd_stream_init(new);
    return new;
}

static void read_item(libxl__xl *x, libxl_device_vsnd *vsnd, const libxl__xl_text *item)
{
    static const libxl__xl_style style = {.skipped = " "};
    libxl__xl_param head;
    size_t at = 0;
    if (!libxl__xl_param_next(x, item, &style, &at, &head))
        return;
    const libxl__xl_place place = libxl__xl_place_in(&head.place, 0);
    void *object = NULL;
    const libxl__xl_field *table = card;
    if (!head.text.text && strcasecmp(head.key, "card") == 0) {
        object = vsnd;
    } else if (!head.text.text && strcasecmp(head.key, "pcm") == 0) {
        object = add_pcm(x, vsnd, place);
        table = pcm;
    } else if (!head.text.text && strcasecmp(head.key, "stream") == 0) {
        object = add_stream(x, vsnd, place);
        table = stream;
    } else {
        libxl__xl_error(x, place, "vsnd: '%.40s' is not one of CARD, PCM, STREAM", head.key);
    }
    const libxl__xl_text rest = {item->value, item->offset + at, item->text + at};
    if (object)
        libxl__xl_params(x, object, "vsnd", &rest, &style, table, LIBXL__XL_ERROR);
}

void libxl__xl_vsnds(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl_domain_config *config = object;
    if (!libxl__xl_is_list(x, field->name, text))
        return;
    for (const libxl__xl_value *list = text->value->items; list; list = list->next) {
        libxl__xl_text item;
        if (list->form != LIBXL__XL_LIST) {
            libxl__xl_error(x, list->place, "%s: a list is expected for each card", field->name);
            return;
        }
        libxl_device_vsnd *vsnd =
            libxl__xl_append(x, list->place, &config->vsnds, &config->num_vsnds, sizeof(*config->vsnds));
        if (!vsnd)
            return;
        libxl_device_vsnd_init(vsnd);
        vsnd->devid = config->num_vsnds - 1;
        const libxl__xl_value *next = list->items;
        while (libxl__xl_item(x, field->name, &next, &item))
            read_item(x, vsnd, &item);
    }
}

/* ---- writing sound cards */

static void write_item(FILE *out, const char *head, const void *object, const void *base,
                       const libxl__xl_field *table)
{
    fprintf(out, "\"%s,", head);
    libxl__xl_write_params(out, object, base, table, NULL);
    fputs("\", ", out);
}

static void write_pcm(FILE *out, const libxl_vsnd_pcm *device)
{
    libxl_vsnd_pcm base;
    libxl_vsnd_stream stream_base;
    libxl_vsnd_pcm_init(&base);
    libxl_vsnd_stream_init(&stream_base);
    write_item(out, "PCM", device, &base, pcm);
    for (int i = 0; i < device->num_vsnd_streams; i++)
        write_item(out, "STREAM", &device->streams[i], &stream_base, stream);
}

void libxl__xl_write_vsnds(FILE *out, const void *object, const void *unused, const libxl__xl_field *field)
{
    const libxl_domain_config *config = object;
    libxl_device_vsnd base;
    (void)unused;
    libxl_device_vsnd_init(&base);
    for (int i = 0; i < config->num_vsnds; i++) {
        const libxl_device_vsnd *vsnd = &config->vsnds[i];
        if (!i)
            fprintf(out, "%s = [\n", field->name);
        fputs("    [ ", out);
        write_item(out, "CARD", vsnd, &base, card);
        for (int j = 0; j < vsnd->num_vsnd_pcms; j++)
            write_pcm(out, &vsnd->pcms[j]);
        fputs(i + 1 < config->num_vsnds ? "],\n" : "],\n]\n", out);
    }
}
