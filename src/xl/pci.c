/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and writes specifications of PCI devices, xl-pci-configuration(5). Owns nothing; takes no lock. */
#include "devices.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"

#define PCI(n, k, f) LIBXL__XL_ROW(n, k, libxl_device_pci, f)

static const libxl__xl_word policies[] = {
    {"strict", LIBXL_RDM_RESERVE_POLICY_STRICT}, {"relaxed", LIBXL_RDM_RESERVE_POLICY_RELAXED}, {NULL, 0}};

/*
 * Reads a hexadecimal number of at most 8 digits, and moves *s behind the number. Returns true. Returns false
 * if *s does not begin with such a number, or if the number is greater than `most`.
 */
static bool hexadecimal(const char **s, unsigned long most, unsigned long *out)
{
    const size_t length = strspn(*s, "0123456789abcdefABCDEF");
    if (!length || length > 8)
        return false;
    *out = strtoul(*s, NULL, 16);
    *s += length;
    return *out <= most;
}

/*
 * Reads [DOMAIN:]BUS:DEVICE.FUNCTION (a BDF). The FUNCTION * means all functions of the device. Returns the text after
 * the BDF, or NULL if the text has another form.
 */
static const char *read_bdf(libxl_device_pci *pci, const char *s)
{
    unsigned long part[3] = {0}, function = 0;
    const size_t colons = strchr(s, ':') && strchr(strchr(s, ':') + 1, ':') ? 2 : 1;
    static const unsigned long most[] = {0xffff, 0xff, 0x1f};
    for (size_t i = 2 - colons; i < 3; i++) {
        if (!hexadecimal(&s, most[i], &part[i]) || *s++ != (i < 2 ? ':' : '.'))
            return NULL;
    }
    if (*s == '*')
        s++;
    else if (!hexadecimal(&s, 7, &function))
        return NULL;
    pci->domain = (int)part[0];
    pci->bus = (uint8_t)part[1];
    pci->dev = (uint8_t)part[2];
    pci->func = (uint8_t)function;
    pci->vfunc_mask = s[-1] == '*' ? LIBXL_PCI_FUNC_ALL : 1;
    return s;
}

static void read_vslot(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    const char *s = text->text;
    unsigned long slot;
    s += strncmp(s, "0x", 2) == 0 ? 2 : 0;
    if (!hexadecimal(&s, 0x1f, &slot) || *s)
        libxl__xl_error(x, libxl__xl_place_in(text, 0),
                        "pci: %s: a hexadecimal number from 0 to 1f is expected, not '%.40s'", field->name,
                        text->text);
    else
        ((libxl_device_pci *)object)->vdevfn = (uint32_t)slot << 3;
}

/* Reads BDF[@VSLOT]. */
static void read_place(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl_device_pci *pci = object;
    const char *end = read_bdf(pci, text->text);
    if (!end || (*end && *end != '@')) {
        libxl__xl_error(x, libxl__xl_place_in(text, end ? (size_t)(end - text->text) : 0),
                        "pci: %s: DOMAIN:BUS:DEVICE.FUNCTION is expected, not '%.40s'", field->name,
                        text->text);
    } else if (*end) {
        const libxl__xl_text slot = {text->value, text->offset + (size_t)(end + 1 - text->text), end + 1};
        read_vslot(x, pci, field, &slot);
    }
}

static void write_vslot(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    (void)base;
    (void)field;
    fprintf(out, "%x", ((const libxl_device_pci *)object)->vdevfn >> 3);
}

enum { BDF };
static const libxl__xl_field parameters[] = {
    [BDF] = {PCI("bdf", SPECIAL, func), .read = read_place},
    {PCI("vslot", SPECIAL, vdevfn), .read = read_vslot, .write = write_vslot},
    {PCI("permissive", BOOL, permissive)},
    {PCI("msitranslate", BOOL, msitranslate)},
    {PCI("seize", BOOL, seize)},
    {PCI("power_mgmt", BOOL, power_mgmt)},
    {PCI("rdm_policy", ENUM, rdm_policy), .words = policies},
    {PCI("name", TEXT, name)},
    {.name = NULL},
};

static const libxl__xl_style style = {.skipped = ""};

void libxl__xl_read_pci(libxl__xl *x, libxl_device_pci *pci, const libxl__xl_text *spec)
{
    /* If the first word has no "=", it is the BDF of the device. */
    libxl__xl_param param;
    size_t at = 0;
    libxl__xl_text rest = *spec;
    if (libxl__xl_param_next(x, spec, &style, &at, &param) && !param.text.text && param.key[0]) {
        libxl__xl_put(x, pci, &parameters[BDF], &param.place);
        rest.text += at;
        rest.offset += at;
    }
    libxl__xl_params(x, pci, "pci", &rest, &style, parameters, LIBXL__XL_ERROR);
    if (!pci->vfunc_mask == !pci->name && !x->rc)
        libxl__xl_error(x, libxl__xl_place_in(spec, 0), "pci: either bdf or name is expected");
}

/* Reads the keys with which a file sets defaults for all PCI devices. */
static void take_defaults(libxl__xl *x, libxl_device_pci *defaults)
{
    static const struct {
        const char *key;
        libxl__xl_field field;
    } keys[] = {
        {"pci_permissive", {PCI("pci_permissive", BOOL, permissive)}},
        {"pci_msitranslate", {PCI("pci_msitranslate", BOOL, msitranslate)}},
        {"pci_seize", {PCI("pci_seize", BOOL, seize)}},
        {"pci_power_mgmt", {PCI("pci_power_mgmt", BOOL, power_mgmt)}},
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        const libxl__xl_setting *setting = libxl__xl_find(x->settings, keys[i].key);
        const libxl__xl_text text = setting ? libxl__xl_whole(setting->value) : (libxl__xl_text){0};
        if (setting)
            libxl__xl_put(x, defaults, &keys[i].field, &text);
    }
}

void libxl__xl_pcis(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl_domain_config *config = object;
    const bool hvm = config->b_info.type == LIBXL_DOMAIN_TYPE_HVM;
    libxl__xl_text item;
    libxl_device_pci defaults;
    if (!libxl__xl_is_list(x, field->name, text))
        return;
    libxl_device_pci_init(&defaults);
    take_defaults(x, &defaults);
    defaults.rdm_policy = hvm ? config->b_info.u.hvm.rdm.policy : LIBXL_RDM_RESERVE_POLICY_STRICT;
    const libxl__xl_value *next = text->value->items;
    while (libxl__xl_item(x, field->name, &next, &item)) {
        libxl_device_pci *pci = libxl__xl_append(x, libxl__xl_place_in(&item, 0), &config->pcidevs,
                                                 &config->num_pcidevs, sizeof(*pci));
        if (!pci)
            return;
        *pci = defaults;
        libxl__xl_read_pci(x, pci, &item);
    }
    /* A PV guest with devices needs the host's memory map. */
    if (config->num_pcidevs && config->b_info.type == LIBXL_DOMAIN_TYPE_PV)
        libxl_defbool_set(&config->b_info.u.pv.e820_host, true);
}

void libxl__xl_write_pcis(FILE *out, const void *object, const void *unused, const libxl__xl_field *field)
{
    const libxl_domain_config *config = object;
    libxl_device_pci base;
    (void)unused;
    libxl_device_pci_init(&base);
    libxl__xl_begin_list(out, field->name, config->num_pcidevs);
    for (int i = 0; i < config->num_pcidevs; i++) {
        const libxl_device_pci *pci = &config->pcidevs[i];
        if (pci->vfunc_mask == LIBXL_PCI_FUNC_ALL)
            fprintf(out, "%04x:%02x:%02x.*,", (unsigned)pci->domain, pci->bus, pci->dev);
        else if (pci->vfunc_mask)
            fprintf(out, "%04x:%02x:%02x.%x,", (unsigned)pci->domain, pci->bus, pci->dev, pci->func);
        libxl__xl_write_params(out, pci, &base, parameters + 1, NULL);
        libxl__xl_next_item(out, i, config->num_pcidevs);
    }
}
