/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_domain_config_from_xl: reads a text into a configuration. Owns nothing after a call; takes no lock.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "log.h"

enum { MOST_KEYS = 256 };

/* Reads the keys of the text that are in the table, in the table's order. */
static void read_keys(libxl__xl *x, libxl_domain_config *config, const libxl__xl_settings *settings)
{
    for (const libxl__xl_field *field = libxl__xl_keys; field->name; field++) {
        const libxl__xl_setting *setting = libxl__xl_find(settings, field->name);
        if (!setting)
            continue;
        const libxl__xl_text text = libxl__xl_whole(setting->value);
        const bool here = !field->types || field->types & 1u << config->c_info.type;
        if (!here && field->of_vfb && config->c_info.type == LIBXL_DOMAIN_TYPE_PV)
            continue;
        if (!here)
            libxl__xl_warn(x, setting->place, "%s: has no effect for a %s domain", field->name,
                           libxl_domain_type_to_string(config->c_info.type));
        else
            libxl__xl_put(x, config, field, &text);
    }
}

void libxl__xl_refuse_unknown(libxl__xl *x, const libxl__xl_settings *settings, const libxl__xl_field *table)
{
    const char *names[MOST_KEYS];
    size_t n = 0;
    for (const libxl__xl_field *field = table; field->name && n + 1 < MOST_KEYS; field++)
        names[n++] = field->name;
    names[n] = NULL;
    for (size_t i = 0; i < settings->count && !libxl__xl_is_full(x, LIBXL__XL_DOUBT); i++) {
        const libxl__xl_setting *setting = &settings->settings[i];
        const char *nearest = setting->known ? NULL : libxl__xl_nearest(setting->key, names);
        if (nearest)
            libxl__xl_doubt(x, setting->place, "unknown key '%.40s'; is '%s' meant?", setting->key, nearest);
        else if (!setting->known)
            libxl__xl_doubt(x, setting->place, "unknown key '%.40s'", setting->key);
    }
}

/* Makes a source of each text. Returns the number of sources, or 0 if an error was recorded. */
static size_t open_sources(libxl__xl *x, const char *text, size_t length, const char *file,
                           const char *const *statements, libxl__xl_source **out)
{
    size_t count = 1, size = length;
    while (statements && statements[count - 1])
        size += strlen(statements[count++ - 1]);
    libxl__xl_source *sources = libxl__xl_alloc(x, count * sizeof(*sources));
    if (!sources)
        return 0;
    sources[0] = (libxl__xl_source){.file = file ? file : "<text>", .text = text, .length = length};
    for (size_t i = 1; i < count; i++) {
        const char *name = libxl__gc_printf(&x->gc, "statement %zu", i);
        if (!name)
            libxl__xl_no_memory(x);
        sources[i] =
            (libxl__xl_source){name ? name : "", statements[i - 1], strlen(statements[i - 1]), (unsigned)i};
    }
    *out = sources;
    if (size <= LIBXL_XL_MAX_SIZE)
        return count;
    libxl__xl_error(x, ((libxl__xl_place){.source = sources}), "the text is longer than %d octets",
                    LIBXL_XL_MAX_SIZE);
    return 0;
}

void libxl__xl_start(libxl_domain_config *config)
{
    libxl_domain_config_init(config);
    config->on_reboot = LIBXL_ACTION_ON_SHUTDOWN_RESTART;
    config->on_soft_reset = LIBXL_ACTION_ON_SHUTDOWN_SOFT_RESET;
}

int libxl_domain_config_from_xl(libxl_domain_config *config, const char *text, size_t length,
                                const char *file, const char *const *statements, const libxl_xl_host *host,
                                unsigned flags, libxl_xl_messages *messages)
{
    libxl__xl x = {.lenient = flags & LIBXL_XL_LENIENT, .host = host};
    libxl__xl_settings settings = {0};
    libxl__xl_source *sources;
    libxl__xl_start(config);
    if (flags & ~LIBXL_XL_LENIENT) {
        if (messages)
            libxl_xl_messages_init(messages);
        libxl_domain_config_init(config);
        return libxl__refuse(ERROR_INVAL, "flags: %#x is not known", flags);
    }
    const size_t count = open_sources(&x, text, length, file, statements, &sources);
    x.settings = &settings;
    if (count)
        libxl__xl_parse(&x, sources, count, &settings);
    if (count && !x.rc && libxl__xl_read_type(&x, config, &settings)) {
        read_keys(&x, config, &settings);
        libxl__xl_finish(&x, config, &settings);
        libxl__xl_refuse_unknown(&x, &settings, libxl__xl_keys);
    }
    const int rc = libxl__xl_end(&x, messages);
    if (rc) {
        libxl_domain_config_dispose(config);
        libxl_domain_config_init(config);
    }
    return rc;
}
