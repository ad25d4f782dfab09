/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Framebuffers of PV domains, and the keyboard that comes with each. Owns nothing; takes no lock. */
#include "config.h"

#include "devices.h"

#define VFB(n, k, f) LIBXL__XL_ROW(n, k, libxl_device_vfb, f)

/* The same names are keys, for the framebuffer of a PV domain whose file has no vfb. */
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

/* Adds a framebuffer and a keyboard. NULL: an error was recorded. */
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
