/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the command line of the QEMU of a PV or PVH domain. It is the command line that Debian's xl makes,
 * with one difference: commas in names and paths are doubled, because QEMU splits its arguments at commas.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"
#include "qemu.h"

#include <stdarg.h>
#include <string.h>

typedef struct list {
    libxl__gc *gc;
    const char **arguments;
    unsigned count;
    bool failed; /* there is no memory, or there are too many arguments */
} list;

static void add(list *l, const char *argument)
{
    if (!argument || l->count == LIBXL__QEMU_ARGUMENTS - 1)
        l->failed = true;
    else
        l->arguments[l->count++] = argument;
}

__attribute__((format(printf, 3, 4))) static void add_pair(list *l, const char *option, const char *format,
                                                           ...)
{
    va_list args;
    va_start(args, format);
    add(l, option);
    add(l, libxl__gc_vprintf(l->gc, format, args));
    va_end(args);
}

/* Returns a copy of a text with doubled commas. */
static const char *quoted(list *l, const char *text)
{
    char *copy = libxl__gc_alloc(l->gc, 2 * strlen(text) + 1), *at = copy;
    if (!copy) {
        l->failed = true;
        return "";
    }
    for (; *text; text++) {
        *at++ = *text;
        if (*text == ',')
            *at++ = ',';
    }
    return copy;
}

static void add_monitor(list *l, const char *id, const char *name, uint32_t domid)
{
    add_pair(l, "-chardev", "socket,id=%s,path=/var/run/xen/%s-%u,server=on,wait=off", id, name, domid);
    add_pair(l, "-mon", "chardev=%s,mode=control", id);
}

static void add_channel(list *l, const libxl_device_channel *channel)
{
    if (channel->connection == LIBXL_CHANNEL_CONNECTION_SOCKET)
        add_pair(l, "-chardev", "socket,id=libxl-channel%d,path=%s,server=on,wait=off", channel->devid,
                 quoted(l, channel->u.socket.path));
    else
        add_pair(l, "-chardev", "pty,id=libxl-channel%d", channel->devid);
}

static void add_vnc(list *l, const libxl_vnc_info *vnc)
{
    const char *listen = vnc->listen ? vnc->listen : "127.0.0.1";
    const bool searches = libxl_defbool_is_default(vnc->findunused) || libxl_defbool_val(vnc->findunused);
    const char *display = strrchr(listen, ':') ? "" : libxl__gc_printf(l->gc, ":%d", vnc->display);
    if (!display) {
        l->failed = true;
        return;
    }
    add_pair(l, "-vnc", "%s%s%s%s", listen, display, vnc->passwd && *vnc->passwd ? ",password=on" : "",
             searches ? ",to=99" : "");
}

static bool is_set(libxl_defbool value)
{
    return !libxl_defbool_is_default(value) && libxl_defbool_val(value);
}

static void add_screen(list *l, const libxl_device_vfb *vfb)
{
    const bool vnc = vfb && (libxl_defbool_is_default(vfb->vnc.enable) || libxl_defbool_val(vfb->vnc.enable));
    if (vnc)
        add_vnc(l, &vfb->vnc);
    else
        add_pair(l, "-vnc", "none");
    add_pair(l, "-display", "none");
    if (!vfb) {
        add(l, "-nographic");
        return;
    }
    if (is_set(vfb->sdl.enable))
        add_pair(l, "-display", "sdl%s", is_set(vfb->sdl.opengl) ? ",gl=on" : "");
    if (vfb->keymap)
        add_pair(l, "-k", "%s", quoted(l, vfb->keymap));
}

const char *const *libxl__qemu_arguments(libxl__ao *ao, uint32_t domid, const char *name,
                                         unsigned long megabytes, const libxl_domain_config *config)
{
    list l = {.gc = &ao->gc, .arguments = libxl__gc_alloc(&ao->gc, LIBXL__QEMU_ARGUMENTS * sizeof(char *))};
    if (!l.arguments)
        return NULL;
    add(&l, LIBXL__QEMU_PROGRAM);
    add_pair(&l, "-xen-domid", "%u", domid);
    add(&l, "-no-shutdown");
    add_monitor(&l, "libxl-cmd", "qmp-libxl", domid);
    add_monitor(&l, "libxenstat-cmd", "qmp-libxenstat", domid);
    for (int i = 0; config && i < config->num_channels; i++)
        add_channel(&l, &config->channels[i]);
    add(&l, "-nodefaults");
    add(&l, "-no-user-config");
    add(&l, "-xen-attach");
    add_pair(&l, "-name", "%s", quoted(&l, name));
    add_screen(&l, config && config->num_vfbs ? &config->vfbs[0] : NULL);
    add_pair(&l, "-machine", "xenpv");
    add_pair(&l, "-m", "%lu", megabytes);
    return l.failed ? NULL : l.arguments;
}

bool libxl__qemu_is_needed(const libxl_domain_config *config)
{
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
