/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The key cpuid, in both forms: "host,FEATURE=POLICY,..." and ["LEAF[,SUBLEAF]:REGISTER=BITS,...", ...]. The
 * names of the features come from Xen's public header. Owns nothing; takes no lock.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "cpuid_policy.h"
#include "devices.h"

enum { EAX, EBX, ECX, EDX, REGISTERS };
enum { BITS = 32 }; /* the number of bits of a register */
#define NO_SUBLEAF UINT32_MAX
enum { MOST_LEAVES = 256 };

/*
 * The table of the registers: for each word of a featureset, the leaf and the register that contain the word.
 */
static const struct word {
    uint32_t leaf, subleaf;
    unsigned reg;
} words[] = {
    {1, NO_SUBLEAF, EDX},
    {1, NO_SUBLEAF, ECX},
    {0x80000001, NO_SUBLEAF, EDX},
    {0x80000001, NO_SUBLEAF, ECX},
    {0xd, 1, EAX},
    {7, 0, EBX},
    {7, 0, ECX},
    {0x80000007, NO_SUBLEAF, EDX},
    {0x80000008, NO_SUBLEAF, EBX},
    {7, 0, EDX},
    {7, 1, EAX},
    {0x80000021, NO_SUBLEAF, EAX},
    {7, 1, EBX},
    {7, 2, EDX},
    {7, 1, ECX},
    {7, 1, EDX},
    /*
     * The words from MSR_WORD on are the two halves of the register MSR_ARCH_CAPABILITIES, which belongs to
     * no leaf.
     */
    {0},
    {0},
    {0x80000021, NO_SUBLEAF, ECX},
};
enum { WORDS = sizeof(words) / sizeof(*words) };

/*
 * The first word of the register MSR_ARCH_CAPABILITIES, the number of its words, and the number of the
 * register.
 */
enum { MSR_WORD = 16, MSR_WORDS = 2, MSR_INDEX = 0x10a };

typedef struct feature {
    const char *name;
    unsigned value; /* the number of the bit: 32 * word + bit */
} feature;

/*
 * Defines an entry for each feature of Xen's header. The header has the names in capitals and with
 * underscores.
 */
#define XEN_CPUFEATURE(name, value) {#name, value},
static const feature features[] = {
#include <xen/arch-x86/cpufeatureset.h>
    {NULL, 0},
};
#undef XEN_CPUFEATURE

/* The table of older names, and of names for bits that the header does not have. */
#define BIT(word, bit) ((word)*BITS + (bit))
static const feature aliases[] = {
    {"tm", BIT(0, 29)},
    {"psn", BIT(0, 18)},
    {"ia64", BIT(0, 30)},
    {"clfsh", BIT(0, 19)},
    {"cntxid", BIT(1, 10)},
    {"cmpxchg16", BIT(1, 13)},
    {"sse4_1", BIT(1, 19)},
    {"sse4.1", BIT(1, 19)},
    {"sse4.2", BIT(1, 20)},
    {"sse4_2", BIT(1, 20)},
    {"aes", BIT(1, 25)},
    {"est", BIT(1, 7)},
    {"sysenter", BIT(0, 11)},
    {"lahfsahf", BIT(3, 0)},
    {"cmplegacy", BIT(3, 1)},
    {"altmovcr8", BIT(3, 4)},
    {"nodeid", BIT(3, 19)},
    {"perfctr_core", BIT(3, 23)},
    {"perfctr_nb", BIT(3, 24)},
    {"tsc_adjust", BIT(5, 1)},
    {"invtsc", BIT(7, 8)},
    {"ppin", BIT(8, 23)},
    {NULL, 0},
};

/* The table of the features whose value is a number in several bits of a register. */
static const struct number {
    const char *name;
    uint32_t leaf, subleaf;
    unsigned reg, bit, bits;
} numbers[] = {
    {"maxleaf", 0, NO_SUBLEAF, EAX, 0, 32},
    {"family", 1, NO_SUBLEAF, EAX, 8, 4},
    {"model", 1, NO_SUBLEAF, EAX, 4, 4},
    {"stepping", 1, NO_SUBLEAF, EAX, 0, 4},
    {"brandid", 1, NO_SUBLEAF, EBX, 0, 8},
    {"clflush", 1, NO_SUBLEAF, EBX, 8, 8},
    {"proccount", 1, NO_SUBLEAF, EBX, 16, 8},
    {"localapicid", 1, NO_SUBLEAF, EBX, 24, 8},
    {"procpkg", 4, 0, EAX, 26, 6},
    {"nc", 0x80000008, NO_SUBLEAF, ECX, 0, 8},
    {"apicidsize", 0x80000008, NO_SUBLEAF, ECX, 12, 4},
    {"maxhvleaf", 0x40000000, NO_SUBLEAF, EAX, 0, 8},
    {NULL, 0, 0, 0, 0, 0},
};

/* ---- the bits of a register as a string */

/*
 * Returns the string of a register, with one character for each bit. If the string is new, all its characters
 * are x. Returns NULL if an error was recorded.
 */
static char *register_of(libxl__xl *x, libxl_cpuid_policy_list *list, libxl__xl_place place, uint32_t leaf,
                         uint32_t subleaf, unsigned reg)
{
    if (libxl__cpuid_leaves(list) >= MOST_LEAVES) {
        libxl__xl_error(x, place, "cpuid: more than %d leaves", MOST_LEAVES);
        return NULL;
    }
    char *bits = libxl__cpuid_register(list, leaf, subleaf, reg);
    return bits ? bits : libxl__xl_no_memory(x);
}

/* Writes a number of `count` bits into a register's string. Bit `first` is the lowest bit of the number. */
static void put_number(char *bits, unsigned first, unsigned count, uint64_t value)
{
    for (unsigned i = 0; i < count; i++)
        bits[BITS - 1 - first - i] = value >> i & 1 ? '1' : '0';
}

static void put_letter(char *bits, unsigned first, unsigned count, char letter)
{
    memset(bits + BITS - first - count, letter, count);
}

/* ---- reading "host,FEATURE=POLICY,..." */

/* Returns whether a name of the file equals a name of the header. */
static bool same(const char *name, const char *capitals)
{
    for (; *name && *capitals; name++, capitals++) {
        char c = *capitals;
        if (c == '_')
            c = '-';
        else if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (*name != c)
            return false;
    }
    return !*name && !*capitals;
}

static const feature *find(const char *name)
{
    for (const feature *f = aliases; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    for (const feature *f = features; f->name; f++)
        if (same(name, f->name))
            return f;
    return NULL;
}

static bool is_policy(const char *text)
{
    return text[0] && !text[1] && strchr("01xks", text[0]);
}

static void read_number(libxl__xl *x, libxl_cpuid_policy_list *list, const struct number *part,
                        const libxl__xl_text *text)
{
    enum { BASE_FAMILY = 15, EXTENDED_FAMILY = 20, EXTENDED_MODEL = 16 };
    int64_t n;
    const bool family = strcmp(part->name, "family") == 0, model = strcmp(part->name, "model") == 0;
    const int64_t most = family ? 270 : model ? 255 : (int64_t)((1ull << part->bits) - 1);
    const bool letter = text->text[0] && !text->text[1] && strchr("xks", text->text[0]) && !family;
    if (!letter && (!libxl__xl_number(text->text, &n) || n < 0 || n > most)) {
        libxl__xl_doubt(x, libxl__xl_place_in(text, 0),
                        "cpuid: %s: a number from 0 to %lld is expected, not '%.40s'", part->name,
                        (long long)most, text->text);
        return;
    }
    char *bits = register_of(x, list, libxl__xl_place_in(text, 0), part->leaf, part->subleaf, part->reg);
    if (!bits)
        return;
    if (letter) {
        put_letter(bits, part->bit, part->bits, text->text[0]);
        if (model)
            put_letter(bits, EXTENDED_MODEL, 4, text->text[0]);
    } else if (family) {
        put_number(bits, part->bit, part->bits, n < BASE_FAMILY ? (uint64_t)n : BASE_FAMILY);
        put_number(bits, EXTENDED_FAMILY, 8, n < BASE_FAMILY ? 0 : (uint64_t)(n - BASE_FAMILY));
    } else {
        put_number(bits, part->bit, part->bits, (uint64_t)n);
        if (model)
            put_number(bits, EXTENDED_MODEL, 4, (uint64_t)n >> 4);
    }
}

static void put_feature(libxl__xl *x, libxl_cpuid_policy_list *list, libxl__xl_place place, const feature *f,
                        char letter)
{
    const unsigned number = f->value / BITS;
    if (number >= MSR_WORD && number < MSR_WORD + MSR_WORDS) {
        char *msr = libxl__cpuid_msr(list, MSR_INDEX);
        if (msr)
            msr[2 * BITS - 1 - (f->value - MSR_WORD * BITS)] = letter;
        else
            libxl__xl_no_memory(x);
        return;
    }
    char *bits = register_of(x, list, place, words[number].leaf, words[number].subleaf, words[number].reg);
    if (bits)
        put_letter(bits, f->value % BITS, 1, letter);
}

static void read_feature(libxl__xl *x, libxl_cpuid_policy_list *list, const libxl__xl_param *param)
{
    const struct number *part = numbers;
    while (part->name && strcmp(part->name, param->key) != 0)
        part++;
    const libxl__xl_place place = libxl__xl_place_in(&param->place, 0);
    const feature *f = find(param->key);
    if (!param->text.text)
        libxl__xl_doubt(x, place, "cpuid: FEATURE=POLICY is expected, not '%.40s'", param->key);
    else if (part->name)
        read_number(x, list, part, &param->text);
    else if (!f || f->value / BITS >= WORDS)
        libxl__xl_doubt(x, place, "cpuid: unknown feature '%.40s'", param->key);
    else if (!is_policy(param->text.text))
        libxl__xl_doubt(x, libxl__xl_place_in(&param->text, 0),
                        "cpuid: %s: '%.40s' is not one of 0, 1, x, k, s", param->key, param->text.text);
    else
        put_feature(x, list, place, f, param->text.text[0]);
}

static void read_names(libxl__xl *x, libxl_cpuid_policy_list *list, const libxl__xl_text *text)
{
    static const libxl__xl_style style = {.skipped = ""};
    libxl__xl_param param;
    size_t at = 0;
    if (!text->text[0])
        return;
    if (!libxl__xl_param_next(x, text, &style, &at, &param) || strcmp(param.key, "host") != 0 ||
        param.text.text) {
        libxl__xl_doubt(x, libxl__xl_place_in(text, 0), "cpuid: the first word must be host");
        return;
    }
    while (libxl__xl_param_next(x, text, &style, &at, &param))
        if (param.key[0] || param.text.text)
            read_feature(x, list, &param);
}

/* ---- reading ["LEAF[,SUBLEAF]:REGISTER=BITS,...", ...] */

/* Reads "LEAF[,SUBLEAF]:". Returns the text after it, or NULL if the text has another form. */
static const char *read_leaf(const char *s, uint32_t *leaf, uint32_t *subleaf)
{
    char *end;
    *subleaf = NO_SUBLEAF;
    if (*s < '0' || *s > '9')
        return NULL;
    const unsigned long n = strtoul(s, &end, 0);
    unsigned long m = 0;
    if (*end == ',' && end[1] >= '0' && end[1] <= '9') {
        m = strtoul(end + 1, &end, 0);
        *subleaf = (uint32_t)m;
    }
    *leaf = (uint32_t)n;
    return n <= UINT32_MAX && m <= UINT32_MAX && *end == ':' ? end + 1 : NULL;
}

static void read_bits(libxl__xl *x, libxl_cpuid_policy_list *list, const libxl__xl_text *item)
{
    static const char *const names[] = {"eax", "ebx", "ecx", "edx"};
    static const libxl__xl_style style = {.skipped = ""};
    uint32_t leaf, subleaf;
    libxl__xl_param param;
    const char *rest = read_leaf(item->text, &leaf, &subleaf);
    if (!rest) {
        libxl__xl_doubt(x, libxl__xl_place_in(item, 0), "cpuid: LEAF:REGISTER=BITS is expected, not '%.40s'",
                        item->text);
        return;
    }
    const libxl__xl_text registers = {item->value, item->offset + (size_t)(rest - item->text), rest};
    for (size_t at = 0; libxl__xl_param_next(x, &registers, &style, &at, &param);) {
        unsigned reg = 0;
        if (!param.key[0] && !param.text.text)
            continue;
        while (reg < REGISTERS && strcmp(names[reg], param.key) != 0)
            reg++;
        if (reg == REGISTERS || !param.text.text) {
            libxl__xl_doubt(x, libxl__xl_place_in(&param.place, 0),
                            "cpuid: '%.40s' is not one of eax, ebx, ecx, edx", param.key);
        } else if (strspn(param.text.text, "01xks") != BITS || param.text.text[BITS]) {
            libxl__xl_doubt(x, libxl__xl_place_in(&param.text, 0),
                            "cpuid: 32 characters of 0, 1, x, k, s are expected");
        } else {
            char *bits = register_of(x, list, libxl__xl_place_in(item, 0), leaf, subleaf, reg);
            if (bits)
                memcpy(bits, param.text.text, BITS);
        }
    }
}

void libxl__xl_read_cpuid(libxl__xl *x, void *object, const libxl__xl_field *field,
                          const libxl__xl_text *text)
{
    libxl_cpuid_policy_list *list = &((libxl_domain_config *)object)->b_info.cpuid;
    libxl__xl_text item;
    if (text->text) {
        read_names(x, list, text);
        return;
    }
    const libxl__xl_value *next = text->value->items;
    while (libxl__xl_item(x, field->name, &next, &item))
        read_bits(x, list, &item);
}

/* ---- writing the key */

void libxl__xl_write_cpuid(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    static const char *const names[] = {"eax", "ebx", "ecx", "edx"};
    const libxl_cpuid_policy_list *list = &((const libxl_domain_config *)object)->b_info.cpuid;
    const int count = (int)libxl__cpuid_leaves(list);
    (void)base;
    libxl__xl_begin_list(out, field->name, count);
    for (int i = 0; i < count; i++) {
        const libxl__cpuid_leaf leaf = libxl__cpuid_leaf_at(list, (uint32_t)i);
        const char *comma = "";
        fprintf(out, leaf.leaf > 0xff ? "0x%x" : "%u", leaf.leaf);
        if (leaf.subleaf != NO_SUBLEAF)
            fprintf(out, ",%u", leaf.subleaf);
        fputc(':', out);
        for (unsigned reg = 0; reg < REGISTERS; reg++)
            if (leaf.registers[reg]) {
                fprintf(out, "%s%s=%s", comma, names[reg], leaf.registers[reg]);
                comma = ",";
            }
        libxl__xl_next_item(out, i, count);
    }
}
