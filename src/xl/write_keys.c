/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the keys for which a row of the table is not enough. Owns nothing; takes no lock. */
#include "config.h"

#include <string.h>

#include <libxl_utils.h>

#include "write.h"

#define INFO(object) (&((const libxl_domain_config *)(object))->b_info)
#define UNUSED(name) (void)(name)

void libxl__xl_write_type(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const char *word = libxl_domain_type_to_string(((const libxl_domain_config *)object)->c_info.type);
    UNUSED(base);
    fprintf(out, "%s = \"%s\"\n", field->name, word ? word : "");
}

void libxl__xl_write_uuid(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const libxl_uuid *uuid = &((const libxl_domain_config *)object)->c_info.uuid;
    UNUSED(base);
    if (!libxl_uuid_is_nil(uuid))
        fprintf(out, "%s = \"" LIBXL_UUID_FMT "\"\n", field->name, LIBXL_UUID_BYTES(*uuid));
}

/*
 * Writes the labels of a domain. If the domain gets a second label after its build, the second label is
 * written as seclabel, and the first label as init_seclabel. If the domain has only one label, that label is
 * written as seclabel.
 */
void libxl__xl_write_seclabel(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const char *now = ((const libxl_domain_config *)object)->c_info.ssid_label;
    const char *later = INFO(object)->exec_ssid_label;
    const bool init = field->name[0] == 'i';
    const char *label = init ? (later ? now : NULL) : later ? later : now;
    UNUSED(base);
    if (!label)
        return;
    fprintf(out, "%s = ", field->name);
    libxl__xl_write_string(out, label);
    fputc('\n', out);
}

void libxl__xl_write_memory(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    UNUSED(base);
    if (INFO(object)->target_memkb != LIBXL_MEMKB_DEFAULT)
        fprintf(out, "%s = %llu\n", field->name, (unsigned long long)INFO(object)->target_memkb >> 10);
}

void libxl__xl_write_maxmem(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const libxl_domain_build_info *b = INFO(object);
    UNUSED(base);
    if (b->max_memkb != LIBXL_MEMKB_DEFAULT && b->max_memkb != b->target_memkb)
        fprintf(out, "%s = %llu\n", field->name, (unsigned long long)b->max_memkb >> 10);
}

/* Returns the number of vcpus that are online at the start. */
static int online(const libxl_domain_build_info *b)
{
    const int n = libxl_bitmap_count_set(&b->avail_vcpus);
    return n ? n : b->max_vcpus ? b->max_vcpus : 1;
}

void libxl__xl_write_vcpus(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    UNUSED(base);
    if (INFO(object)->max_vcpus || online(INFO(object)) != 1)
        fprintf(out, "%s = %d\n", field->name, online(INFO(object)));
}

void libxl__xl_write_maxvcpus(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    UNUSED(base);
    if ((INFO(object)->max_vcpus && online(INFO(object)) != INFO(object)->max_vcpus) ||
        INFO(object)->num_vnuma_nodes)
        fprintf(out, "%s = %d\n", field->name, INFO(object)->max_vcpus);
}

/*
 * Writes the affinities as one list for all vcpus, or as an array with one list for each vcpu. A file with an array
 * turns automatic placement off, and so does an empty array. So an array is written if numa_placement has a value.
 */
void libxl__xl_write_cpus(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const libxl_domain_build_info *b = INFO(object);
    const bool soft = field->name[4] == '_', placed = libxl_defbool_is_default(b->numa_placement);
    const libxl_bitmap *maps = soft ? b->vcpu_soft_affinity : b->vcpu_hard_affinity;
    const int count = soft ? b->num_vcpu_soft_affinity : b->num_vcpu_hard_affinity;
    UNUSED(base);
    if (count && placed) {
        fprintf(out, "%s = \"", field->name);
        libxl__xl_write_bits(out, maps);
        fputs("\"\n", out);
        return;
    }
    if (!count && (placed || soft || b->num_vcpu_soft_affinity || b->num_vnuma_nodes))
        return;
    fprintf(out, "%s = [ ", field->name);
    for (int i = 0; i < count; i++) {
        fputc('"', out);
        libxl__xl_write_bits(out, &maps[i]);
        fputs(i + 1 < count ? "\", " : "\" ", out);
    }
    fputs("]\n", out);
}

static void write_list(FILE *out, const char *key, libxl_string_list strings)
{
    const libxl__xl_field row = {.name = key, .kind = LIBXL__XL_STRINGS, .size = sizeof(strings)};
    libxl__xl_write_key(out, &strings, &strings, &row);
}

void libxl__xl_write_bootloader_args(FILE *out, const void *object, const void *base,
                                     const libxl__xl_field *field)
{
    UNUSED(base);
    write_list(out, field->name, INFO(object)->bootloader_args);
}

void libxl__xl_write_one_or_list(FILE *out, const void *object, const void *base,
                                 const libxl__xl_field *field)
{
    const bool serial = field->name[0] == 's';
    const char *one = serial ? INFO(object)->u.hvm.serial : INFO(object)->u.hvm.usbdevice;
    UNUSED(base);
    if (one) {
        fprintf(out, "%s = ", field->name);
        libxl__xl_write_string(out, one);
        fputc('\n', out);
    } else {
        write_list(out, field->name,
                   serial ? INFO(object)->u.hvm.serial_list : INFO(object)->u.hvm.usbdevice_list);
    }
}
