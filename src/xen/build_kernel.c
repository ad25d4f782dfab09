/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds out why libxenguest has refused a kernel. libxenguest tries each of its loaders. Its last message is
 * only that no loader has worked. So the functions of this file examine the kernel.
 *
 * Owns: nothing. Called on the build's worker, unlocked. The kernel is untrusted, so each offset is checked before it
 * is used.
 */
#include "build_parts.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include <xen/elfnote.h>

enum { MOST_NOTES = 64 << 10 };

typedef struct elf {
    const uint8_t *data;
    size_t size;
    bool wide; /* the file is a 64-bit ELF file; false: a 32-bit one */
    uint64_t segments, segment_count, sections, section_count;
} elf;

/* The part of the file that a program header or a section header describes. */
typedef struct part {
    uint32_t type;
    uint64_t offset, size;   /* the position and the size of the part in the file, in octets */
    uint64_t paddr, memsize; /* the address and the size in memory; set for program headers only */
} part;

typedef struct notes {
    bool any, entry, pvh;
    uint64_t pvh_entry;
} notes;

static bool inside(const elf *e, uint64_t offset, uint64_t length)
{
    return offset <= e->size && length <= e->size - offset;
}

#define COPY(header, e, offset)                                                                              \
    (inside(e, offset, sizeof(header)) && memcpy(&(header), (e)->data + (offset), sizeof(header)))

static bool read_header(elf *e)
{
    Elf64_Ehdr wide;
    Elf32_Ehdr narrow;
    if (!inside(e, 0, EI_NIDENT))
        return false;
    e->wide = e->data[EI_CLASS] == ELFCLASS64;
    if (e->wide && COPY(wide, e, 0)) {
        e->segments = wide.e_phoff, e->segment_count = wide.e_phnum;
        e->sections = wide.e_shoff, e->section_count = wide.e_shnum;
        return true;
    }
    if (!e->wide && COPY(narrow, e, 0)) {
        e->segments = narrow.e_phoff, e->segment_count = narrow.e_phnum;
        e->sections = narrow.e_shoff, e->section_count = narrow.e_shnum;
        return true;
    }
    return false;
}

/* Reads program header number i. Returns true, or false if the header is outside the file. */
static bool read_segment(const elf *e, uint64_t i, part *out)
{
    Elf64_Phdr wide;
    Elf32_Phdr narrow;
    if (e->segments > e->size)
        return false;
    if (e->wide && COPY(wide, e, e->segments + i * sizeof(wide))) {
        *out = (part){wide.p_type, wide.p_offset, wide.p_filesz, wide.p_paddr, wide.p_memsz};
        return true;
    }
    if (!e->wide && COPY(narrow, e, e->segments + i * sizeof(narrow))) {
        *out = (part){narrow.p_type, narrow.p_offset, narrow.p_filesz, narrow.p_paddr, narrow.p_memsz};
        return true;
    }
    return false;
}

static bool read_section(const elf *e, uint64_t i, part *out)
{
    Elf64_Shdr wide;
    Elf32_Shdr narrow;
    if (e->sections > e->size)
        return false;
    if (e->wide && COPY(wide, e, e->sections + i * sizeof(wide))) {
        *out = (part){.type = wide.sh_type, .offset = wide.sh_offset, .size = wide.sh_size};
        return true;
    }
    if (!e->wide && COPY(narrow, e, e->sections + i * sizeof(narrow))) {
        *out = (part){.type = narrow.sh_type, .offset = narrow.sh_offset, .size = narrow.sh_size};
        return true;
    }
    return false;
}

/* Sets *found to the Xen notes that the segment or section contains. */
static void read_notes(const elf *e, const part *where, notes *found)
{
    if (where->size > MOST_NOTES)
        return; /* this part is too large to be genuine, because a kernel's notes take about 1 KiB */
    uint64_t at = where->offset, end = where->offset + where->size;
    /* The type of the notes of 32-bit files; the notes of 64-bit files have the same layout. */
    Elf32_Nhdr note;
    while (inside(e, where->offset, where->size) && at + sizeof(note) <= end && COPY(note, e, at)) {
        const uint64_t name = at + sizeof(note), value = name + ((note.n_namesz + 3ull) & ~3ull);
        if (note.n_namesz == 4 && inside(e, name, 4) && memcmp(e->data + name, "Xen", 4) == 0) {
            found->any = true;
            found->entry |= note.n_type == XEN_ELFNOTE_ENTRY;
            if (note.n_type == XEN_ELFNOTE_PHYS32_ENTRY && inside(e, value, 4)) {
                found->pvh = true;
                memcpy(&found->pvh_entry, e->data + value, 4);
            }
        }
        at = value + ((note.n_descsz + 3ull) & ~3ull);
    }
}

static bool has_address(const elf *e, uint64_t address)
{
    part segment;
    for (uint64_t i = 0; i < e->segment_count && read_segment(e, i, &segment); i++)
        if (segment.type == PT_LOAD && address - segment.paddr < segment.memsize)
            return true;
    return false;
}

static const char *why_elf(elf *e, bool pvh, char text[128])
{
    notes found = {.any = false};
    part p;
    if (!read_header(e))
        return "a truncated ELF file";
    for (uint64_t i = 0; i < e->segment_count; i++) {
        if (!read_segment(e, i, &p))
            return "a truncated ELF file";
        if (!inside(e, p.offset, p.size)) {
            snprintf(text, 128, "a truncated ELF file: its segment %llu goes beyond the end of the file",
                     (unsigned long long)i);
            return text;
        }
        if (p.type == PT_NOTE)
            read_notes(e, &p, &found);
    }
    for (uint64_t i = 0; i < e->section_count && read_section(e, i, &p); i++)
        if (p.type == SHT_NOTE)
            read_notes(e, &p, &found);
    if (pvh && !found.pvh)
        return "not built for PVH domains: it has no note XEN_ELFNOTE_PHYS32_ENTRY";
    if (pvh && !has_address(e, found.pvh_entry)) {
        snprintf(text, 128, "its entry for PVH domains, 0x%llx, is outside of its segments",
                 (unsigned long long)found.pvh_entry);
        return text;
    }
    if (!pvh && !found.any)
        return "not built for PV domains: it has no notes for Xen";
    if (!pvh && !found.entry)
        return "not built for PV domains: it has no note XEN_ELFNOTE_ENTRY";
    return "the addresses in its ELF headers and notes do not fit together";
}

const char *libxl__build_why_refused(const void *data, size_t size, bool pvh, char text[128])
{
    /*
     * The first octets of compressed files. libxenguest decompresses these formats only inside a bzImage, not
     * as the whole file.
     */
    static const struct {
        const char *magic;
        size_t length;
        const char *name;
    } compressed[] = {
        {"\xfd\x37\x7a\x58\x5a", 5, "xz"}, {"BZh", 3, "bzip2"},
        {"\x28\xb5\x2f\xfd", 4, "zstd"},   {"\x02\x21\x4c\x18", 4, "lz4"},
        {"\x04\x22\x4d\x18", 4, "lz4"},    {"\x5d\x00\x00", 3, "lzma"},
    };
    elf e = {.data = data, .size = size};
    if (size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0)
        return why_elf(&e, pvh, text);
    if (size >= 2 && memcmp(data, "\x1f\x8b", 2) == 0)
        return "gzip data that is damaged, truncated or compressed twice";
    for (size_t i = 0; i < sizeof(compressed) / sizeof(*compressed); i++)
        if (size >= compressed[i].length && memcmp(data, compressed[i].magic, compressed[i].length) == 0) {
            snprintf(text, 128, "compressed with %s, but not a bzImage", compressed[i].name);
            return text;
        }
    return "neither an ELF file nor a bzImage";
}
