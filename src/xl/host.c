/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the settings for domains in xl.conf(5). Owns nothing; takes no lock. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

#define HOST(n, k, f) LIBXL__XL_ROW(n, k, libxl_xl_host, f)
#define OF_XL(n)      .name = (n), .kind = LIBXL__XL_NOTHING
#define CPUMASK       .note = "has no effect here"

/*
 * The table of the keys. Deprecated names come first, so that the values of the present names replace the values of
 * the deprecated names.
 */
static const libxl__xl_field keys[] = {
    {HOST("vifscript", TEXT, vif_script), .note = "this name is deprecated; use vif.default.script"},
    {HOST("defaultbridge", TEXT, vif_bridge), .note = "this name is deprecated; use vif.default.bridge"},
    {HOST("vif.default.script", TEXT, vif_script)},
    {HOST("vif.default.bridge", TEXT, vif_bridge)},
    {HOST("vif.default.gatewaydev", TEXT, vif_gatewaydev)},
    {HOST("vif.default.backend", TEXT, vif_backend)},
    {HOST("run_hotplug_scripts", DEFBOOL, run_hotplug_scripts)},
    {HOST("claim_mode", DEFBOOL, claim_mode)},
    {HOST("blkdev_start", TEXT, blkdev_start)},
    {HOST("max_grant_frames", INTEGER, max_grant_frames)},
    {HOST("max_maptrack_frames", INTEGER, max_maptrack_frames)},
    {HOST("max_grant_version", INTEGER, max_grant_version)},
    /* The following keys concern xl itself. The reader accepts them, and they have no effect. */
    {OF_XL("autoballoon")},
    {OF_XL("domid_policy")},
    {OF_XL("lockfile")},
    {OF_XL("output_format")},
    {OF_XL("remus.default.netbufscript")},
    {OF_XL("colo.default.proxyscript")},
    {OF_XL("vm.cpumask"), CPUMASK},
    {OF_XL("vm.hvm.cpumask"), CPUMASK},
    {OF_XL("vm.pv.cpumask"), CPUMASK},
    {.name = NULL},
};

int libxl_xl_host_from_conf(libxl_xl_host *host, const char *text, size_t length, const char *file,
                            unsigned flags, libxl_xl_messages *messages)
{
    libxl__xl x = {.lenient = flags & LIBXL_XL_LENIENT};
    const libxl__xl_source source = {.file = file ? file : "<text>", .text = text, .length = length};
    libxl__xl_settings settings = {0};
    libxl_xl_host_init(host);
    if (flags & ~LIBXL_XL_LENIENT)
        libxl__xl_error(&x, (libxl__xl_place){0}, "flags: %#x is not known", flags);
    else if (length > LIBXL_XL_MAX_SIZE)
        libxl__xl_error(&x, ((libxl__xl_place){.source = &source}), "the text is longer than %d octets",
                        LIBXL_XL_MAX_SIZE);
    else
        libxl__xl_parse(&x, &source, 1, &settings);
    for (const libxl__xl_field *field = keys; !x.rc && field->name; field++) {
        const libxl__xl_setting *setting = libxl__xl_find(&settings, field->name);
        const libxl__xl_text value = setting ? libxl__xl_whole(setting->value) : (libxl__xl_text){0};
        if (setting)
            libxl__xl_put(&x, host, field, &value);
    }
    libxl__xl_refuse_unknown(&x, &settings, keys);
    const int rc = libxl__xl_end(&x, messages);
    if (rc) {
        libxl_xl_host_dispose(host);
        libxl_xl_host_init(host);
    }
    return rc;
}
