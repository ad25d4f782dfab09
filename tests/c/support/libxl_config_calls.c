/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Like libxl_calls.c, this file is a program written for libxl. It uses the types of a domain's
 * configuration. tests/libxl compiles the program against Debian's headers and against aioxen's.
 * tests/c/libxl_client runs the program.
 */
#include <stdlib.h>

#include <libxl.h>
#include <libxl_utils.h>

#include "libxl_calls.h"

/* ---- generated types */

static const char *devices(libxl_ctx *ctx)
{
    libxl_device_disk disk;
    libxl_device_disk_init(&disk);
    disk.vdev = strdup("xvda");
    disk.pdev_path = strdup("/dev/null");
    CHECK(libxl_device_disk_add(ctx, 0x7000, &disk, NULL));
    CHECK(libxl_device_disk_remove(ctx, 0x7000, &disk, NULL));
    CHECK(libxl_device_disk_safe_remove(ctx, 0x7000, &disk, NULL));
    CHECK(libxl_device_disk_destroy(ctx, 0x7000, &disk, NULL));
    CHECK(libxl_cdrom_insert(ctx, 0x7000, &disk, NULL));
    libxl_diskinfo info;
    int count = 1;
    CHECK(!libxl_device_disk_list(ctx, 0x7000, &count) && !count);
    libxl_device_disk_list_free(NULL, 0);
    CHECK(libxl_device_disk_getinfo(ctx, 0x7000, &disk, &info));
    libxl_device_disk_dispose(&disk);
    libxl_device_nic nic;
    libxl_nicinfo nicinfo;
    libxl_device_nic_init(&nic);
    CHECK(!libxl_device_nic_list(ctx, 0x7000, &count) && !count);
    libxl_device_nic_list_free(NULL, 0);
    CHECK(libxl_device_nic_getinfo(ctx, 0x7000, &nic, &nicinfo));
    CHECK(libxl_mac_to_device_nic(ctx, 0x7000, "00:16:3e:01:02:03", &nic));
    CHECK(libxl_devid_to_device_nic(ctx, 0x7000, 0, &nic));
    libxl_device_vtpm vtpm;
    libxl_vtpminfo vtpminfo;
    libxl_uuid uuid = {.uuid = {1}};
    libxl_device_vtpm_init(&vtpm);
    CHECK(!libxl_device_vtpm_list(ctx, 0x7000, &count) && !count);
    libxl_device_vtpm_list_free(NULL, 0);
    CHECK(libxl_device_vtpm_getinfo(ctx, 0x7000, &vtpm, &vtpminfo));
    CHECK(libxl_uuid_to_device_vtpm(ctx, 0x7000, &uuid, &vtpm));
    CHECK(libxl_devid_to_device_vtpm(ctx, 0x7000, 0, &vtpm));
    libxl_device_channel channel;
    libxl_channelinfo channelinfo;
    libxl_device_channel_init(&channel);
    CHECK(!libxl_device_channel_list(ctx, 0x7000, &count) && !count);
    CHECK(libxl_device_channel_getinfo(ctx, 0x7000, &channel, &channelinfo));
    libxl_device_vkb vkb;
    libxl_vkbinfo vkbinfo;
    libxl_device_vkb_init(&vkb);
    CHECK(!libxl_device_vkb_list(ctx, 0x7000, &count) && !count);
    libxl_device_vkb_list_free(NULL, 0);
    CHECK(libxl_device_vkb_getinfo(ctx, 0x7000, &vkb, &vkbinfo));
    CHECK(libxl_devid_to_device_vkb(ctx, 0x7000, 0, &vkb));
    libxl_device_vdispl vdispl;
    libxl_vdisplinfo vdisplinfo;
    libxl_device_vdispl_init(&vdispl);
    CHECK(!libxl_device_vdispl_list(ctx, 0x7000, &count) && !count);
    libxl_device_vdispl_list_free(NULL, 0);
    CHECK(libxl_device_vdispl_getinfo(ctx, 0x7000, &vdispl, &vdisplinfo));
    CHECK(libxl_devid_to_device_vdispl(ctx, 0x7000, 0, &vdispl));
    libxl_device_vsnd vsnd;
    libxl_vsndinfo vsndinfo;
    libxl_device_vsnd_init(&vsnd);
    CHECK(!libxl_device_vsnd_list(ctx, 0x7000, &count) && !count);
    libxl_device_vsnd_list_free(NULL, 0);
    CHECK(libxl_device_vsnd_getinfo(ctx, 0x7000, &vsnd, &vsndinfo));
    CHECK(libxl_devid_to_device_vsnd(ctx, 0x7000, 0, &vsnd));
    libxl_device_usbctrl usbctrl;
    libxl_usbctrlinfo usbctrlinfo;
    libxl_device_usbctrl_init(&usbctrl);
    CHECK(!libxl_device_usbctrl_list(ctx, 0x7000, &count) && !count);
    libxl_device_usbctrl_list_free(NULL, 0);
    CHECK(libxl_device_usbctrl_getinfo(ctx, 0x7000, &usbctrl, &usbctrlinfo));
    CHECK(libxl_devid_to_device_usbctrl(ctx, 0x7000, 0, &usbctrl));
    libxl_device_usbdev usbdev;
    libxl_device_usbdev_init(&usbdev);
    CHECK(!libxl_device_usbdev_list(ctx, 0x7000, &count) && !count);
    libxl_device_usbdev_list_free(NULL, 0);
    CHECK(libxl_ctrlport_to_device_usbdev(ctx, 0x7000, 0, 1, &usbdev) == ERROR_DOMAIN_NOTFOUND);
    CHECK(libxl_device_usbdev_add(ctx, 0x7000, &usbdev, NULL));
    CHECK(libxl_device_usbdev_remove(ctx, 0x7000, &usbdev, NULL));
#define CALLS_OF_DEVICE(T)                                                                                   \
    do {                                                                                                     \
        libxl_device_##T device;                                                                             \
        libxl_device_##T##_init(&device);                                                                    \
        CHECK(libxl_device_##T##_remove(ctx, 0x7000, &device, NULL));                                        \
        CHECK(libxl_device_##T##_destroy(ctx, 0x7000, &device, NULL));                                       \
        libxl_device_##T##_dispose(&device);                                                                 \
    } while (0)
    CALLS_OF_DEVICE(p9); /* libxl has no function that adds a 9p device. */
    CALLS_OF_DEVICE(nic);
    CALLS_OF_DEVICE(vfb);
    CALLS_OF_DEVICE(vkb);
    CALLS_OF_DEVICE(vtpm);
    CALLS_OF_DEVICE(vdispl);
    CALLS_OF_DEVICE(vsnd);
    CALLS_OF_DEVICE(pvcallsif); /* libxl has no function that adds a PV Calls device. */
    CALLS_OF_DEVICE(pci);
    CALLS_OF_DEVICE(usbctrl);
    CHECK(libxl_device_usbctrl_add(ctx, 0x7000, &(libxl_device_usbctrl){0}, NULL));
    CHECK(libxl_device_pci_add(ctx, 0x7000, &(libxl_device_pci){0}, NULL));
    CHECK(libxl_device_nic_add(ctx, 0x7000, &(libxl_device_nic){0}, NULL));
    CHECK(libxl_device_vfb_add(ctx, 0x7000, &(libxl_device_vfb){0}, NULL));
    CHECK(libxl_device_vkb_add(ctx, 0x7000, &(libxl_device_vkb){0}, NULL));
    CHECK(libxl_device_vtpm_add(ctx, 0x7000, &(libxl_device_vtpm){0}, NULL));
    CHECK(libxl_device_vdispl_add(ctx, 0x7000, &(libxl_device_vdispl){0}, NULL));
    CHECK(libxl_device_vsnd_add(ctx, 0x7000, &(libxl_device_vsnd){0}, NULL));
    CHECK(libxl_vdev_to_device_disk(ctx, 0x7000, "xvda", &disk));
    return NULL;
}

static const char *structs(libxl_ctx *ctx)
{
    CALLS_OF_STRUCT(domain_create_info);
    CALLS_OF_STRUCT(vnode_info);
    CALLS_OF_STRUCT(domain_sched_params);
    CALLS_OF_STRUCT(ioport_range);
    CALLS_OF_STRUCT(iomem_range);
    CALLS_OF_STRUCT(vga_interface_info);
    CALLS_OF_STRUCT(vnc_info);
    CALLS_OF_STRUCT(sdl_info);
    CALLS_OF_STRUCT(spice_info);
    CALLS_OF_STRUCT(rdm_reserve);
    CALLS_OF_STRUCT(domain_build_info);
    CALLS_OF_STRUCT(device_disk);
    CALLS_OF_STRUCT(diskinfo);
    CALLS_OF_STRUCT(nicinfo);
    CALLS_OF_STRUCT(vkbinfo);
    CALLS_OF_STRUCT(channelinfo);
    CALLS_OF_STRUCT(vtpminfo);
    CALLS_OF_STRUCT(device_nic);
    CALLS_OF_STRUCT(device_pci);
    CALLS_OF_STRUCT(device_rdm);
    CALLS_OF_STRUCT(device_dtdev);
    CALLS_OF_STRUCT(device_vfb);
    CALLS_OF_STRUCT(device_vkb);
    CALLS_OF_STRUCT(device_vtpm);
    CALLS_OF_STRUCT(device_p9);
    CALLS_OF_STRUCT(device_pvcallsif);
    CALLS_OF_STRUCT(connector_param);
    CALLS_OF_STRUCT(device_vdispl);
    CALLS_OF_STRUCT(vsnd_params);
    CALLS_OF_STRUCT(vsnd_stream);
    CALLS_OF_STRUCT(vsnd_pcm);
    CALLS_OF_STRUCT(device_vsnd);
    CALLS_OF_STRUCT(device_channel);
    CALLS_OF_STRUCT(device_usbctrl);
    CALLS_OF_STRUCT(device_usbdev);
    CALLS_OF_STRUCT(domain_config);
    return NULL;
}

static const char *keys(void)
{
    libxl_domain_build_info info;
    libxl_domain_build_info_init(&info);
    libxl_domain_build_info_init_type(&info, LIBXL_DOMAIN_TYPE_HVM);
    CHECK(info.u.hvm.mmio_hole_memkb == LIBXL_MEMKB_DEFAULT);
    libxl_domain_build_info_dispose(&info);

    libxl_device_channel channel;
    libxl_device_channel_init(&channel);
    libxl_device_channel_init_connection(&channel, LIBXL_CHANNEL_CONNECTION_SOCKET);
    CHECK(!channel.u.socket.path);
    libxl_device_channel_dispose(&channel);

    libxl_channelinfo channelinfo;
    libxl_channelinfo_init(&channelinfo);
    libxl_channelinfo_init_connection(&channelinfo, LIBXL_CHANNEL_CONNECTION_PTY);
    CHECK(!channelinfo.u.pty.path);
    libxl_channelinfo_dispose(&channelinfo);

    libxl_device_usbdev usb;
    libxl_device_usbdev_init(&usb);
    libxl_device_usbdev_init_type(&usb, LIBXL_USBDEV_TYPE_HOSTDEV);
    CHECK(!usb.u.hostdev.hostbus);
    libxl_device_usbdev_dispose(&usb);
    return NULL;
}

/* ---- types that are written by hand */

static const char *bitmaps(libxl_ctx *ctx)
{
    libxl_bitmap map, copy, both;
    int bit, bits = 0;
    libxl_bitmap_init(&map);
    CHECK(!libxl_bitmap_alloc(ctx, &map, 12) && map.size == 2);
    CHECK(libxl_bitmap_is_empty(&map) && libxl_bitmap_cpu_valid(&map, 15) &&
          !libxl_bitmap_cpu_valid(&map, 16));
    libxl_bitmap_set(&map, 3);
    libxl_bitmap_set(&map, 11);
    libxl_bitmap_reset(&map, 3);
    CHECK(libxl_bitmap_test(&map, 11) && !libxl_bitmap_test(&map, 3) && libxl_bitmap_count_set(&map) == 1);
    libxl_bitmap_copy_alloc(ctx, &copy, &map);
    CHECK(libxl_bitmap_equal(&copy, &map, 0) && copy.map != map.map);
    libxl_bitmap_set_any(&copy);
    CHECK(libxl_bitmap_is_full(&copy));
    libxl_for_each_set_bit(bit, copy) bits++;
    CHECK(bits == 16);
    CHECK(!libxl_bitmap_and(ctx, &both, &copy, &map) && libxl_bitmap_equal(&both, &map, 0));
    libxl_bitmap_dispose(&both);
    CHECK(!libxl_bitmap_or(ctx, &both, &copy, &map) && libxl_bitmap_is_full(&both));
    libxl_bitmap_dispose(&both);
    libxl_bitmap_set_none(&copy);
    libxl_bitmap_copy(ctx, &copy, &map);
    char *text = libxl_bitmap_to_hex_string(ctx, &copy);
    CHECK(text && !strcmp(text, "0x0800"));
    free(text);
    libxl_bitmap_dispose(&copy);
    libxl_bitmap_dispose(&map);
    CHECK(!map.map && !map.size);
    return NULL;
}

static const char *booleans(void)
{
    libxl_defbool value;
    libxl_defbool_unset(&value);
    CHECK(libxl_defbool_is_default(value) && !strcmp(libxl_defbool_to_string(value), "<default>"));
    libxl_defbool_setdefault(&value, true);
    libxl_defbool_setdefault(&value, false);
    CHECK(libxl_defbool_val(value) && !strcmp(libxl_defbool_to_string(value), "True"));
    libxl_defbool_set(&value, false);
    CHECK(!libxl_defbool_val(value) && !strcmp(libxl_defbool_to_string(value), "False"));
    return NULL;
}

static char **list_of(const char *a, const char *b)
{
    char **list = calloc(3, sizeof(*list));
    list[0] = strdup(a);
    list[1] = b ? strdup(b) : NULL;
    return list;
}

static const char *lists(libxl_ctx *ctx)
{
    libxl_string_list strings = list_of("a", "b"), copy;
    CHECK(libxl_string_list_length(&strings) == 2);
    libxl_string_list_copy(ctx, &copy, &strings);
    CHECK(libxl_string_list_length(&copy) == 2 && !strcmp(copy[1], "b") && copy[1] != strings[1]);
    libxl_string_list_dispose(&copy);
    libxl_string_list_dispose(&strings);
    CHECK(!strings);

    libxl_key_value_list pairs = list_of("key", "value"), again;
    CHECK(libxl_key_value_list_length(&pairs) == 1);
    libxl_key_value_list_copy(ctx, &again, &pairs);
    CHECK(libxl_key_value_list_length(&again) == 1 && !strcmp(again[1], "value"));
    libxl_key_value_list_dispose(&again);
    libxl_key_value_list_dispose(&pairs);

    libxl_cpuid_policy_list policy = NULL, other;
    libxl_cpuid_policy_list_copy(ctx, &other, &policy);
    CHECK(!libxl_cpuid_policy_list_length(&other));
    libxl_cpuid_dispose(&other);
    return NULL;
}

static const char *octets(libxl_ctx *ctx)
{
    const libxl_mac mac = {0, 0x16, 0x3e, 1, 2, 3};
    libxl_mac copy;
    libxl_mac_copy(ctx, &copy, (libxl_mac *)&mac);
    CHECK(!memcmp(copy, mac, sizeof(mac)));
    libxl_ms_vm_genid id = {{1}}, same;
    libxl_ms_vm_genid_copy(ctx, &same, &id);
    CHECK(!libxl_ms_vm_genid_is_zero(&same));
    return NULL;
}

const char *libxl_config_calls(libxl_ctx *ctx)
{
    const char *failed = structs(ctx);
    failed = failed ? failed : devices(ctx);
    failed = failed ? failed : keys();
    failed = failed ? failed : bitmaps(ctx);
    failed = failed ? failed : booleans();
    failed = failed ? failed : lists(ctx);
    return failed ? failed : octets(ctx);
}
