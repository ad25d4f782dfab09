/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads keys that concern every domain: its type, identity, memory and kernel. Owns nothing; takes no lock.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

/* Returns the text of a key. Returns NULL if the file does not have the key or its value is a list. */
static const char *text_of(const libxl__xl_settings *settings, const char *key)
{
    const libxl__xl_setting *setting = libxl__xl_find(settings, key);
    return setting && setting->value->form != LIBXL__XL_LIST ? setting->value->text : NULL;
}

static libxl__xl_place place_of(const libxl__xl_settings *settings, const char *key)
{
    const libxl__xl_setting *setting = libxl__xl_find(settings, key);
    return setting ? libxl__xl_inside(setting->value, 0) : (libxl__xl_place){0};
}

/* ---- the type of the domain */

static const libxl__xl_word types[] = {
    {"pv", LIBXL_DOMAIN_TYPE_PV}, {"pvh", LIBXL_DOMAIN_TYPE_PVH}, {"hvm", LIBXL_DOMAIN_TYPE_HVM}, {NULL, 0}};
static const libxl__xl_word builders[] = {
    {"generic", LIBXL_DOMAIN_TYPE_PV}, {"hvm", LIBXL_DOMAIN_TYPE_HVM}, {NULL, 0}};

/*
 * Reads a key whose value is a type of domain. If the file does not have the key, *type is unchanged. Returns
 * true, or false after an error.
 */
static bool type_key(libxl__xl *x, const libxl__xl_settings *settings, const char *key,
                     const libxl__xl_word *words, libxl_domain_type *type)
{
    const char *text = text_of(settings, key);
    const libxl__xl_word *word = text ? libxl__xl_word_named(words, text, false) : NULL;
    if (!text)
        return true;
    if (!word) {
        libxl__xl_error(x, place_of(settings, key), "%s: '%.40s' is not one of %s", key, text,
                        words == types ? "pv, pvh, hvm" : "generic, hvm");
        return false;
    }
    *type = (libxl_domain_type)word->value;
    return true;
}

bool libxl__xl_read_type(libxl__xl *x, libxl_domain_config *config, const libxl__xl_settings *settings)
{
    libxl_domain_type type = LIBXL_DOMAIN_TYPE_INVALID, builder = LIBXL_DOMAIN_TYPE_INVALID;
    if (!type_key(x, settings, "type", types, &type) || !type_key(x, settings, "builder", builders, &builder))
        return false;
    if (type == LIBXL_DOMAIN_TYPE_INVALID)
        type = builder != LIBXL_DOMAIN_TYPE_INVALID ? builder : LIBXL_DOMAIN_TYPE_PV;
    else if (builder != LIBXL_DOMAIN_TYPE_INVALID && builder != type) {
        libxl__xl_error(x, place_of(settings, "builder"), "builder: contradicts type");
        return false;
    }
    if (builder != LIBXL_DOMAIN_TYPE_INVALID)
        libxl__xl_warn(x, place_of(settings, "builder"), "builder: this name is deprecated; use type=\"%s\"",
                       type == LIBXL_DOMAIN_TYPE_PV ? "pv" : "hvm");
    config->c_info.type = type;
    libxl_domain_build_info_init_type(&config->b_info, type);
    return true;
}

/* ---- the name, the UUID and the labels */

void libxl__xl_read_uuid(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl_domain_config *config = object;
    if (!text->text || strlen(text->text) != 36 || libxl_uuid_from_string(&config->c_info.uuid, text->text))
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "%s: a UUID is expected, not '%.40s'", field->name,
                        text->text ? text->text : "a list");
}

/*
 * Reads the key seclabel. If the file has no init_seclabel, seclabel is the only label of the domain. If the
 * file has init_seclabel, the domain is made with the label init_seclabel, and gets the label seclabel after
 * its build.
 */
void libxl__xl_read_seclabel(libxl__xl *x, void *object, const libxl__xl_field *field,
                             const libxl__xl_text *text)
{
    libxl_domain_config *config = object;
    if (!text->text) {
        libxl__xl_doubt(x, libxl__xl_place_in(text, 0), "%s: a string is expected, not a list", field->name);
        return;
    }
    if (field->name[0] == 'i' && config->c_info.ssid_label)
        libxl__xl_put_string(x, &config->b_info.exec_ssid_label, config->c_info.ssid_label);
    libxl__xl_put_string(x, &config->c_info.ssid_label, text->text);
}

/*
 * Reads a key whose value may be a string or a list. A string is stored in the row's field, and a list in
 * another field.
 */
void libxl__xl_read_one_or_list(libxl__xl *x, void *object, const libxl__xl_field *field,
                                const libxl__xl_text *text)
{
    const bool serial = field->offset == offsetof(libxl_domain_config, b_info.u.hvm.serial);
    libxl__xl_field row = *field;
    row.kind = text->text ? LIBXL__XL_TEXT : LIBXL__XL_STRINGS;
    if (!text->text)
        row.offset = serial ? offsetof(libxl_domain_config, b_info.u.hvm.serial_list)
                            : offsetof(libxl_domain_config, b_info.u.hvm.usbdevice_list);
    libxl__xl_put(x, object, &row, text);
}

/* ---- memory and processors */

static bool number(libxl__xl *x, const libxl__xl_field *field, const libxl__xl_text *text, int64_t most,
                   int64_t *out)
{
    if (!text->text || !libxl__xl_number(text->text, out)) {
        libxl__xl_doubt(x, libxl__xl_place_in(text, 0), "%s: a number is expected, not '%.40s'", field->name,
                        text->text ? text->text : "a list");
        return false;
    }
    if (*out >= 0 && *out <= most)
        return true;
    libxl__xl_error(x, libxl__xl_place_in(text, 0), "%s: %lld is not between 0 and %lld", field->name,
                    (long long)*out, (long long)most);
    return false;
}

void libxl__xl_read_memory(libxl__xl *x, void *object, const libxl__xl_field *field,
                           const libxl__xl_text *text)
{
    libxl_domain_config *config = object;
    int64_t mib;
    if (number(x, field, text, INT32_MAX, &mib))
        config->b_info.max_memkb = config->b_info.target_memkb = (uint64_t)mib << 10;
}

/*
 * Reads the key vcpus. Also sets max_vcpus. If the file has the key maxvcpus, that key is read later and
 * replaces max_vcpus.
 */
void libxl__xl_read_vcpus(libxl__xl *x, void *object, const libxl__xl_field *field,
                          const libxl__xl_text *text)
{
    libxl_domain_config *config = object;
    int64_t n;
    if (!number(x, field, text, LIBXL__XL_MAX_CPUS, &n) || !n)
        return;
    config->b_info.max_vcpus = (int)n;
    if (libxl_bitmap_alloc(NULL, &config->b_info.avail_vcpus, (int)n))
        libxl__xl_no_memory(x);
    for (int i = 0; i < n; i++)
        libxl_bitmap_set(&config->b_info.avail_vcpus, i);
}

static void finish_vcpus(libxl__xl *x, libxl_domain_config *config, const libxl__xl_settings *settings)
{
    libxl_domain_build_info *b = &config->b_info;
    const int most = b->max_vcpus ? b->max_vcpus : 1;
    if (!b->avail_vcpus.size) { /* the file has no key vcpus, so one processor is online */
        if (libxl_bitmap_alloc(NULL, &b->avail_vcpus, 1))
            libxl__xl_no_memory(x);
        libxl_bitmap_set(&b->avail_vcpus, 0);
    }
    const int online = libxl_bitmap_count_set(&b->avail_vcpus);
    if (online > most)
        libxl__xl_error(x, place_of(settings, "maxvcpus"), "maxvcpus: less than vcpus, %d", online);
    if (online == most) /* all processors are online; the initial value has the same meaning */
        libxl_bitmap_dispose(&b->avail_vcpus);
    if (b->max_memkb != LIBXL_MEMKB_DEFAULT && b->target_memkb != LIBXL_MEMKB_DEFAULT &&
        b->max_memkb < b->target_memkb)
        libxl__xl_doubt(x, place_of(settings, "maxmem"), "maxmem: less than memory");
}

/* ---- the kernel */

void libxl__xl_read_bootloader_args(libxl__xl *x, void *object, const libxl__xl_field *field,
                                    const libxl__xl_text *text)
{
    libxl_domain_build_info *b = &((libxl_domain_config *)object)->b_info;
    const libxl__xl_field row = {.name = field->name,
                                 .kind = LIBXL__XL_STRINGS,
                                 LIBXL__XL_AT(libxl_domain_build_info, bootloader_args)};
    if (!text->text) {
        libxl__xl_put(x, b, &row, text);
        return;
    }
    libxl__xl_warn(x, libxl__xl_place_in(text, 0), "%s: a single string is deprecated; use a list",
                   field->name);
    char **words = calloc(strlen(text->text) / 2 + 2, sizeof(char *)), *rest = NULL;
    char *copy = libxl__xl_copy(x, text->text, strlen(text->text));
    if (!words || !copy) {
        libxl__xl_no_memory(x);
        free(words);
        return;
    }
    size_t n = 0;
    for (char *word = strtok_r(copy, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest))
        libxl__xl_put_string(x, &words[n++], word);
    libxl_string_list_dispose(&b->bootloader_args);
    b->bootloader_args = words;
    if (!n)
        libxl_string_list_dispose(&b->bootloader_args);
}

#define GRUB "/usr/lib/xen-4.17/boot/"

/*
 * Reads the key firmware. For an HVM domain the value is a word or the path of the firmware. For other types
 * it is a boot loader that runs in the guest instead of a kernel.
 */
void libxl__xl_read_firmware(libxl__xl *x, void *object, const libxl__xl_field *field,
                             const libxl__xl_text *text)
{
    libxl_domain_build_info *b = &((libxl_domain_config *)object)->b_info;
    static const libxl__xl_word words[] = {
        {"uefi", LIBXL_BIOS_TYPE_OVMF},       {"ovmf", LIBXL_BIOS_TYPE_OVMF},
        {"seabios", LIBXL_BIOS_TYPE_SEABIOS}, {"rombios", LIBXL_BIOS_TYPE_ROMBIOS},
        {"bios", LIBXL_BIOS_TYPE_UNKNOWN},    {NULL, 0}};
    const bool hvm = b->type == LIBXL_DOMAIN_TYPE_HVM;
    const libxl__xl_word *word = text->text && hvm ? libxl__xl_word_named(words, text->text, false) : NULL;
    if (!text->text) {
        libxl__xl_doubt(x, libxl__xl_place_in(text, 0), "%s: a string is expected, not a list", field->name);
    } else if (word && word->value) {
        b->u.hvm.bios = (libxl_bios_type)word->value;
    } else if (hvm && !word) {
        libxl__xl_put_string(x, &b->u.hvm.firmware, text->text);
    } else if (!hvm && b->kernel) {
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "%s: the file also has a kernel", field->name);
    } else if (!hvm && strcmp(text->text, "pvgrub32") == 0) {
        libxl__xl_put_string(x, &b->kernel, GRUB "pvgrub32.bin");
    } else if (!hvm && strcmp(text->text, "pvgrub64") == 0) {
        libxl__xl_put_string(x, &b->kernel, GRUB "pvgrub64.bin");
    } else if (!hvm) {
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "%s: '%.40s' is not one of pvgrub32, pvgrub64",
                        field->name, text->text);
    }
}

/*
 * Sets the command line to the value of the key cmdline. If the file has no cmdline, the command line is made
 * of the keys root and extra.
 */
static void finish_cmdline(libxl__xl *x, libxl_domain_build_info *b, const libxl__xl_settings *settings)
{
    const char *root = text_of(settings, "root"), *extra = text_of(settings, "extra");
    if (b->cmdline) {
        if (root || extra)
            libxl__xl_warn(x, place_of(settings, root ? "root" : "extra"), "%s: has no effect beside cmdline",
                           root ? "root" : "extra");
        return;
    }
    const char *parts[] = {root ? "root=" : "", root ? root : "", root && extra ? " " : "",
                           extra ? extra : ""};
    size_t length = 1;
    for (size_t i = 0; i < 4; i++)
        length += strlen(parts[i]);
    b->cmdline = root || extra ? calloc(1, length) : NULL;
    if (!b->cmdline && (root || extra))
        libxl__xl_no_memory(x);
    char *end = b->cmdline;
    for (size_t i = 0; end && i < 4; i++)
        end = stpcpy(end, parts[i]);
}

/*
 * Removes the kernel of an HVM domain if the kernel is hvmloader. Old files give the path of hvmloader in the key
 * kernel, but the builder finds hvmloader itself. Records an error if a domain of another type has neither a kernel
 * nor a boot loader.
 */
static void finish_kernel(libxl__xl *x, libxl_domain_build_info *b, const libxl__xl_settings *settings)
{
    static const char firmware[] = "hvmloader";
    if (b->type != LIBXL_DOMAIN_TYPE_HVM) {
        if (!b->kernel && !b->bootloader)
            libxl__xl_error(x, (libxl__xl_place){0}, "neither kernel nor bootloader is given");
        return;
    }
    const size_t length = b->kernel ? strlen(b->kernel) : 0, tail = sizeof(firmware) - 1;
    if (length < tail || strcmp(b->kernel + length - tail, firmware) != 0)
        return;
    libxl__xl_warn(x, place_of(settings, "kernel"),
                   "kernel: an HVM domain's firmware is not its kernel; it is ignored");
    free(b->kernel);
    b->kernel = NULL;
}

void libxl__xl_finish(libxl__xl *x, libxl_domain_config *config, const libxl__xl_settings *settings)
{
    const libxl_xl_host *host = x->host;
    if (!config->c_info.name)
        libxl__xl_error(x, (libxl__xl_place){0}, "name is missing");
    if (config->c_info.type == LIBXL_DOMAIN_TYPE_PV)
        libxl__xl_read_vnc_of_pv(x, config);
    finish_vcpus(x, config, settings);
    finish_cmdline(x, &config->b_info, settings);
    finish_kernel(x, &config->b_info, settings);
    if (!host)
        return;
    libxl_domain_build_info *b = &config->b_info;
    config->c_info.run_hotplug_scripts = host->run_hotplug_scripts;
    b->claim_mode = host->claim_mode;
    if (host->blkdev_start)
        libxl__xl_put_string(x, &b->blkdev_start, host->blkdev_start);
    if (b->max_grant_frames == LIBXL_MAX_GRANT_DEFAULT)
        b->max_grant_frames = host->max_grant_frames;
    if (b->max_maptrack_frames == LIBXL_MAX_GRANT_DEFAULT)
        b->max_maptrack_frames = host->max_maptrack_frames;
    if (b->max_grant_version < 0)
        b->max_grant_version = host->max_grant_version;
}
