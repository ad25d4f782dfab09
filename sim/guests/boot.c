/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the start information of a guest's kernel. In a PV guest the register rsi contains the virtual
 * address of the start information. This address is translated with the guest's page tables. In a PVH guest
 * the register ebx contains the physical address of the start information. Owns nothing. Lock: machine->lock.
 */
#include "guests.h"

#include <string.h>
#include <unistd.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/save.h>

#define PRESENT      1ull
#define ADDRESS_MASK 0x000ffffffffff000ull
#define PV_LEVELS    4

/*
 * Copies guest memory. `find` translates an address to a machine frame. Returns true, or false if a part of
 * the memory is not mapped.
 */
typedef uint32_t frame_finder(struct domain *d, uint64_t address);

static bool copy(struct domain *d, frame_finder *find, uint64_t address, void *to, size_t size)
{
    while (size) {
        size_t offset = address & ~XC_PAGE_MASK, n = XC_PAGE_SIZE - offset;
        uint32_t frame = find(d, address);
        if (n > size)
            n = size;
        if (!frame || pread(memory_fd, to, n, ((off_t)frame << XC_PAGE_SHIFT) + offset) != (ssize_t)n)
            return false;
        to = (char *)to + n;
        address += n;
        size -= n;
    }
    return true;
}

static uint32_t frame_of_physical(struct domain *d, uint64_t address)
{
    return frame_of(d, address >> XC_PAGE_SHIFT);
}

/*
 * Translates a virtual address of a PV guest to a machine frame. The entries of PV page tables are machine
 * addresses.
 */
uint32_t frame_of_virtual(struct domain *d, uint64_t address)
{
    uint64_t entry = d->cr3;
    for (int shift = XC_PAGE_SHIFT + 9 * (PV_LEVELS - 1); shift >= XC_PAGE_SHIFT; shift -= 9) {
        uint64_t table = entry & ADDRESS_MASK, index = address >> shift & 511;
        if (!copy(d, frame_of_physical, table + index * sizeof entry, &entry, sizeof entry) ||
            !(entry & PRESENT))
            return NO_FRAME;
    }
    return frame_of(d, (entry & ADDRESS_MASK) >> XC_PAGE_SHIFT);
}

static bool read_pv(struct domain *d, struct boot_info *info)
{
    start_info_t start;
    if (!copy(d, frame_of_virtual, d->start_info, &start, sizeof start))
        return false;
    memcpy(info->command_line, start.cmd_line, sizeof info->command_line);
    info->store_frame = start.store_mfn;
    info->store_port = start.store_evtchn;
    info->console_frame = start.console.domU.mfn;
    info->console_port = start.console.domU.evtchn;
    return true;
}

static const struct hvm_hw_cpu *find_cpu(const struct domain *d)
{
    const struct hvm_save_descriptor *record;
    for (uint32_t at = 0; at + sizeof *record <= d->hvm_context_size; at += sizeof *record + record->length) {
        record = (const void *)(domain_big(d)->hvm_context + at);
        if (record->typecode == HVM_SAVE_CODE(CPU))
            return (const void *)(record + 1);
    }
    return NULL;
}

static bool read_pvh(struct domain *d, struct boot_info *info)
{
    struct hvm_start_info start;
    const struct hvm_hw_cpu *cpu = find_cpu(d);
    if (!cpu || !copy(d, frame_of_physical, cpu->rbx, &start, sizeof start) ||
        start.magic != XEN_HVM_START_MAGIC_VALUE)
        return false;
    for (size_t i = 0; start.cmdline_paddr && i < sizeof info->command_line; i++)
        if (!copy(d, frame_of_physical, start.cmdline_paddr + i, &info->command_line[i], 1) ||
            !info->command_line[i])
            break;
    /* An HVM guest has no command line. It listens, and has PV drivers. They set the parameter CALLBACK_IRQ. */
    if (d->arch.emulation_flags & ~(uint32_t)XEN_X86_EMU_LAPIC && !info->command_line[0]) {
        info->command_line[0] = 'l';
        d->hvm_params[HVM_PARAM_CALLBACK_IRQ] = 1;
    }
    info->store_frame = d->hvm_params[HVM_PARAM_STORE_PFN];
    info->store_port = d->hvm_params[HVM_PARAM_STORE_EVTCHN];
    info->console_frame = d->hvm_params[HVM_PARAM_CONSOLE_PFN];
    info->console_port = d->hvm_params[HVM_PARAM_CONSOLE_EVTCHN];
    return true;
}

bool boot_read(struct domain *d, struct boot_info *info)
{
    *info = (struct boot_info){0};
    bool ok = domain_is_hvm(d) ? read_pvh(d, info) : read_pv(d, info);
    info->command_line[sizeof info->command_line - 1] = 0;
    return ok;
}
