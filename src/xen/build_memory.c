/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory map and the ACPI tables of a PVH guest. Owns nothing: libxl__build_image in build_image.c frees
 * the map and the tables with libxenguest's image. Called on a worker, unlocked.
 *
 * The guest finds the map through start_info. RAM starts at 0 and ends at a hole below 4 GiB, where a PC has
 * its devices. The hole contains the pages that the guest shares with the toolstack, and the ACPI tables. The
 * RAM that does not fit below the hole is above 4 GiB. The map covers the maximum of the guest's memory. If
 * the maximum is larger than the target, the memory is populated on demand: the hypervisor keeps the target's
 * pages in a pool, and maps a page when the guest first accesses an address. The guest's balloon driver must
 * return the difference before the pool is empty.
 *
 * A kernel finds its processors through the ACPI tables (ACPI 5.1: RSDP, XSDT, FADT, MADT, and an empty
 * DSDT).
 */
#include "build_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xenguest.h>

#define FOUR_GIB (1ull << 32)
/* An x86 machine has its devices between this address and 4 GiB. */
#define HOLE_START  0xf0000000ull
#define ACPI_START  0xfc000000ull
#define ACPI_SIZE   0x2000ull
#define LAPIC_START 0xfee00000u

/* ---- ACPI tables. Their numbers are little-endian, as on x86, so no conversion is needed. */

struct __attribute__((packed)) header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision;
    char creator[4];
    uint32_t creator_revision;
};

struct __attribute__((packed)) rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
};

struct __attribute__((packed)) xsdt {
    struct header header;
    uint64_t tables[2];
};

struct __attribute__((packed)) fadt {
    struct header header;
    uint32_t facs, dsdt;
    uint8_t unused[65]; /* members that describe hardware; a PVH guest does not have this hardware */
    uint16_t boot_flags;
    uint8_t reserved;
    uint32_t flags;
    uint8_t unused2[15];
    uint8_t minor;
    uint64_t x_facs, x_dsdt;
    uint8_t unused3[120];
};

struct __attribute__((packed)) madt {
    struct header header;
    uint32_t lapic_address, flags;
};

struct __attribute__((packed)) madt_lapic {
    uint8_t type, length, processor, apic_id;
    uint32_t flags;
};

_Static_assert(sizeof(struct fadt) == 268, "the FADT of ACPI 5.1 has 268 octets");

#define FADT_HARDWARE_REDUCED   (1u << 20)
#define FADT_NO_VGA_NO_CMOS_RTC ((1u << 2) | (1u << 5))
#define MADT_LAPIC_ENABLED      1u

struct tables {
    struct rsdp rsdp;
    struct xsdt xsdt;
    struct fadt fadt;
    struct header dsdt;
    struct madt madt;
    struct madt_lapic lapics[128];
};

_Static_assert(sizeof(struct tables) <= ACPI_SIZE, "the tables fit their region");

static uint8_t checksum(const void *data, size_t length)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
    return (uint8_t)-sum;
}

static void finish(struct header *header, const char *signature, uint8_t revision, size_t length)
{
    memcpy(header->signature, signature, sizeof(header->signature));
    memcpy(header->oem, "aioxen", sizeof(header->oem));
    memcpy(header->oem_table, "PVH     ", sizeof(header->oem_table));
    memcpy(header->creator, "AXEN", sizeof(header->creator));
    header->revision = revision;
    header->oem_revision = header->creator_revision = 1;
    header->length = (uint32_t)length;
    header->checksum = checksum(header, length);
}

static uint64_t address_of(const struct tables *tables, const void *part)
{
    return ACPI_START + (uint64_t)((const char *)part - (const char *)tables);
}

static struct tables *make_tables(int vcpus)
{
    struct tables *t = calloc(1, ACPI_SIZE);
    if (!t)
        return NULL;
    for (int i = 0; i < vcpus; i++)
        t->lapics[i] = (struct madt_lapic){
            .length = sizeof(struct madt_lapic),
            .processor = (uint8_t)i,
            .apic_id = (uint8_t)(2 * i), /* vcpu N has the APIC id 2 * N */
            .flags = MADT_LAPIC_ENABLED,
        };
    t->madt.lapic_address = LAPIC_START;
    finish(&t->madt.header, "APIC", 3, sizeof(t->madt) + (size_t)vcpus * sizeof(struct madt_lapic));
    finish(&t->dsdt, "DSDT", 2, sizeof(t->dsdt));
    t->fadt.boot_flags = FADT_NO_VGA_NO_CMOS_RTC;
    t->fadt.flags = FADT_HARDWARE_REDUCED;
    t->fadt.minor = 1;
    t->fadt.dsdt = (uint32_t)address_of(t, &t->dsdt);
    t->fadt.x_dsdt = address_of(t, &t->dsdt);
    finish(&t->fadt.header, "FACP", 5, sizeof(t->fadt));
    t->xsdt.tables[0] = address_of(t, &t->fadt);
    t->xsdt.tables[1] = address_of(t, &t->madt);
    finish(&t->xsdt.header, "XSDT", 1, sizeof(t->xsdt));
    memcpy(t->rsdp.signature, "RSD PTR ", sizeof(t->rsdp.signature));
    memcpy(t->rsdp.oem, "aioxen", sizeof(t->rsdp.oem));
    t->rsdp.revision = 2;
    t->rsdp.length = sizeof(t->rsdp);
    t->rsdp.xsdt = address_of(t, &t->xsdt);
    /* This checksum covers the first 20 octets, which are the RSDP of ACPI 1.0. */
    t->rsdp.checksum = checksum(&t->rsdp, 20);
    t->rsdp.extended_checksum = checksum(&t->rsdp, sizeof(t->rsdp));
    return t;
}

/* ---- the memory map */

static int give_map(xc_interface *xch, struct xc_dom_image *dom, uint32_t domid)
{
    const uint64_t shared = (uint64_t)(X86_HVM_END_SPECIAL_REGION - X86_HVM_NR_SPECIAL_PAGES)
                            << XC_PAGE_SHIFT;
    struct e820entry map[] = {
        {.addr = 0, .size = dom->lowmem_end, .type = E820_RAM},
        {.addr = ACPI_START, .size = ACPI_SIZE, .type = E820_ACPI},
        {.addr = shared, .size = (uint64_t)X86_HVM_NR_SPECIAL_PAGES << XC_PAGE_SHIFT, .type = E820_RESERVED},
        {.addr = FOUR_GIB, .size = dom->highmem_end ? dom->highmem_end - FOUR_GIB : 0, .type = E820_RAM},
    };
    const uint32_t count = dom->highmem_end ? 4 : 3;
    dom->e820 = malloc(sizeof(map));
    if (!dom->e820)
        return ENOMEM;
    memcpy(dom->e820, map, sizeof(map));
    dom->e820_entries = count;
    return xc_domain_set_memory_map(xch, domid, map, count) ? errno : 0;
}

int libxl__build_pvh_memory(xc_interface *xch, struct xc_dom_image *dom, uint32_t domid, uint64_t target_kb,
                            uint64_t max_kb, int vcpus)
{
    const uint64_t size = max_kb << 10;
    dom->device_model = false;
    dom->target_pages = target_kb / 4;
    dom->mmio_start = HOLE_START;
    dom->mmio_size = FOUR_GIB - HOLE_START;
    dom->lowmem_end = size < HOLE_START ? size : HOLE_START;
    dom->highmem_end = size > HOLE_START ? FOUR_GIB + size - HOLE_START : 0;
    struct tables *tables = make_tables(vcpus);
    if (!tables)
        return ENOMEM;
    dom->acpi_modules[0].data = (uint8_t *)tables;
    dom->acpi_modules[0].length = ACPI_SIZE;
    dom->acpi_modules[0].guest_addr_out = ACPI_START;
    return give_map(xch, dom, domid);
}
