/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks the settings of a configuration that only HVM domains can have. Each message begins with the path of the
 * field.
 *
 * Owns: nothing. The caller holds the context's lock.
 */
#include "create.h"
#include "hvm_settings.h"
#include "qemu.h"

#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

enum {
    /* The least address space below 4 GiB that hvmloader gets for the devices; libxl has the same limit. */
    LEAST_HOLE_KB = 256 << 10,
    MOST_HOLE_KB = 3584 << 10,
};

static bool is_set(libxl_defbool setting)
{
    return !libxl_defbool_is_default(setting);
}

static bool is_true(libxl_defbool setting)
{
    return libxl__is(setting, false);
}

/* Returns the name of a field that only HVM domains can have and that is set, or NULL. */
static const char *only_hvm(const libxl_domain_build_info *info)
{
    const struct {
        const char *name;
        bool set;
    } fields[] = {
        {"device_model_version", info->device_model_version != LIBXL_DEVICE_MODEL_VERSION_UNKNOWN},
        {"device_model", info->device_model},
        {"device_model_user", info->device_model_user},
        {"extra", info->extra},
        {"extra_hvm", info->extra_hvm},
        {"acpi", is_set(info->acpi)},
        {"timer_mode", info->timer_mode != LIBXL_TIMER_MODE_UNKNOWN},
        {"nested_hvm", is_set(info->nested_hvm)},
        {"apic", is_set(info->apic)},
        {"dm_restrict", is_set(info->dm_restrict)},
        {"altp2m", info->altp2m != LIBXL_ALTP2M_MODE_DISABLED},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
        if (fields[i].set)
            return fields[i].name;
    return NULL;
}

/* Returns the name of a field with a value that is not implemented, and the reason, or NULL. */
static const char *not_implemented(const libxl_domain_config *config)
{
    const libxl_domain_build_info *info = &config->b_info;
    const libxl_vga_interface_type vga = libxl__hvm_vga(info);
    if (info->device_model_version != LIBXL_DEVICE_MODEL_VERSION_UNKNOWN &&
        info->device_model_version != LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN)
        return "b_info.device_model_version: only qemu_xen is implemented";
    if (libxl__hvm_bios(info) == LIBXL_BIOS_TYPE_ROMBIOS)
        return "b_info.type.hvm.bios: rombios is not implemented; seabios and ovmf are";
    if (!libxl__is(info->u.hvm.nx, true))
        return "b_info.type.hvm.nx: not implemented; use b_info.cpuid";
    if (vga == LIBXL_VGA_INTERFACE_TYPE_QXL)
        return "b_info.type.hvm.vga.kind: qxl is not implemented; std, cirrus and none are";
    if (is_true(info->u.hvm.gfx_passthru))
        return "b_info.type.hvm.gfx_passthru: not implemented";
    if (config->num_vfbs)
        return "vfbs: an HVM domain has a graphics card, b_info.type.hvm.vga";
    if (config->num_channels)
        return "channels: not implemented for HVM";
    if (info->bootloader)
        return "b_info.bootloader: an HVM domain has firmware";
    return NULL;
}

/* Returns the maximum memory of the domain, in KiB. 0: it is not given. */
static uint64_t most_kb(const libxl_domain_build_info *info)
{
    const bool has_max = info->max_memkb && info->max_memkb != LIBXL_MEMKB_DEFAULT;
    return has_max ? info->max_memkb : info->target_memkb;
}

/* Returns the name of a field with an invalid value, and the reason, or NULL. */
static const char *invalid(const libxl_domain_build_info *info)
{
    const uint64_t hole = libxl__hvm_hole_kb(info), groups = libxl__hvm_viridian(info);
    const bool usb = is_true(info->u.hvm.usb) || info->u.hvm.usbdevice || info->u.hvm.usbdevice_list;
    if (hole < LEAST_HOLE_KB || hole > MOST_HOLE_KB || hole % 4)
        return "type.hvm.mmio_hole_memkb: not between 256 MiB and 3.5 GiB";
    if (libxl__hvm_video_kb(info) < libxl__hvm_least_video_kb(info))
        return "video_memkb: less than the graphics card needs (std 16 MiB, cirrus 8 MiB)";
    if (libxl__hvm_video_kb(info) > most_kb(info))
        return "video_memkb: more than the domain's memory, of which it is a part";
    if (groups && !(groups & 1))
        return "type.hvm.viridian_enable: the other groups need the group base";
    if (info->u.hvm.boot && strspn(info->u.hvm.boot, "acdn") != strlen(info->u.hvm.boot))
        return "type.hvm.boot: letters other than a, c, d and n";
    if (info->u.hvm.usbversion < 0 || info->u.hvm.usbversion > 3)
        return "type.hvm.usbversion: not 1, 2 or 3";
    if (info->u.hvm.usbversion && usb)
        return "type.hvm.usbversion: not together with usb and usbdevice";
    if (info->u.hvm.usbdevice && info->u.hvm.usbdevice_list)
        return "type.hvm.usbdevice: not together with usbdevice_list";
    if (info->u.hvm.serial && info->u.hvm.serial_list)
        return "type.hvm.serial: not together with serial_list";
    if (libxl__hvm_nested(info) && libxl__hvm_altp2m(info) != LIBXL_ALTP2M_MODE_DISABLED)
        return "nested_hvm: not together with altp2m";
    if (info->device_model && *info->device_model != '/')
        return "device_model: not an absolute path";
    if (info->device_model_user && !is_true(info->dm_restrict))
        return "device_model_user: needs dm_restrict";
    if (is_true(info->dm_restrict) && !info->device_model_user)
        return "dm_restrict: needs device_model_user, a user that owns nothing else";
    if (info->ramdisk && !info->kernel)
        return "ramdisk: needs kernel";
    return NULL;
}

/*
 * Refuses read-only disks that are emulated as IDE disks. An emulated IDE disk cannot be read only, so QEMU would let
 * the guest write to it.
 */
static int check_disks(libxl__ao *ao, const libxl_domain_config *config)
{
    for (int i = 0; i < config->num_disks; i++)
        if (!config->disks[i].readwrite && libxl__qemu_is_ide(config, &config->disks[i]))
            return libxl__ao_fail(
                ao, ERROR_INVAL,
                "d_config.disks[%d].readwrite: an emulated IDE disk cannot be read only; use "
                "an sd name, or a position that is not emulated",
                i);
    return 0;
}

int libxl__create_check_hvm(libxl__ao *ao, libxl_domain_config *config, libxl__build *build)
{
    const bool hvm = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    libxl_domain_build_info *info = &config->b_info;
    if (is_true(info->device_model_stubdomain))
        return libxl__ao_fail(ao, ERROR_NI, "d_config.b_info.device_model_stubdomain: not implemented");
    const char *field = hvm ? NULL : only_hvm(info);
    if (field)
        return libxl__ao_fail(ao, ERROR_NI, "d_config.b_info.%s: not supported for this type of domain",
                              field);
    if (!hvm)
        return 0;
    if (info->type == LIBXL_DOMAIN_TYPE_INVALID)
        libxl_domain_build_info_init_type(info, LIBXL_DOMAIN_TYPE_HVM);
    const char *wrong = not_implemented(config);
    if (wrong)
        return libxl__ao_fail(ao, ERROR_NI, "d_config.%s", wrong);
    wrong = invalid(info);
    if (wrong)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.%s", wrong);
    const int rc = check_disks(ao, config);
    if (rc)
        return rc;
    for (int i = 0; i < config->num_nics; i++)
        if (config->nics[i].nictype == LIBXL_NIC_TYPE_UNKNOWN)
            config->nics[i].nictype = LIBXL_NIC_TYPE_VIF_IOEMU;
    build->video_kb = libxl__hvm_video_kb(info) & ~1023ull;
    return 0;
}

int libxl__create_keyboard(libxl_domain_config *config)
{
    const libxl_domain_build_info *info = &config->b_info;
    if (config->c_info.type != LIBXL_DOMAIN_TYPE_HVM || config->num_vkbs ||
        !libxl__is(info->u.hvm.vkb_device, true))
        return 0;
    config->vkbs = calloc(1, sizeof(*config->vkbs));
    if (!config->vkbs)
        return ERROR_NOMEM;
    config->num_vkbs = 1;
    libxl_device_vkb_init(config->vkbs);
    config->vkbs->devid = 0;
    return 0;
}
