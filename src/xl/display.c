/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the framebuffers of PV domains, and makes a keyboard for each framebuffer. Owns nothing; takes no
 * lock.
 */
#include "config.h"

#include "devices.h"

#include <stdlib.h>
#include <string.h>

#define VFB(n, k, f) LIBXL__XL_ROW(n, k, libxl_device_vfb, f)

/*
 * The table of the parameters of a framebuffer's specification. Each is also a key of the file. In the file
 * of a PV domain without the key vfb, these keys set up the framebuffer.
 */
static const libxl__xl_field parameters[] = {
    {VFB("vnc", DEFBOOL, vnc.enable)},
    {VFB("vnclisten", TEXT, vnc.listen)},
    {VFB("vncpasswd", TEXT, vnc.passwd)},
    {VFB("vncdisplay", INTEGER, vnc.display)},
    {VFB("vncunused", DEFBOOL, vnc.findunused)},
    {VFB("keymap", TEXT, keymap)},
    {VFB("sdl", DEFBOOL, sdl.enable)},
    {VFB("opengl", DEFBOOL, sdl.opengl)},
    {VFB("display", TEXT, sdl.display)},
    {VFB("xauthority", TEXT, sdl.xauthority)},
    {.name = NULL},
};
static const libxl__xl_style style = {.skipped = " "};

/* Adds a framebuffer and a keyboard, and returns the framebuffer. Returns NULL if an error was recorded. */
static libxl_device_vfb *add(libxl__xl *x, libxl_domain_config *config, libxl__xl_place place)
{
    libxl_device_vfb *vfb =
        libxl__xl_append(x, place, &config->vfbs, &config->num_vfbs, sizeof(*config->vfbs));
    if (!vfb)
        return NULL;
    libxl_device_vfb_init(vfb);
    vfb->devid = config->num_vfbs - 1;
    libxl_device_vkb *vkb =
        libxl__xl_append(x, place, &config->vkbs, &config->num_vkbs, sizeof(*config->vkbs));
    if (!vkb)
        return NULL;
    libxl_device_vkb_init(vkb);
    vkb->devid = config->num_vkbs - 1;
    return vfb;
}

void libxl__xl_vfbs(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl__xl_text item;
    if (!libxl__xl_is_list(x, field->name, text))
        return;
    const libxl__xl_value *next = text->value->items;
    while (libxl__xl_item(x, field->name, &next, &item)) {
        libxl_device_vfb *vfb = add(x, object, libxl__xl_place_in(&item, 0));
        if (!vfb)
            return;
        libxl__xl_params(x, vfb, "vfb", &item, &style, parameters, LIBXL__XL_DOUBT);
    }
}

void libxl__xl_write_vfbs(FILE *out, const void *object, const void *unused, const libxl__xl_field *field)
{
    const libxl_domain_config *config = object;
    libxl_device_vfb base;
    (void)unused;
    libxl_device_vfb_init(&base);
    libxl__xl_begin_list(out, field->name, config->num_vfbs);
    for (int i = 0; i < config->num_vfbs; i++) {
        libxl__xl_write_params(out, &config->vfbs[i], &base, parameters, NULL);
        libxl__xl_next_item(out, i, config->num_vfbs);
    }
}

void libxl__xl_read_vnc_of_pv(libxl__xl *x, libxl_domain_config *config)
{
    const libxl__xl_setting *vnc = libxl__xl_find(x->settings, "vnc");
    int64_t on;
    if (!vnc || config->num_vfbs)
        return;
    if (vnc->value->form == LIBXL__XL_LIST || !libxl__xl_number(vnc->value->text, &on)) {
        libxl__xl_doubt(x, libxl__xl_inside(vnc->value, 0), "vnc: a number is expected");
        return;
    }
    libxl_device_vfb *vfb = on ? add(x, config, vnc->place) : NULL;
    for (const libxl__xl_field *row = parameters; vfb && row->name; row++) {
        const libxl__xl_setting *setting = libxl__xl_find(x->settings, row->name);
        const libxl__xl_text text = setting ? libxl__xl_whole(setting->value) : (libxl__xl_text){0};
        if (setting)
            libxl__xl_put(x, vfb, row, &text);
    }
}

/* ---- virtual displays */

/* Reads ID:WIDTHxHEIGHT. Returns true, or false if the text has another form. */
static bool read_connector(libxl__xl *x, libxl_connector_param *connector, const char *text)
{
    const char *colon = strchr(text, ':');
    char *end;
    if (!colon || colon == text || colon[1] < '0' || colon[1] > '9')
        return false;
    const unsigned long width = strtoul(colon + 1, &end, 10);
    if (*end != 'x' || end[1] < '0' || end[1] > '9')
        return false;
    const unsigned long height = strtoul(end + 1, &end, 10);
    if (*end || width > INT32_MAX || height > INT32_MAX)
        return false;
    connector->width = (uint32_t)width;
    connector->height = (uint32_t)height;
    const char *id = libxl__xl_copy(x, text, (size_t)(colon - text));
    if (id)
        libxl__xl_put_string(x, &connector->unique_id, id);
    return true;
}

static void read_connectors(libxl__xl *x, void *object, const libxl__xl_field *field,
                            const libxl__xl_text *text)
{
    libxl_device_vdispl *vdispl = object;
    for (size_t at = 0; text->text[at];) {
        const size_t length = strcspn(text->text + at, ";");
        const char *part = libxl__xl_copy(x, text->text + at, length);
        const libxl__xl_place place = libxl__xl_place_in(text, at);
        libxl_connector_param *connector =
            length
                ? libxl__xl_append(x, place, &vdispl->connectors, &vdispl->num_connectors, sizeof(*connector))
                : NULL;
        if (connector && part && !read_connector(x, connector, part))
            libxl__xl_error(x, place, "vdispl: %s: ID:WIDTHxHEIGHT is expected, not '%.40s'", field->name,
                            part);
        at += length + !!text->text[at + length];
    }
}

static void write_connectors(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const libxl_device_vdispl *vdispl = object;
    (void)base;
    (void)field;
    for (int i = 0; i < vdispl->num_connectors; i++) {
        const libxl_connector_param *c = &vdispl->connectors[i];
        libxl__xl_write_escaped(out, c->unique_id ? c->unique_id : "");
        fprintf(out, ":%ux%u%s", c->width, c->height, i + 1 < vdispl->num_connectors ? ";" : "");
    }
}

static const libxl__xl_field vdispl_parameters[] = {
    {LIBXL__XL_ROW("backend", TEXT, libxl_device_vdispl, backend_domname)},
    {LIBXL__XL_ROW("be-alloc", BOOL, libxl_device_vdispl, be_alloc)},
    {LIBXL__XL_ROW("connectors", SPECIAL, libxl_device_vdispl, connectors), .read = read_connectors,
     .write = write_connectors},
    {.name = NULL},
};

void libxl__xl_read_vdispl(libxl__xl *x, libxl_device_vdispl *vdispl, const libxl__xl_text *spec)
{
    libxl__xl_params(x, vdispl, "vdispl", spec, &style, vdispl_parameters, LIBXL__XL_ERROR);
    if (!vdispl->num_connectors)
        libxl__xl_error(x, libxl__xl_place_in(spec, 0), "vdispl: connectors is missing");
}

void libxl__xl_write_vdispl(FILE *out, const libxl_device_vdispl *vdispl, const libxl_device_vdispl *base)
{
    libxl__xl_write_params(out, vdispl, base, vdispl_parameters, NULL);
}
