/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The nodes of a new domain in xenstore that only HVM domains have. hvmloader, the firmware's ACPI tables and
 * the device model read them. They are the nodes that libxl 4.17 writes.
 *
 * Owns: nothing. The caller holds the context's lock.
 */
#include "create.h"
#include "hvm_settings.h"

#include <stdio.h>
#include <string.h>

typedef struct writer {
    libxl__xs_batch *batch;
    unsigned domid;
} writer;

static void put(const writer *w, const char *path, const char *value)
{
    libxl__xs_write(w->batch, LIBXL__XS_INHERITS, value, "/local/domain/%u/%s", w->domid, path);
}

static void put_flag(const writer *w, const char *path, bool value)
{
    put(w, path, value ? "1" : "0");
}

static void put_number(const writer *w, const char *path, const char *format, unsigned long long value)
{
    char text[32];
    snprintf(text, sizeof(text), value ? format : "0", value);
    put(w, path, text);
}

/* Writes the address and the length of a table of the firmware. */
static void put_table(const writer *w, const char *name, const libxl__build_table *table)
{
    char path[32];
    if (!table->length)
        return;
    snprintf(path, sizeof(path), "hvmloader/%s/address", name);
    put_number(w, path, "%#llx", table->address);
    snprintf(path, sizeof(path), "hvmloader/%s/length", name);
    put_number(w, path, "%#llx", table->length);
}

/* Writes the generation ID as two decimal numbers. */
static void put_genid(const writer *w, const libxl_ms_vm_genid *id)
{
    static const libxl_ms_vm_genid none;
    uint64_t halves[2];
    char text[48];
    memcpy(halves, id->bytes, sizeof(halves));
    if (memcmp(id, &none, sizeof(none)) == 0)
        return;
    snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)halves[0], (unsigned long long)halves[1]);
    put(w, "platform/generation-id", text);
}

void libxl__create_hvm_nodes(libxl__xs_batch *batch, const libxl__build *build,
                             const libxl_domain_config *config)
{
    const writer w = {batch, build->domid};
    const libxl_domain_build_info *info = &config->b_info;
    put_number(&w, "memory/videoram", "%llu", build->video_kb);
    put(&w, "hvmloader/bios", libxl__hvm_bios(info) == LIBXL_BIOS_TYPE_OVMF ? "ovmf" : "seabios");
    /* hvmloader must not move memory of the guest, because QEMU would not learn the new addresses. */
    put(&w, "hvmloader/allow-memory-relocate", "0");
    libxl__xs_write(batch, LIBXL__XS_INHERITS, "qemu_xen", "/libxl/%u/dm-version", build->domid);
    if (build->in_place)
        return;
    put_table(&w, "acpi", &build->acpi);
    put_table(&w, "smbios", &build->smbios);
    put_flag(&w, "platform/acpi", libxl__hvm_acpi(info));
    put_flag(&w, "platform/acpi_s3", libxl__is(info->u.hvm.acpi_s3, true));
    put_flag(&w, "platform/acpi_s4", libxl__is(info->u.hvm.acpi_s4, true));
    put_flag(&w, "platform/acpi_laptop_slate", libxl__is(info->u.hvm.acpi_laptop_slate, false));
    put(&w, "platform/device-model", "qemu_xen");
    if (libxl__hvm_hole_kb(info) != 256 << 10)
        put_number(&w, "platform/mmio_hole_size", "%llu", libxl__hvm_hole_kb(info) << 10);
    put_genid(&w, &info->u.hvm.ms_vm_genid);
}
