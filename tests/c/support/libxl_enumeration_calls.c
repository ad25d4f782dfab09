/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Like libxl_calls.c, this file is a program written for libxl. It uses the enumerations. tests/libxl compiles
 * the program against Debian's headers and against aioxen's. tests/c/libxl_client runs the program.
 */
#include "libxl_calls.h"

const char *libxl_enumeration_calls(libxl_ctx *ctx)
{
    CALLS_OF_ENUMERATION(error, "domain_notfound");
    CALLS_OF_ENUMERATION(domain_type, "pvh");
    CALLS_OF_ENUMERATION(shutdown_reason, "crash");
    CALLS_OF_ENUMERATION(event_type, "disk_eject");
    CALLS_OF_ENUMERATION(trigger, "nmi");
    CALLS_OF_ENUMERATION(console_type, "serial");
    CALLS_OF_ENUMERATION(passthrough, "share_pt");
    CALLS_OF_ENUMERATION(tsc_mode, "native_paravirt");
    CALLS_OF_ENUMERATION(device_model_version, "qemu_xen");
    CALLS_OF_ENUMERATION(scheduler, "null");
    CALLS_OF_ENUMERATION(timer_mode, "one_missed_tick_pending");
    CALLS_OF_ENUMERATION(tee_type, "optee");
    CALLS_OF_ENUMERATION(bios_type, "ovmf");
    CALLS_OF_ENUMERATION(hdtype, "ahci");
    CALLS_OF_ENUMERATION(vga_interface_type, "qxl");
    CALLS_OF_ENUMERATION(gfx_passthru_kind, "igd");
    CALLS_OF_ENUMERATION(vendor_device, "xenserver");
    CALLS_OF_ENUMERATION(rdm_reserve_strategy, "host");
    CALLS_OF_ENUMERATION(rdm_reserve_policy, "relaxed");
    CALLS_OF_ENUMERATION(gic_version, "v3");
    CALLS_OF_ENUMERATION(vuart_type, "sbsa_uart");
    CALLS_OF_ENUMERATION(altp2m_mode, "limited");
    CALLS_OF_ENUMERATION(disk_backend, "standalone");
    CALLS_OF_ENUMERATION(disk_format, "qed");
    CALLS_OF_ENUMERATION(disk_specification, "virtio");
    CALLS_OF_ENUMERATION(disk_transport, "mmio");
    CALLS_OF_ENUMERATION(nic_type, "vif");
    CALLS_OF_ENUMERATION(vkb_backend, "linux");
    CALLS_OF_ENUMERATION(vsnd_pcm_format, "gsm");
    CALLS_OF_ENUMERATION(vsnd_stream_type, "c");
    CALLS_OF_ENUMERATION(channel_connection, "socket");
    CALLS_OF_ENUMERATION(usbctrl_type, "qusb");
    CALLS_OF_ENUMERATION(usbdev_type, "hostdev");
    CALLS_OF_ENUMERATION(action_on_shutdown, "soft_reset");
    CALLS_OF_ENUMERATION(checkpointed_stream, "remus");
    CALLS_OF_ENUMERATION(viridian_enlightenment, "apic_assist");
    CALLS_OF_ENUMERATION(psr_cmt_type, "local_mem_count");
    CALLS_OF_ENUMERATION(psr_cbm_type, "l3_cbm_code");
    CALLS_OF_ENUMERATION(psr_feat_type, "mba");
    return NULL;
}
