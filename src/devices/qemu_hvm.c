/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line of the device model of an HVM domain. Its options and their order are those of libxl 4.17,
 * so that the guest sees the same machine. tests/python/test_hvm.py compares them with xl's.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "qemu_words.h"

#include <stdio.h>
#include <string.h>

#include <libxl_utils.h>

#include "hvm_settings.h"
#include "vdev.h"

enum {
    EMULATED_DISKS = 4, /* the number of disks of the emulated IDE controller; PV drivers see all disks */
    AHCI_DISKS = 6,
};

/* ---- the screen, the ports and small devices */

static void add_kernel(libxl__qemu_words *w, const libxl_domain_build_info *info)
{
    if (!info->kernel)
        return;
    libxl__qemu_pair(w, "-kernel", "%s", info->kernel);
    if (info->ramdisk)
        libxl__qemu_pair(w, "-initrd", "%s", info->ramdisk);
    if (info->cmdline)
        libxl__qemu_pair(w, "-append", "%s", info->cmdline);
}

static void add_serials(libxl__qemu_words *w, const libxl_domain_build_info *info)
{
    char *const *const list = info->u.hvm.serial_list;
    if (info->u.hvm.serial)
        libxl__qemu_pair(w, "-serial", "%s", info->u.hvm.serial);
    for (int i = 0; list && list[i]; i++)
        libxl__qemu_pair(w, "-serial", "%s", list[i]);
}

static void add_card(libxl__qemu_words *w, const libxl_domain_build_info *info)
{
    const libxl_vga_interface_type kind = libxl__hvm_vga(info);
    if (kind != LIBXL_VGA_INTERFACE_TYPE_NONE)
        libxl__qemu_pair(w, "-device", "%s,vgamem_mb=%llu",
                         kind == LIBXL_VGA_INTERFACE_TYPE_STD ? "VGA" : "cirrus-vga",
                         (unsigned long long)libxl__hvm_video_kb(info) / 1024);
}

static void add_usb(libxl__qemu_words *w, const libxl_domain_build_info *info)
{
    static const char *const version_1[] = {"piix3-usb-uhci,id=usb", NULL};
    static const char *const version_2[] = {
        "ich9-usb-ehci1,id=usb,addr=0x1d.0x7,multifunction=on",
        "ich9-usb-uhci1,masterbus=usb.0,firstport=0,addr=0x1d.0,multifunction=on",
        "ich9-usb-uhci2,masterbus=usb.0,firstport=2,addr=0x1d.0x1,multifunction=on",
        "ich9-usb-uhci3,masterbus=usb.0,firstport=4,addr=0x1d.0x2,multifunction=on",
        NULL,
    };
    static const char *const version_3[] = {"nec-usb-xhci,id=usb", NULL};
    static const char *const *const versions[] = {NULL, version_1, version_2, version_3};
    char *const *const list = info->u.hvm.usbdevice_list;
    if (libxl__is(info->u.hvm.usb, false) || info->u.hvm.usbdevice || list)
        libxl__qemu_word(w, "-usb");
    if (info->u.hvm.usbdevice)
        libxl__qemu_pair(w, "-usbdevice", "%s", info->u.hvm.usbdevice);
    for (int i = 0; list && list[i]; i++)
        libxl__qemu_pair(w, "-usbdevice", "%s", list[i]);
    const char *const *devices = versions[info->u.hvm.usbversion];
    for (int i = 0; devices && devices[i]; i++)
        libxl__qemu_pair(w, "-device", "%s", devices[i]);
}

static void add_sound(libxl__qemu_words *w, const char *name)
{
    if (!name)
        return;
    if (strcmp(name, "hda") != 0) {
        libxl__qemu_pair(w, "-device", "%s", libxl__qemu_quoted(w, name));
        return;
    }
    libxl__qemu_pair(w, "-device", "intel-hda");
    libxl__qemu_pair(w, "-device", "hda-duplex");
}

static void add_processors(libxl__qemu_words *w, const libxl_domain_build_info *info)
{
    int online = info->avail_vcpus.size ? 0 : info->max_vcpus;
    for (int i = 0; info->avail_vcpus.size && i < info->max_vcpus; i++)
        online += libxl_bitmap_test(&info->avail_vcpus, i);
    if (info->max_vcpus > 1)
        libxl__qemu_pair(w, "-smp", "%d,maxcpus=%d", online, info->max_vcpus);
}

static void add_list(libxl__qemu_words *w, libxl_string_list list)
{
    for (int i = 0; list && list[i]; i++)
        libxl__qemu_word(w, list[i]);
}

/* ---- disks and interfaces */

static int number_of(const libxl_device_disk *disk)
{
    return disk->vdev ? libxl__vdev_number(disk->vdev) : -1;
}

/*
 * Returns the position of a disk among the disks of its kind: 0 for hda, sda and xvda. `number` is the
 * number of xen-vbd-interface(7).
 */
static int position_of(int number)
{
    const int major = number >> 8, minor = number & 0xff;
    if (number >> 28)
        return (number & ~(1 << 28)) >> 8;
    return major == 3 ? minor >> 6 : major == 22 ? 2 + (minor >> 6) : minor >> 4;
}

static bool is_scsi(const libxl_device_disk *disk)
{
    return number_of(disk) >> 8 == 8;
}

const char *libxl__qemu_format(libxl_disk_format format)
{
    return format == LIBXL_DISK_FORMAT_VHD ? "vpc"
           : format == LIBXL_DISK_FORMAT_UNKNOWN || format == LIBXL_DISK_FORMAT_EMPTY
               ? "raw"
               : libxl_disk_format_to_string(format);
}

static const char *format_of(const libxl_device_disk *disk)
{
    return libxl__qemu_format(disk->format);
}

/*
 * Returns whether the disk's image is a file or device of this host. QEMU emulates only such disks. The guest uses
 * other disks through PV drivers.
 */
static bool is_local(const libxl_device_disk *disk)
{
    return !disk->backend_domid && !disk->backend_domname && !disk->script;
}

bool libxl__qemu_is_ide(const libxl_domain_config *config, const libxl_device_disk *disk)
{
    const int number = number_of(disk);
    const int most = config->b_info.u.hvm.hdtype == LIBXL_HDTYPE_AHCI ? AHCI_DISKS : EMULATED_DISKS;
    return number >= 0 && is_local(disk) && !disk->is_cdrom && !is_scsi(disk) && position_of(number) < most;
}

static void add_drive_of_cd(libxl__qemu_words *w, const libxl_device_disk *disk)
{
    const int number = number_of(disk), position = position_of(number);
    const char *path = disk->pdev_path && *disk->pdev_path ? libxl__qemu_quoted(w, disk->pdev_path) : NULL;
    libxl__qemu_pair(w, "-drive", "if=none,readonly=on,id=" LIBXL__QEMU_DRIVE "%s%s%s%s", number,
                     path ? ",file=" : "", path ? path : "", path ? ",format=" : "",
                     path ? format_of(disk) : "");
    libxl__qemu_pair(w, "-device",
                     "ide-cd,id=" LIBXL__QEMU_DRIVE ",drive=" LIBXL__QEMU_DRIVE ",bus=ide.%d,unit=%d", number,
                     number, position / 2, position % 2);
}

/* Adds an emulated disk. QEMU has no read-only IDE disks, so create_hvm.c has checked that the disk is writable. */
static void add_ide_disk(libxl__qemu_words *w, const libxl_device_disk *disk, bool ahci)
{
    const char *path = libxl__qemu_quoted(w, disk->pdev_path ? disk->pdev_path : "");
    const char *format = format_of(disk);
    const int position = position_of(number_of(disk));
    if (ahci) {
        libxl__qemu_pair(w, "-drive", "file=%s,if=none,id=ahcidisk-%d,format=%s,cache=writeback", path,
                         position, format);
        libxl__qemu_pair(w, "-device", "ide-hd,bus=ahci0.%d,unit=0,drive=ahcidisk-%d", position, position);
    } else {
        libxl__qemu_pair(w, "-drive", "file=%s,if=ide,index=%d,media=disk,format=%s,cache=writeback", path,
                         position, format);
    }
}

static void add_scsi_disk(libxl__qemu_words *w, const libxl_device_disk *disk)
{
    const char *path = libxl__qemu_quoted(w, disk->pdev_path ? disk->pdev_path : "");
    const int position = position_of(number_of(disk));
    libxl__qemu_pair(w, "-drive", "file=%s,id=scsi0-hd%d,format=%s,if=none,readonly=%s,cache=writeback", path,
                     position, format_of(disk), disk->readwrite ? "off" : "on");
    libxl__qemu_pair(w, "-device", "scsi-hd,drive=scsi0-hd%d,scsi-id=%d", position, position);
}

static void add_disks(libxl__qemu_words *w, const libxl_domain_config *config)
{
    const bool ahci = config->b_info.u.hvm.hdtype == LIBXL_HDTYPE_AHCI;
    if (ahci)
        libxl__qemu_pair(w, "-device", "ahci,id=ahci0");
    for (int i = 0; i < config->num_disks; i++) {
        const libxl_device_disk *disk = &config->disks[i];
        if (!is_local(disk))
            continue;
        if (disk->is_cdrom)
            add_drive_of_cd(w, disk);
        else if (is_scsi(disk))
            add_scsi_disk(w, disk);
        else if (libxl__qemu_is_ide(config, disk))
            add_ide_disk(w, disk, ahci);
    }
}

static bool has_scsi(const libxl_domain_config *config)
{
    for (int i = 0; i < config->num_disks; i++)
        if (!config->disks[i].is_cdrom && is_scsi(&config->disks[i]))
            return true;
    return false;
}

/* Adds the emulated cards. QEMU makes the host's interface of each card. */
static void add_cards(libxl__qemu_words *w, uint32_t domid, const libxl_domain_config *config)
{
    bool any = false;
    for (int i = 0; i < config->num_nics; i++) {
        const libxl_device_nic *nic = &config->nics[i];
        const char *model = nic->model ? nic->model : "rtl8139";
        if (nic->nictype == LIBXL_NIC_TYPE_VIF)
            continue;
        any = true;
        libxl__qemu_pair(w, "-device", "%s,id=nic%d,netdev=net%d,mac=" LIBXL_MAC_FMT,
                         libxl__qemu_quoted(w, strcmp(model, "netfront") ? model : "rtl8139"), nic->devid,
                         nic->devid, LIBXL_MAC_BYTES(nic->mac));
        libxl__qemu_pair(w, "-netdev", "type=tap,id=net%d,ifname=vif%u.%d-emu,br=%s,script=no,downscript=no",
                         nic->devid, domid, nic->devid,
                         nic->bridge ? libxl__qemu_quoted(w, nic->bridge) : "xenbr0");
    }
    if (!any)
        libxl__qemu_pair(w, "-net", "none");
}

/* ---- the machine */

static void add_machine(libxl__qemu_words *w, const libxl_domain_build_info *info)
{
    const uint64_t hole_kb = libxl__hvm_hole_kb(info);
    const char *machine = libxl__hvm_platform_device(info) ? "xenfv" : "pc,accel=xen";
    if (hole_kb == 256 << 10)
        libxl__qemu_pair(w, "-machine", "%s,suppress-vmdesc=on", machine);
    else
        libxl__qemu_pair(w, "-machine", "%s,suppress-vmdesc=on,max-ram-below-4g=%llu", machine,
                         (1ull << 32) - (hole_kb << 10));
}

static void add_restrictions(libxl__qemu_words *w, uint32_t domid)
{
    libxl__qemu_word(w, "-xen-domid-restrict");
    libxl__qemu_pair(w, "-chroot", LIBXL__QEMU_ROOT, domid);
}

void libxl__qemu_hvm_words(libxl__qemu_words *w, uint32_t domid, const char *name, unsigned long megabytes,
                           const libxl_domain_config *config, bool restores)
{
    const libxl_domain_build_info *info = &config->b_info;
    const bool restricted = libxl__is(info->dm_restrict, false);
    const bool screen = libxl__qemu_has_vnc(&info->u.hvm.vnc) || libxl__is(info->u.hvm.sdl.enable, false);
    libxl__qemu_word(w, "-nodefaults");
    libxl__qemu_word(w, "-no-user-config");
    libxl__qemu_pair(w, "-name", "%s", libxl__qemu_quoted(w, name));
    libxl__qemu_screen(w, &info->u.hvm.vnc, &info->u.hvm.sdl, info->u.hvm.keymap);
    add_kernel(w, info);
    if (has_scsi(config))
        libxl__qemu_pair(w, "-device", "lsi53c895a");
    add_serials(w, info);
    if (libxl__is(info->u.hvm.nographic, false) && !screen)
        libxl__qemu_word(w, "-nographic");
    add_card(w, info);
    libxl__qemu_pair(w, "-boot", "order=%s", info->u.hvm.boot ? info->u.hvm.boot : "cda");
    add_usb(w, info);
    add_sound(w, info->u.hvm.soundhw);
    if (!libxl__hvm_acpi(info))
        libxl__qemu_word(w, "-no-acpi");
    add_processors(w, info);
    add_cards(w, domid, config);
    if (restricted)
        add_restrictions(w, domid);
    if (restores)
        libxl__qemu_pair(w, "-incoming", "fd:%d", LIBXL__QEMU_INCOMING);
    add_list(w, info->extra);
    add_machine(w, info);
    add_list(w, info->extra_hvm);
    libxl__qemu_pair(w, "-m", "%lu", megabytes);
    add_disks(w, config);
    if (info->u.hvm.vendor_device == LIBXL_VENDOR_DEVICE_XENSERVER)
        libxl__qemu_pair(w, "-device", "xen-pvdevice,device-id=0xc000");
    if (restricted)
        libxl__qemu_pair(w, "-runas", "%s", info->device_model_user);
}
