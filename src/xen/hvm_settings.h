/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The settings of an HVM domain, with libxl's defaults. The builder, the operations and the device model use
 * these functions, so that a default is in one place. A configuration keeps the application's values, because
 * it is stored for other toolstacks.
 *
 * The functions only read the configuration. They need no lock.
 */
#ifndef LIBXL__HVM_SETTINGS_H
#define LIBXL__HVM_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <libxl.h>

/* Returns the value of a setting, or `otherwise` if the setting has no value. */
static inline bool libxl__is(libxl_defbool setting, bool otherwise)
{
    return libxl_defbool_is_default(setting) ? otherwise : libxl_defbool_val(setting);
}

/*
 * Returns the value of a setting that exists twice in libxl: in b_info, and in b_info.u.hvm, where it was at first.
 * The setting in b_info is used if it has a value.
 */
static inline bool libxl__is_either(libxl_defbool setting, libxl_defbool former, bool otherwise)
{
    return libxl__is(setting, libxl__is(former, otherwise));
}

static inline bool libxl__hvm_apic(const libxl_domain_build_info *info)
{
    return libxl__is_either(info->apic, info->u.hvm.apic, true);
}

static inline bool libxl__hvm_acpi(const libxl_domain_build_info *info)
{
    return libxl__is_either(info->acpi, info->u.hvm.acpi, true);
}

static inline bool libxl__hvm_nested(const libxl_domain_build_info *info)
{
    return libxl__is_either(info->nested_hvm, info->u.hvm.nested_hvm, false);
}

static inline libxl_timer_mode libxl__hvm_timer_mode(const libxl_domain_build_info *info)
{
    if (info->timer_mode != LIBXL_TIMER_MODE_UNKNOWN)
        return info->timer_mode;
    return info->u.hvm.timer_mode != LIBXL_TIMER_MODE_UNKNOWN ? info->u.hvm.timer_mode
                                                              : LIBXL_TIMER_MODE_NO_DELAY_FOR_MISSED_TICKS;
}

static inline libxl_altp2m_mode libxl__hvm_altp2m(const libxl_domain_build_info *info)
{
    const bool former = info->altp2m == LIBXL_ALTP2M_MODE_DISABLED && libxl__is(info->u.hvm.altp2m, false);
    return former ? LIBXL_ALTP2M_MODE_MIXED : info->altp2m;
}

static inline libxl_vga_interface_type libxl__hvm_vga(const libxl_domain_build_info *info)
{
    const libxl_vga_interface_type kind = info->u.hvm.vga.kind;
    return kind == LIBXL_VGA_INTERFACE_TYPE_UNKNOWN ? LIBXL_VGA_INTERFACE_TYPE_CIRRUS : kind;
}

/* Returns the least memory of the graphics card, in KiB, which is also the default. */
static inline uint64_t libxl__hvm_least_video_kb(const libxl_domain_build_info *info)
{
    const libxl_vga_interface_type kind = libxl__hvm_vga(info);
    return kind == LIBXL_VGA_INTERFACE_TYPE_NONE ? 0 : kind == LIBXL_VGA_INTERFACE_TYPE_STD ? 16384 : 8192;
}

/* Returns the memory of the graphics card, in KiB. It is a part of the domain's memory. */
static inline uint64_t libxl__hvm_video_kb(const libxl_domain_build_info *info)
{
    const bool chosen = info->video_memkb && info->video_memkb != LIBXL_MEMKB_DEFAULT &&
                        libxl__hvm_vga(info) != LIBXL_VGA_INTERFACE_TYPE_NONE;
    return chosen ? info->video_memkb : libxl__hvm_least_video_kb(info);
}

static inline libxl_bios_type libxl__hvm_bios(const libxl_domain_build_info *info)
{
    return info->u.hvm.bios == LIBXL_BIOS_TYPE_UNKNOWN ? LIBXL_BIOS_TYPE_SEABIOS : info->u.hvm.bios;
}

/* Returns whether the guest has the PCI device through which it finds Xen's drivers. */
static inline bool libxl__hvm_platform_device(const libxl_domain_build_info *info)
{
    return libxl__is(info->u.hvm.xen_platform_pci, true);
}

/* Returns the size of the hole for devices below 4 GiB, in KiB. */
static inline uint64_t libxl__hvm_hole_kb(const libxl_domain_build_info *info)
{
    const uint64_t kb = info->u.hvm.mmio_hole_memkb;
    return kb && kb != LIBXL_MEMKB_DEFAULT ? kb : 256 << 10;
}

/*
 * Returns the groups of Hyper-V's interface that the guest has. Each group has its bit of HVM_PARAM_VIRIDIAN. The
 * caller inverts HVMPV_no_freq for the parameter, where this bit means that the guest does not have the group. 0: the
 * guest has no group. libxl's defaults and dependencies of groups are applied.
 */
uint64_t libxl__hvm_viridian(const libxl_domain_build_info *info);

#endif
