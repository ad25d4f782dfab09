/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the command line of a domain's QEMU. It is the command line that Debian's xl makes, with two
 * differences. Commas in names and paths are doubled, because QEMU splits its arguments at commas. The QEMU of
 * an HVM domain always gets its monitor's socket as a descriptor, and is started with -S; xl does this only
 * with dm_restrict.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "qemu_words.h"

#include <stdarg.h>
#include <string.h>

#include "hvm_settings.h"

void libxl__qemu_word(libxl__qemu_words *w, const char *word)
{
    if (!word || w->count == LIBXL__QEMU_ARGUMENTS - 1)
        w->failed = true;
    else
        w->words[w->count++] = word;
}

void libxl__qemu_pair(libxl__qemu_words *w, const char *option, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    libxl__qemu_word(w, option);
    libxl__qemu_word(w, libxl__gc_vprintf(w->gc, format, args));
    va_end(args);
}

const char *libxl__qemu_quoted(libxl__qemu_words *w, const char *text)
{
    char *copy = libxl__gc_alloc(w->gc, 2 * strlen(text) + 1), *at = copy;
    if (!copy) {
        w->failed = true;
        return "";
    }
    for (; *text; text++) {
        *at++ = *text;
        if (*text == ',')
            *at++ = ',';
    }
    return copy;
}

/* `descriptor` true: QEMU inherits the listening socket of its monitor. `descriptor` false: QEMU makes the socket. */
static void add_monitor(libxl__qemu_words *w, const char *id, const char *name, uint32_t domid,
                        bool descriptor)
{
    if (descriptor) {
        libxl__qemu_pair(w, "-chardev", "socket,id=%s,fd=%d,server=on,wait=off", id, LIBXL__QEMU_LISTENER);
        libxl__qemu_word(w, "-S");
    } else {
        libxl__qemu_pair(w, "-chardev", "socket,id=%s,path=/var/run/xen/%s-%u,server=on,wait=off", id, name,
                         domid);
    }
    libxl__qemu_pair(w, "-mon", "chardev=%s,mode=control", id);
}

static void add_channel(libxl__qemu_words *w, const libxl_device_channel *channel)
{
    if (channel->connection == LIBXL_CHANNEL_CONNECTION_SOCKET)
        libxl__qemu_pair(w, "-chardev", "socket,id=libxl-channel%d,path=%s,server=on,wait=off",
                         channel->devid, libxl__qemu_quoted(w, channel->u.socket.path));
    else
        libxl__qemu_pair(w, "-chardev", "pty,id=libxl-channel%d", channel->devid);
}

static void add_vnc(libxl__qemu_words *w, const libxl_vnc_info *vnc)
{
    const char *listen = vnc->listen ? vnc->listen : "127.0.0.1";
    const bool local = strncmp(listen, "unix:", strlen("unix:")) == 0;
    const bool searches = !local && libxl__is(vnc->findunused, true);
    const char *display = local || strrchr(listen, ':') ? "" : libxl__gc_printf(w->gc, ":%d", vnc->display);
    if (!display) {
        w->failed = true;
        return;
    }
    libxl__qemu_pair(w, "-vnc", "%s%s%s%s", libxl__qemu_quoted(w, listen), display,
                     vnc->passwd && *vnc->passwd ? ",password=on" : "", searches ? ",to=99" : "");
}

bool libxl__qemu_has_vnc(const libxl_vnc_info *vnc)
{
    return libxl__is(vnc->enable, true);
}

void libxl__qemu_screen(libxl__qemu_words *w, const libxl_vnc_info *vnc, const libxl_sdl_info *sdl,
                        const char *keymap)
{
    if (vnc && libxl__qemu_has_vnc(vnc))
        add_vnc(w, vnc);
    else
        libxl__qemu_pair(w, "-vnc", "none");
    libxl__qemu_pair(w, "-display", "none");
    if (sdl && libxl__is(sdl->enable, false))
        libxl__qemu_pair(w, "-display", "sdl%s", libxl__is(sdl->opengl, false) ? ",gl=on" : "");
    if (keymap)
        libxl__qemu_pair(w, "-k", "%s", libxl__qemu_quoted(w, keymap));
}

/* Adds the words for the QEMU that serves devices of a PV or PVH domain. */
static void add_server(libxl__qemu_words *w, const char *name, unsigned long megabytes,
                       const libxl_domain_config *config)
{
    const libxl_device_vfb *vfb = config && config->num_vfbs ? &config->vfbs[0] : NULL;
    libxl__qemu_word(w, "-nodefaults");
    libxl__qemu_word(w, "-no-user-config");
    libxl__qemu_word(w, "-xen-attach");
    libxl__qemu_pair(w, "-name", "%s", libxl__qemu_quoted(w, name));
    libxl__qemu_screen(w, vfb ? &vfb->vnc : NULL, vfb ? &vfb->sdl : NULL, vfb ? vfb->keymap : NULL);
    if (!vfb)
        libxl__qemu_word(w, "-nographic");
    libxl__qemu_pair(w, "-machine", "xenpv");
    libxl__qemu_pair(w, "-m", "%lu", megabytes);
}

const char *const *libxl__qemu_arguments(libxl__ao *ao, uint32_t domid, const char *name,
                                         unsigned long megabytes, const libxl_domain_config *config,
                                         bool restores)
{
    libxl__qemu_words w = {.gc = &ao->gc,
                           .words = libxl__gc_alloc(&ao->gc, LIBXL__QEMU_ARGUMENTS * sizeof(char *))};
    const bool hvm = config && config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    if (!w.words)
        return NULL;
    libxl__qemu_word(&w, libxl__qemu_program(config));
    libxl__qemu_pair(&w, "-xen-domid", "%u", domid);
    libxl__qemu_word(&w, "-no-shutdown");
    add_monitor(&w, "libxl-cmd", "qmp-libxl", domid, hvm);
    add_monitor(&w, "libxenstat-cmd", "qmp-libxenstat", domid, false);
    for (int i = 0; config && i < config->num_channels; i++)
        add_channel(&w, &config->channels[i]);
    if (hvm)
        libxl__qemu_hvm_words(&w, domid, name, megabytes, config, restores);
    else
        add_server(&w, name, megabytes, config);
    return w.failed ? NULL : w.words;
}

const char *const *libxl__qemu_backend_arguments(libxl__ao *ao, uint32_t domid)
{
    libxl__qemu_words w = {.gc = &ao->gc,
                           .words = libxl__gc_alloc(&ao->gc, LIBXL__QEMU_ARGUMENTS * sizeof(char *))};
    if (!w.words)
        return NULL;
    libxl__qemu_word(&w, libxl__qemu_program(NULL));
    libxl__qemu_pair(&w, "-xen-domid", "%u", domid);
    libxl__qemu_word(&w, "-xen-attach");
    libxl__qemu_pair(&w, "-name", "domain-%u", domid);
    libxl__qemu_word(&w, "-no-shutdown");
    libxl__qemu_word(&w, "-nodefaults");
    libxl__qemu_word(&w, "-no-user-config");
    libxl__qemu_word(&w, "-nographic");
    libxl__qemu_pair(&w, "-machine", "xenpv");
    libxl__qemu_pair(&w, "-monitor", "none");
    libxl__qemu_pair(&w, "-serial", "none");
    libxl__qemu_pair(&w, "-parallel", "none");
    return w.failed ? NULL : w.words;
}

const char *libxl__qemu_program(const libxl_domain_config *config)
{
    return config && config->b_info.device_model ? config->b_info.device_model : LIBXL__QEMU_PROGRAM;
}

bool libxl__qemu_is_needed(const libxl_domain_config *config)
{
    if (config->c_info.type == LIBXL_DOMAIN_TYPE_HVM)
        return true;
    for (int i = 0; i < config->num_disks; i++)
        if (!config->disks[i].backend_domid && !config->disks[i].backend_domname &&
            (config->disks[i].backend == LIBXL_DISK_BACKEND_QDISK ||
             (config->disks[i].format > LIBXL_DISK_FORMAT_UNKNOWN &&
              config->disks[i].format != LIBXL_DISK_FORMAT_RAW)))
            return true;
    for (int i = 0; i < config->num_vkbs; i++)
        if (config->vkbs[i].backend_type != LIBXL_VKB_BACKEND_LINUX)
            return true;
    return config->num_vfbs || config->num_p9s || config->num_channels;
}
