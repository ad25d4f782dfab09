/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads and writes the resources of the host that a domain may use: ioports, irqs, iomem and dtdev. Owns
 * nothing; takes no lock.
 */
#include "devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Reads a number in the base `base`, and moves *s behind the number. Returns true. Returns false if *s does
 * not begin with a number, or if the number is greater than `most`.
 */
static bool number(const char **s, int base, uint64_t most, uint64_t *out)
{
    char *end;
    if (!strchr("0123456789abcdefABCDEF", **s) || !**s)
        return false;
    errno = 0;
    *out = strtoull(*s, &end, base);
    if (end == *s || errno || *out > most)
        return false;
    *s = end;
    return true;
}

/* A function that reads one text into an element of an array. Returns true, or false if the text is wrong. */
typedef bool element(const char *s, void *out);

/* Reads FIRST or FIRST-LAST in hexadecimal digits. */
static bool ioport(const char *s, void *out)
{
    libxl_ioport_range *range = out;
    uint64_t first, last;
    if (!number(&s, 16, UINT32_MAX, &first))
        return false;
    last = first;
    if (*s == '-' && (s++, !number(&s, 16, UINT32_MAX, &last)))
        return false;
    *range = (libxl_ioport_range){(uint32_t)first, (uint32_t)(last - first + 1)};
    return !*s && first <= last && last - first < UINT32_MAX;
}

/* Reads a decimal number. */
static bool irq(const char *s, void *out)
{
    uint64_t n;
    if (!number(&s, 10, UINT32_MAX, &n))
        return false;
    *(uint32_t *)out = (uint32_t)n;
    return !*s;
}

/* Reads START,COUNT[@GFN] in hexadecimal digits. */
static bool iomem(const char *s, void *out)
{
    libxl_iomem_range *range = out;
    libxl_iomem_range_init(range);
    if (!number(&s, 16, UINT64_MAX, &range->start) || *s++ != ',' ||
        !number(&s, 16, UINT64_MAX, &range->number))
        return false;
    if (*s == '@' && (s++, !number(&s, 16, UINT64_MAX, &range->gfn)))
        return false;
    return !*s;
}

static void read_list(libxl__xl *x, const char *key, const libxl__xl_text *text, void *array, int *count,
                      size_t size, element *read, const char *expected)
{
    libxl__xl_text item;
    if (!libxl__xl_is_list(x, key, text))
        return;
    const libxl__xl_value *next = text->value->items;
    while (libxl__xl_item(x, key, &next, &item)) {
        void *out = libxl__xl_append(x, libxl__xl_place_in(&item, 0), array, count, size);
        if (!out)
            return;
        if (!read(item.text, out))
            libxl__xl_error(x, libxl__xl_place_in(&item, 0), "%s: %s is expected, not '%.40s'", key, expected,
                            item.text);
    }
}

void libxl__xl_ioports(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl_domain_build_info *b = &((libxl_domain_config *)object)->b_info;
    read_list(x, field->name, text, &b->ioports, &b->num_ioports, sizeof(*b->ioports), ioport,
              "a hexadecimal port or a range such as 2f8-2ff");
}

void libxl__xl_irqs(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl_domain_build_info *b = &((libxl_domain_config *)object)->b_info;
    read_list(x, field->name, text, &b->irqs, &b->num_irqs, sizeof(*b->irqs), irq, "a decimal number");
}

void libxl__xl_iomem(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl_domain_build_info *b = &((libxl_domain_config *)object)->b_info;
    read_list(x, field->name, text, &b->iomem, &b->num_iomem, sizeof(*b->iomem), iomem,
              "START,COUNT or START,COUNT@GFN, hexadecimal,");
}

void libxl__xl_dtdevs(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl_domain_config *config = object;
    libxl__xl_text item;
    if (!libxl__xl_is_list(x, field->name, text))
        return;
    const libxl__xl_value *next = text->value->items;
    while (libxl__xl_item(x, field->name, &next, &item)) {
        libxl_device_dtdev *device = libxl__xl_append(x, libxl__xl_place_in(&item, 0), &config->dtdevs,
                                                      &config->num_dtdevs, sizeof(*device));
        if (!device)
            return;
        libxl_device_dtdev_init(device);
        libxl__xl_put_string(x, &device->path, item.text);
    }
}

/* ---- writing the keys */

void libxl__xl_write_ioports(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const libxl_domain_build_info *b = &((const libxl_domain_config *)object)->b_info;
    (void)base;
    libxl__xl_begin_list(out, field->name, b->num_ioports);
    for (int i = 0; i < b->num_ioports; i++) {
        fprintf(out, "%x-%x", b->ioports[i].first, b->ioports[i].first + b->ioports[i].number - 1);
        libxl__xl_next_item(out, i, b->num_ioports);
    }
}

void libxl__xl_write_irqs(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const libxl_domain_build_info *b = &((const libxl_domain_config *)object)->b_info;
    (void)base;
    libxl__xl_begin_list(out, field->name, b->num_irqs);
    for (int i = 0; i < b->num_irqs; i++) {
        fprintf(out, "%u", b->irqs[i]);
        libxl__xl_next_item(out, i, b->num_irqs);
    }
}

void libxl__xl_write_iomem(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const libxl_domain_build_info *b = &((const libxl_domain_config *)object)->b_info;
    (void)base;
    libxl__xl_begin_list(out, field->name, b->num_iomem);
    for (int i = 0; i < b->num_iomem; i++) {
        const libxl_iomem_range *range = &b->iomem[i];
        fprintf(out, "%llx,%llx", (unsigned long long)range->start, (unsigned long long)range->number);
        if (range->gfn != LIBXL_INVALID_GFN)
            fprintf(out, "@%llx", (unsigned long long)range->gfn);
        libxl__xl_next_item(out, i, b->num_iomem);
    }
}

void libxl__xl_write_dtdevs(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const libxl_domain_config *config = object;
    (void)base;
    libxl__xl_begin_list(out, field->name, config->num_dtdevs);
    for (int i = 0; i < config->num_dtdevs; i++) {
        libxl__xl_write_escaped(out, config->dtdevs[i].path ? config->dtdevs[i].path : "");
        libxl__xl_next_item(out, i, config->num_dtdevs);
    }
}
