/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads and writes keys of HVM domains for which a row of the table is not enough. Owns nothing; takes no
 * lock.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <libxl_utils.h>

#include "devices.h"
#include "write.h"

typedef __typeof__(((libxl_domain_build_info *)0)->u.hvm) hvm_info;

static hvm_info *hvm_of(void *config)
{
    return &((libxl_domain_config *)config)->b_info.u.hvm;
}

static bool is_text(libxl__xl *x, const libxl__xl_field *field, const libxl__xl_text *text)
{
    if (!text->text)
        libxl__xl_doubt(x, libxl__xl_place_in(text, 0), "%s: a string is expected, not a list", field->name);
    return text->text;
}

/* ---- the key viridian */

enum { GROUPS = 64 }; /* the number of bits that the word "all" sets, as in xl */

static const libxl__xl_word groups[] = {
    {"base", 0},
    {"freq", 1},
    {"time_ref_count", 2},
    {"reference_tsc", 3},
    {"hcall_remote_tlb_flush", 4},
    {"apic_assist", 5},
    {"crash_ctl", 6},
    {"synic", 7},
    {"stimer", 8},
    {"hcall_ipi", 9},
    {"ex_processor_masks", 10},
    {"no_vp_limit", 11},
    {"cpu_hotplug", 12},
    {NULL, 0},
};

static void read_group(libxl__xl *x, hvm_info *hvm, const libxl__xl_field *field, const libxl__xl_text *item)
{
    const bool disabled = item->text[0] == '!';
    const libxl__xl_word *group = libxl__xl_word_named(groups, item->text + disabled, true);
    if (group) {
        libxl_bitmap_set(disabled ? &hvm->viridian_disable : &hvm->viridian_enable, group->value);
        libxl_bitmap_reset(disabled ? &hvm->viridian_enable : &hvm->viridian_disable, group->value);
    } else if (strcmp(item->text, "all") == 0) {
        libxl_bitmap_set_any(&hvm->viridian_enable);
    } else if (strcmp(item->text, "defaults") == 0) {
        libxl_defbool_set(&hvm->viridian, true);
    } else {
        libxl__xl_error(x, libxl__xl_place_in(item, 0), "%s: unknown group '%.40s'", field->name, item->text);
    }
}

void libxl__xl_read_viridian(libxl__xl *x, void *object, const libxl__xl_field *field,
                             const libxl__xl_text *text)
{
    hvm_info *hvm = hvm_of(object);
    libxl__xl_text item;
    if (text->text) {
        const libxl__xl_field row = {.name = field->name,
                                     .kind = LIBXL__XL_DEFBOOL,
                                     LIBXL__XL_AT(libxl_domain_config, b_info.u.hvm.viridian)};
        libxl__xl_put(x, object, &row, text);
        return;
    }
    if (libxl_bitmap_alloc(NULL, &hvm->viridian_enable, GROUPS) ||
        libxl_bitmap_alloc(NULL, &hvm->viridian_disable, GROUPS)) {
        libxl__xl_no_memory(x);
        return;
    }
    const libxl__xl_value *next = text->value->items;
    while (libxl__xl_item(x, field->name, &next, &item))
        read_group(x, hvm, field, &item);
    if (libxl_bitmap_is_empty(&hvm->viridian_enable))
        libxl_bitmap_dispose(&hvm->viridian_enable);
    if (libxl_bitmap_is_empty(&hvm->viridian_disable))
        libxl_bitmap_dispose(&hvm->viridian_disable);
}

/* ---- other keys */

void libxl__xl_read_mca_caps(libxl__xl *x, void *object, const libxl__xl_field *field,
                             const libxl__xl_text *text)
{
    enum { LMCE = 1 };
    libxl__xl_text item;
    if (text->text) {
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "%s: a list is expected", field->name);
        return;
    }
    const libxl__xl_value *next = text->value->items;
    while (libxl__xl_item(x, field->name, &next, &item)) {
        if (strcmp(item.text, "lmce") == 0)
            hvm_of(object)->mca_caps |= LMCE;
        else
            libxl__xl_error(x, libxl__xl_place_in(&item, 0), "%s: '%.40s' is not lmce", field->name,
                            item.text);
    }
}

void libxl__xl_read_genid(libxl__xl *x, void *object, const libxl__xl_field *field,
                          const libxl__xl_text *text)
{
    libxl_ms_vm_genid *id = &hvm_of(object)->ms_vm_genid;
    if (!is_text(x, field, text))
        return;
    if (strcmp(text->text, "generate") == 0) {
        while (getrandom(id->bytes, sizeof(id->bytes), 0) < 0 && errno == EINTR)
            ;
    } else if (strcmp(text->text, "none") != 0) {
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "%s: '%.40s' is not one of generate, none",
                        field->name, text->text);
    }
}

/*
 * Reads the key stdvga, a boolean. If the file also has the key vga, that key is read later and replaces the value of
 * stdvga.
 */
void libxl__xl_read_stdvga(libxl__xl *x, void *object, const libxl__xl_field *field,
                           const libxl__xl_text *text)
{
    int64_t on;
    if (!is_text(x, field, text))
        return;
    if (libxl__xl_number(text->text, &on))
        hvm_of(object)->vga.kind = on ? LIBXL_VGA_INTERFACE_TYPE_STD : LIBXL_VGA_INTERFACE_TYPE_CIRRUS;
    else
        libxl__xl_doubt(x, libxl__xl_place_in(text, 0), "%s: a number is expected, not '%.40s'", field->name,
                        text->text);
}

/* Reads the key gfx_passthru: a boolean, or the kind of the graphics card. */
void libxl__xl_read_gfx_passthru(libxl__xl *x, void *object, const libxl__xl_field *field,
                                 const libxl__xl_text *text)
{
    static const libxl__xl_word kinds[] = {
        {"default", LIBXL_GFX_PASSTHRU_KIND_DEFAULT}, {"igd", LIBXL_GFX_PASSTHRU_KIND_IGD}, {NULL, 0}};
    hvm_info *hvm = hvm_of(object);
    int64_t on;
    if (!is_text(x, field, text))
        return;
    const libxl__xl_word *kind = libxl__xl_word_named(kinds, text->text, true);
    if (kind) {
        libxl_defbool_set(&hvm->gfx_passthru, true);
        hvm->gfx_passthru_kind = (libxl_gfx_passthru_kind)kind->value;
    } else if (libxl__xl_number(text->text, &on)) {
        libxl_defbool_set(&hvm->gfx_passthru, on);
    } else {
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "%s: '%.40s' is not a number, default or igd",
                        field->name, text->text);
    }
}

static const libxl__xl_word strategies[] = {{"host", LIBXL_RDM_RESERVE_STRATEGY_HOST}, {NULL, 0}};
static const libxl__xl_word policies[] = {
    {"strict", LIBXL_RDM_RESERVE_POLICY_STRICT}, {"relaxed", LIBXL_RDM_RESERVE_POLICY_RELAXED}, {NULL, 0}};
static const libxl__xl_field rdm_parameters[] = {
    {LIBXL__XL_ROW("strategy", ENUM, libxl_rdm_reserve, strategy), .words = strategies},
    {LIBXL__XL_ROW("policy", ENUM, libxl_rdm_reserve, policy), .words = policies},
    {.name = NULL},
};

/* Reads the parameters of reserved device memory: strategy=host, policy=strict or policy=relaxed. */
void libxl__xl_read_rdm(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    static const libxl__xl_style style = {.skipped = ""};
    if (is_text(x, field, text))
        libxl__xl_params(x, &hvm_of(object)->rdm, field->name, text, &style, rdm_parameters, LIBXL__XL_DOUBT);
}

/* ---- writing keys */

static const hvm_info *info_of(const void *config)
{
    return &((const libxl_domain_config *)config)->b_info.u.hvm;
}

/* Writes 0 or 1, or the list of groups if the configuration names groups. */
void libxl__xl_write_viridian(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const hvm_info *hvm = info_of(object);
    const bool groups_given = hvm->viridian_enable.size || hvm->viridian_disable.size;
    const bool all = libxl_bitmap_test(&hvm->viridian_enable, GROUPS - 1);
    (void)base;
    if (!groups_given) {
        if (!libxl_defbool_is_default(hvm->viridian))
            fprintf(out, "%s = %d\n", field->name, libxl_defbool_val(hvm->viridian));
        return;
    }
    fprintf(out, "%s = [ ", field->name);
    if (libxl_defbool_val(hvm->viridian))
        fputs("\"defaults\", ", out);
    if (all)
        fputs("\"all\", ", out);
    for (const libxl__xl_word *group = groups; group->word; group++) {
        if (libxl_bitmap_test(&hvm->viridian_enable, group->value) && !all)
            fprintf(out, "\"%s\", ", group->word);
        if (libxl_bitmap_test(&hvm->viridian_disable, group->value))
            fprintf(out, "\"!%s\", ", group->word);
    }
    fputs("]\n", out);
}

void libxl__xl_write_mca_caps(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    (void)base;
    if (info_of(object)->mca_caps)
        fprintf(out, "%s = [ \"lmce\" ]\n", field->name);
}

/* Writes "generate", because a file cannot contain a generation id. Each reading of the file generates a new one. */
void libxl__xl_write_genid(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    (void)base;
    if (!libxl_ms_vm_genid_is_zero(&info_of(object)->ms_vm_genid))
        fprintf(out, "%s = \"generate\"\n", field->name);
}

void libxl__xl_write_gfx_passthru(FILE *out, const void *object, const void *base,
                                  const libxl__xl_field *field)
{
    const hvm_info *hvm = info_of(object);
    (void)base;
    if (hvm->gfx_passthru_kind == LIBXL_GFX_PASSTHRU_KIND_IGD)
        fprintf(out, "%s = \"igd\"\n", field->name);
    else if (!libxl_defbool_is_default(hvm->gfx_passthru))
        fprintf(out, "%s = %d\n", field->name, libxl_defbool_val(hvm->gfx_passthru));
}

void libxl__xl_write_rdm(FILE *out, const void *object, const void *unused, const libxl__xl_field *field)
{
    const libxl_rdm_reserve *rdm = &info_of(object)->rdm;
    libxl_rdm_reserve base;
    (void)unused;
    libxl_rdm_reserve_init(&base);
    if (rdm->strategy == base.strategy && rdm->policy == base.policy)
        return;
    fprintf(out, "%s = \"", field->name);
    libxl__xl_write_params(out, rdm, &base, rdm_parameters, NULL);
    fputs("\"\n", out);
}
