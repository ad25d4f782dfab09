/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class vsnd: a paravirtual sound card. A program that the administrator starts serves the device
 * (xen/io/sndif.h). The card, its PCM devices and their streams are described in the frontend's tree, each in
 * a directory of its own. As in libxl, the names of sample formats are those of libxl_vsnd_pcm_format. They
 * differ from sndif.h for the formats of floating-point numbers.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The greatest number of PCM devices, of streams of a PCM device, and of elements in a list of rates or formats. */
enum { MOST = LIBXL__XS_TREE_NUMBERS, MOST_IN_LIST = 64, LIST_SIZE = MOST_IN_LIST * 24 };

static libxl_device_vsnd *vsnd_of(const libxl__device *device)
{
    return device->config;
}

static int check_params(libxl__ao *ao, const libxl_vsnd_params *params)
{
    if (params->num_sample_rates > MOST_IN_LIST || params->num_sample_formats > MOST_IN_LIST)
        return libxl__ao_fail(ao, ERROR_INVAL, "params: more than %d sample rates or formats", MOST_IN_LIST);
    return 0;
}

static int check_pcm(libxl__ao *ao, const libxl_vsnd_pcm *pcm)
{
    int rc = check_params(ao, &pcm->params);
    if (!rc && pcm->num_vsnd_streams > MOST)
        rc = libxl__ao_fail(ao, ERROR_INVAL, "streams: %d are more than %d", pcm->num_vsnd_streams, MOST);
    for (int i = 0; i < pcm->num_vsnd_streams && !rc; i++)
        rc = check_params(ao, &pcm->streams[i].params);
    return rc;
}

static int check(libxl__ao *ao, libxl__device *device)
{
    const libxl_device_vsnd *vsnd = vsnd_of(device);
    int rc = check_params(ao, &vsnd->params);
    if (!rc && vsnd->num_vsnd_pcms > MOST)
        rc = libxl__ao_fail(ao, ERROR_INVAL, "pcms: %d are more than %d", vsnd->num_vsnd_pcms, MOST);
    for (int i = 0; i < vsnd->num_vsnd_pcms && !rc; i++)
        rc = check_pcm(ao, &vsnd->pcms[i]);
    device->devid = (uint32_t)vsnd->devid;
    strcpy(device->backend_kind, "vsnd");
    return rc;
}

/* ---- writing the nodes. `at` is the directory below the frontend's: "", "PCM/" or "PCM/STREAM/". */

static void write_text(const libxl__device_nodes *nodes, const char *at, const char *key, const char *value)
{
    char path[64];
    snprintf(path, sizeof(path), "%s%s", at, key);
    if (value)
        libxl__frontend_key(nodes, path, "%s", value);
}

static void write_number(const libxl__device_nodes *nodes, const char *at, const char *key, uint32_t value)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", value);
    write_text(nodes, at, key, value ? text : NULL);
}

static void write_params(const libxl__device_nodes *nodes, const char *at, const libxl_vsnd_params *params)
{
    char rates[LIST_SIZE] = "", formats[LIST_SIZE] = "";
    for (int i = 0, end = 0; i < params->num_sample_rates; i++)
        end +=
            snprintf(rates + end, sizeof(rates) - (size_t)end, "%s%u", i ? "," : "", params->sample_rates[i]);
    for (int i = 0, end = 0; i < params->num_sample_formats; i++)
        end += snprintf(formats + end, sizeof(formats) - (size_t)end, "%s%s", i ? "," : "",
                        libxl_vsnd_pcm_format_to_string(params->sample_formats[i]));
    write_text(nodes, at, "sample-rates", *rates ? rates : NULL);
    write_text(nodes, at, "sample-formats", *formats ? formats : NULL);
    write_number(nodes, at, "channels-min", params->channels_min);
    write_number(nodes, at, "channels-max", params->channels_max);
    write_number(nodes, at, "buffer-size", params->buffer_size);
}

static void write_pcm(const libxl__device_nodes *nodes, int number, const libxl_vsnd_pcm *pcm)
{
    char at[32];
    snprintf(at, sizeof(at), "%d/", number);
    write_text(nodes, at, "name", pcm->name);
    write_params(nodes, at, &pcm->params);
    for (int i = 0; i < pcm->num_vsnd_streams; i++) {
        const libxl_vsnd_stream *stream = &pcm->streams[i];
        snprintf(at, sizeof(at), "%d/%d/", number, i);
        write_text(nodes, at, "unique-id", stream->unique_id);
        if (stream->type)
            write_text(nodes, at, "type", stream->type == LIBXL_VSND_STREAM_TYPE_C ? "c" : "p");
        write_params(nodes, at, &stream->params);
    }
}

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl_device_vsnd *vsnd = vsnd_of(nodes->device);
    write_text(nodes, "", "short-name", vsnd->short_name);
    write_text(nodes, "", "long-name", vsnd->long_name);
    write_params(nodes, "", &vsnd->params);
    for (int i = 0; i < vsnd->num_vsnd_pcms; i++)
        write_pcm(nodes, i, &vsnd->pcms[i]);
}

/* ---- reading the nodes, which the guest may have written. A value without the right form counts as missing. */

static uint32_t read_number(const libxl__xs_tree *tree, const char *at, const char *key)
{
    const char *text = libxl__xs_tree_value(tree, "%s%s", at, key);
    char *end;
    const unsigned long number = text && *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    return number && number <= UINT32_MAX && !*end ? (uint32_t)number : 0;
}

/* Calls `put` for each element of a list that is separated by commas, for MOST_IN_LIST elements at most. */
static void for_each_element(const char *list, void (*put)(libxl_vsnd_params *params, const char *element),
                             libxl_vsnd_params *params)
{
    char element[32];
    for (int i = 0; list && *list && i < MOST_IN_LIST; i++) {
        const size_t length = strcspn(list, ",");
        if (length < sizeof(element)) {
            memcpy(element, list, length);
            element[length] = '\0';
            put(params, element);
        }
        list += length + (list[length] == ',');
    }
}

static void put_rate(libxl_vsnd_params *params, const char *element)
{
    const unsigned long rate = strtoul(element, NULL, 10);
    if (rate && rate <= UINT32_MAX)
        params->sample_rates[params->num_sample_rates++] = (uint32_t)rate;
}

static void put_format(libxl_vsnd_params *params, const char *element)
{
    if (!libxl_vsnd_pcm_format_from_string(element, &params->sample_formats[params->num_sample_formats]))
        params->num_sample_formats++;
}

static int read_params(libxl_vsnd_params *params, const libxl__xs_tree *tree, const char *at)
{
    const char *rates = libxl__xs_tree_value(tree, "%ssample-rates", at);
    const char *formats = libxl__xs_tree_value(tree, "%ssample-formats", at);
    if (rates && !(params->sample_rates = calloc(MOST_IN_LIST, sizeof(*params->sample_rates))))
        return ERROR_NOMEM;
    if (formats && !(params->sample_formats = calloc(MOST_IN_LIST, sizeof(*params->sample_formats))))
        return ERROR_NOMEM;
    for_each_element(rates, put_rate, params);
    for_each_element(formats, put_format, params);
    params->channels_min = read_number(tree, at, "channels-min");
    params->channels_max = read_number(tree, at, "channels-max");
    params->buffer_size = read_number(tree, at, "buffer-size");
    return 0;
}

static int read_stream(libxl_vsnd_stream *stream, const libxl__xs_tree *tree, const char *at)
{
    const char *type = libxl__xs_tree_value(tree, "%stype", at);
    libxl_vsnd_stream_init(stream);
    if (type && (strcmp(type, "c") == 0 || strcmp(type, "p") == 0))
        stream->type = *type == 'c' ? LIBXL_VSND_STREAM_TYPE_C : LIBXL_VSND_STREAM_TYPE_P;
    const int rc = libxl__device_keep_text(&stream->unique_id, libxl__xs_tree_value(tree, "%sunique-id", at));
    return rc ? rc : read_params(&stream->params, tree, at);
}

/* Returns the number of directories "AT0", "AT1", ... that exist one after the other. */
static int count(const libxl__xs_tree *tree, const char *at)
{
    int found = 0;
    while (found < MOST && libxl__xs_tree_has(tree, "%s%d", at, found))
        found++;
    return found;
}

static int read_pcm(libxl_vsnd_pcm *pcm, const libxl__xs_tree *tree, const char *at)
{
    char below[32];
    libxl_vsnd_pcm_init(pcm);
    int rc = libxl__device_keep_text(&pcm->name, libxl__xs_tree_value(tree, "%sname", at));
    if (!rc)
        rc = read_params(&pcm->params, tree, at);
    const int streams = rc ? 0 : count(tree, at);
    if (streams && !(pcm->streams = calloc((size_t)streams, sizeof(*pcm->streams))))
        return ERROR_NOMEM;
    for (int i = 0; i < streams && !rc; i++) {
        snprintf(below, sizeof(below), "%s%d/", at, i);
        pcm->num_vsnd_streams++;
        rc = read_stream(&pcm->streams[i], tree, below);
    }
    return rc;
}

static int read_tree(void *config, const libxl__xs_tree *tree)
{
    libxl_device_vsnd *vsnd = config;
    char at[16];
    int rc = libxl__device_keep_text(&vsnd->short_name, libxl__xs_tree_value(tree, "short-name"));
    if (!rc)
        rc = libxl__device_keep_text(&vsnd->long_name, libxl__xs_tree_value(tree, "long-name"));
    if (!rc)
        rc = read_params(&vsnd->params, tree, "");
    const int pcms = rc ? 0 : count(tree, "");
    if (pcms && !(vsnd->pcms = calloc((size_t)pcms, sizeof(*vsnd->pcms))))
        return ERROR_NOMEM;
    for (int i = 0; i < pcms && !rc; i++) {
        snprintf(at, sizeof(at), "%d/", i);
        vsnd->num_vsnd_pcms++;
        rc = read_pcm(&vsnd->pcms[i], tree, at);
    }
    return rc;
}

LIBXL__DEVICE_CONFIG(vsnd)
const libxl__device_class libxl__class_vsnd = {
    LIBXL__DEVICE_ROW(vsnd, vsnds, "vsnd"),
    .waits_for_backend = true,
    .closes_without_frontend = true,
    .check = check,
    .write = write_nodes,
    .tree_depth = 2,
    .read_tree = read_tree,
};
