/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of the build that only an HVM domain has: its files, its parameters in the hypervisor, its memory map,
 * and the page that describes the machine to hvmloader.
 *
 * hvmloader is the kernel of the domain. It loads the firmware, which is a module beside it, and starts it.
 * The memory of the graphics card is a part of the domain's memory, but the device model allocates it. So the
 * builder fills the rest.
 *
 * Owns: nothing. build.c frees the files. Called on the build's worker, unlocked.
 */
#define XC_WANT_COMPAT_MAP_FOREIGN_API
#include "build_parts.h"
#include "hvm_settings.h"
#include "release.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <libxl_utils.h>
#include <xen/hvm/e820.h>
#include <xen/hvm/hvm_info_table.h>
#include <xen/hvm/params.h>
#include <xenguest.h>

#define FOUR_GIB (1ull << 32)

enum {
    /* The E820 map begins at this address, because hvmloader adds the entries for the memory below this address. */
    FIRST_MIB = 1 << 20,
    VGA_HOLE_PAGES = 0x20, /* the pages from 0xa0000 on, which belong to the graphics card */
    INFO_PAGE = HVM_INFO_PADDR >> XC_PAGE_SHIFT,
    INFO_OFFSET = HVM_INFO_PADDR & (XC_PAGE_SIZE - 1),
};

/* The paths of the firmware in Debian's packages. */
#define SEABIOS "/usr/share/seabios/bios-256k.bin"
#define OVMF    "/usr/share/ovmf/OVMF.fd"

/* ---- the files */

/*
 * Stores the path of hvmloader. Debian has a folder for each release of Xen. hvmloader makes hypercalls, so the release
 * of the running hypervisor is used.
 */
static void find_hvmloader(libxl__builder *b, char path[LIBXL__HVMLOADER_SIZE])
{
    const int version = xc_version(b->xch, XENVER_version, NULL);
    const unsigned release = version < 0 ? LIBXL__BUILT_FOR : (unsigned)version;
    snprintf(path, LIBXL__HVMLOADER_SIZE, LIBXL__HVMLOADER, release >> 16, release & 0xffff);
}

int libxl__build_hvm_read(libxl__builder *b)
{
    const libxl_domain_build_info *info = &b->build->config->b_info;
    const char *firmware = info->u.hvm.system_firmware;
    char hvmloader[LIBXL__HVMLOADER_SIZE];
    if (!firmware)
        firmware = libxl__hvm_bios(info) == LIBXL_BIOS_TYPE_OVMF ? OVMF : SEABIOS;
    find_hvmloader(b, hvmloader);
    int rc = libxl__build_file_read(b->build, &b->kernel, "d_config.b_info.type.hvm.firmware",
                                    info->u.hvm.firmware ? info->u.hvm.firmware : hvmloader);
    if (!rc)
        rc = libxl__build_file_read(b->build, &b->firmware,
                                    info->u.hvm.system_firmware ? "d_config.b_info.type.hvm.system_firmware"
                                                                : "d_config.b_info.type.hvm.bios",
                                    firmware);
    if (!rc && info->u.hvm.acpi_firmware)
        rc = libxl__build_file_read(b->build, &b->acpi, "d_config.b_info.type.hvm.acpi_firmware",
                                    info->u.hvm.acpi_firmware);
    if (!rc && info->u.hvm.smbios_firmware)
        rc = libxl__build_file_read(b->build, &b->smbios, "d_config.b_info.type.hvm.smbios_firmware",
                                    info->u.hvm.smbios_firmware);
    return rc;
}

/* ---- the parameters */

enum {
    BASE = HVMPV_base_freq,
    /* This bit of HVM_PARAM_VIRIDIAN means that the guest does not have the group. */
    FREQ = HVMPV_no_freq,
    DEFAULT_GROUPS = BASE | FREQ | HVMPV_time_ref_count | HVMPV_apic_assist | HVMPV_crash_ctl |
                     HVMPV_no_vp_limit | HVMPV_cpu_hotplug,
    LAST_GROUP = _HVMPV_cpu_hotplug,
};

uint64_t libxl__hvm_viridian(const libxl_domain_build_info *info)
{
    uint64_t groups = libxl__is(info->u.hvm.viridian, false) ? DEFAULT_GROUPS : 0;
    for (int i = 0; i <= LAST_GROUP; i++) {
        if (libxl_bitmap_test(&info->u.hvm.viridian_enable, i))
            groups |= 1u << i;
        if (libxl_bitmap_test(&info->u.hvm.viridian_disable, i))
            groups &= ~(1ull << i);
    }
    if (groups & HVMPV_stimer)
        groups |= HVMPV_time_ref_count | HVMPV_synic;
    return groups;
}

int libxl__build_hvm_params(libxl__builder *b)
{
    const libxl_domain_build_info *info = &b->build->config->b_info;
    const uint64_t groups = libxl__hvm_viridian(info);
    const struct {
        const char *field;
        uint64_t value;
        uint32_t param;
        bool set;
    } params[] = {
        {"hpet", libxl__is(info->u.hvm.hpet, true), HVM_PARAM_HPET_ENABLED, true},
        {"vpt_align", libxl__is(info->u.hvm.vpt_align, true), HVM_PARAM_VPT_ALIGN, true},
        {"mca_caps", info->u.hvm.mca_caps, HVM_PARAM_MCA_CAP, info->u.hvm.mca_caps != 0},
        {"timer_mode", libxl__hvm_timer_mode(info), HVM_PARAM_TIMER_MODE, true},
        {"altp2m", libxl__hvm_altp2m(info), HVM_PARAM_ALTP2M, true},
        {"viridian", groups ^ FREQ, HVM_PARAM_VIRIDIAN, groups != 0},
    };
    for (size_t i = 0; i < sizeof(params) / sizeof(*params); i++) {
        char field[64];
        snprintf(field, sizeof(field), "d_config.b_info.type.hvm.%s", params[i].field);
        if (params[i].set && xc_hvm_param_set(b->xch, b->build->domid, params[i].param, params[i].value))
            return libxl__build_fail_errno(b->build, LIBXL__CALL_SETTING, field);
    }
    return 0;
}

/* ---- the memory */

static int give_map(libxl__builder *b, const struct xc_dom_image *dom)
{
    struct e820entry map[] = {
        {.addr = FIRST_MIB, .size = dom->lowmem_end - FIRST_MIB, .type = E820_RAM},
        {.addr = FOUR_GIB, .size = dom->highmem_end ? dom->highmem_end - FOUR_GIB : 0, .type = E820_RAM},
    };
    return xc_domain_set_memory_map(b->xch, b->build->domid, map, dom->highmem_end ? 2 : 1) ? errno : 0;
}

static void give_module(struct xc_hvm_firmware_module *module, const libxl__build_file *file)
{
    module->data = file->data;
    module->length = (uint32_t)file->size;
}

int libxl__build_hvm_memory(libxl__builder *b, struct xc_dom_image *dom)
{
    const libxl__build *build = b->build;
    const uint64_t size = (build->max_kb - build->video_kb) << 10;
    dom->device_model = true;
    dom->target_pages = libxl__build_guest_kb(build) / 4;
    dom->vga_hole_size = VGA_HOLE_PAGES;
    dom->mmio_size = libxl__hvm_hole_kb(&build->config->b_info) << 10;
    dom->mmio_start = FOUR_GIB - dom->mmio_size;
    dom->lowmem_end = size < dom->mmio_start ? size : dom->mmio_start;
    dom->highmem_end = size > dom->mmio_start ? FOUR_GIB + size - dom->mmio_start : 0;
    give_module(&dom->system_firmware_module, &b->firmware);
    give_module(&dom->acpi_modules[0], &b->acpi);
    give_module(&dom->smbios_module, &b->smbios);
    return give_map(b, dom);
}

/* ---- the page that describes the machine to hvmloader */

/* Sets the page's checksum so that the sum of all its octets is 0. */
static void set_checksum(struct hvm_info_table *info)
{
    uint8_t sum = 0;
    info->checksum = 0;
    for (uint32_t i = 0; i < info->length; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)info)[i]);
    info->checksum = (uint8_t)-sum;
}

int libxl__build_hvm_inform(libxl__builder *b, const struct xc_dom_image *dom)
{
    libxl__build *build = b->build;
    const libxl_domain_build_info *config = &build->config->b_info;
    void *page =
        xc_map_foreign_range(b->xch, (int)build->domid, XC_PAGE_SIZE, PROT_READ | PROT_WRITE, INFO_PAGE);
    if (!page)
        return libxl__build_fail_errno(build, LIBXL__CALL_NEW_DOMAIN, "mapping hvmloader's information");
    /* libxenguest has filled in the signature, the length and the memory. */
    struct hvm_info_table *info = (struct hvm_info_table *)((char *)page + INFO_OFFSET);
    info->apic_mode = libxl__hvm_apic(config);
    info->nr_vcpus = (uint32_t)config->max_vcpus;
    memset(info->vcpu_online, 0, sizeof(info->vcpu_online));
    for (int i = 0; i < config->max_vcpus; i++)
        if (!config->avail_vcpus.size || libxl_bitmap_test(&config->avail_vcpus, i))
            info->vcpu_online[i / 8] |= (uint8_t)(1u << i % 8);
    set_checksum(info);
    munmap(page, XC_PAGE_SIZE);
    build->acpi = (libxl__build_table){dom->acpi_modules[0].guest_addr_out, dom->acpi_modules[0].length};
    build->smbios = (libxl__build_table){dom->smbios_module.guest_addr_out, dom->smbios_module.length};
    return 0;
}
