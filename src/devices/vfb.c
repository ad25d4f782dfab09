/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class vfb: a paravirtual framebuffer. A QEMU shows it by VNC or in a window. QEMU gets the settings by
 * its command line (qemu_arguments.c). The nodes are for other programs that need to find a domain's screen.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static libxl_device_vfb *vfb_of(const libxl__device *device)
{
    return device->config;
}

static int check(libxl__ao *ao, libxl__device *device)
{
    libxl_device_vfb *vfb = vfb_of(device);
    libxl_defbool_setdefault(&vfb->vnc.enable, true);
    libxl_defbool_setdefault(&vfb->vnc.findunused, true);
    libxl_defbool_setdefault(&vfb->sdl.enable, false);
    libxl_defbool_setdefault(&vfb->sdl.opengl, false);
    if (vfb->vnc.display < 0 || vfb->vnc.display > UINT16_MAX - 5900)
        return libxl__ao_fail(ao, ERROR_INVAL, "vnc.display: %d is not the number of a display",
                              vfb->vnc.display);
    device->devid = (uint32_t)vfb->devid;
    strcpy(device->backend_kind, "vfb");
    return 0;
}

static void write_vnc(const libxl__device_nodes *nodes, const libxl_vnc_info *vnc)
{
    libxl__backend_key(nodes, "vnclisten", "%s", vnc->listen ? vnc->listen : "127.0.0.1");
    if (vnc->passwd)
        libxl__backend_key(nodes, "vncpasswd", "%s", vnc->passwd);
    libxl__backend_key(nodes, "vncdisplay", "%d", vnc->display);
    libxl__backend_key(nodes, "vncunused", "%d", libxl_defbool_val(vnc->findunused));
}

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl_device_vfb *vfb = vfb_of(nodes->device);
    libxl__backend_key(nodes, "vnc", "%d", libxl_defbool_val(vfb->vnc.enable));
    if (libxl_defbool_val(vfb->vnc.enable))
        write_vnc(nodes, &vfb->vnc);
    libxl__backend_key(nodes, "sdl", "%d", libxl_defbool_val(vfb->sdl.enable));
    libxl__backend_key(nodes, "opengl", "%d", libxl_defbool_val(vfb->sdl.opengl));
    if (vfb->sdl.xauthority)
        libxl__backend_key(nodes, "xauthority", "%s", vfb->sdl.xauthority);
    if (vfb->sdl.display)
        libxl__backend_key(nodes, "display", "%s", vfb->sdl.display);
}

enum { VNC, LISTEN, PASSWD, DISPLAY, UNUSED, SDL, OPENGL, XAUTHORITY, X_DISPLAY };
static const char *const read_keys[] = {"vnc", "vnclisten", "vncpasswd",  "vncdisplay", "vncunused",
                                        "sdl", "opengl",    "xauthority", "display",    NULL};

/*
 * Reads the configuration from the nodes. The field `keymap` has its initial value, because no node has it.
 */
static int read_config(const libxl__device *device, void *config, const char *const values[])
{
    libxl_device_vfb *vfb = config;
    (void)device;
    libxl__device_keep_flag(&vfb->vnc.enable, values[VNC]);
    libxl__device_keep_flag(&vfb->vnc.findunused, values[UNUSED]);
    libxl__device_keep_flag(&vfb->sdl.enable, values[SDL]);
    libxl__device_keep_flag(&vfb->sdl.opengl, values[OPENGL]);
    if (values[DISPLAY])
        vfb->vnc.display = (int)strtol(values[DISPLAY], NULL, 10);
    const struct {
        char **to;
        const char *text;
    } texts[] = {{&vfb->vnc.listen, values[LISTEN]},
                 {&vfb->vnc.passwd, values[PASSWD]},
                 {&vfb->sdl.xauthority, values[XAUTHORITY]},
                 {&vfb->sdl.display, values[X_DISPLAY]}};
    int rc = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts) && !rc; i++)
        rc = libxl__device_keep_text(texts[i].to, texts[i].text);
    return rc;
}

LIBXL__DEVICE_CONFIG(vfb)
const libxl__device_class libxl__class_vfb = {
    LIBXL__DEVICE_ROW(vfb, vfbs, "vfb"),
    .waits_for_backend = true,
    .closes_without_frontend = true,
    .check = check,
    .write = write_nodes,
    .read_keys = read_keys,
    .read = read_config,
};
