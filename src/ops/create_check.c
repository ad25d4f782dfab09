/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks a domain's configuration before anything is made. Each message begins with the path of the field.
 *
 * Owns: nothing. The caller holds the context's lock.
 */
#include "create.h"
#include "_libxl_types_json.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

enum {
    LEAST_PV_KB = 4 << 10,
    /* The smallest memory of a PVH guest, including the builder's tables and the shared pages, in KiB. */
    LEAST_PVH_KB = 20 << 10,
    NAME_LENGTH = 255,
    LONGEST_PVH_CMDLINE = 65535, /* the longest command line that any kernel accepts, in octets */
};

#define MOST_KB (16ull << 30) /* the greatest memory: 16 TiB, the limit of the hypervisor's address space */

int libxl__check_name(libxl__ao *ao, const char *field, const char *name)
{
    if (!name || !*name)
        return libxl__ao_fail(ao, ERROR_INVAL, "%s: missing", field);
    if (strlen(name) > NAME_LENGTH)
        return libxl__ao_fail(ao, ERROR_INVAL, "%s: longer than %d octets", field, NAME_LENGTH);
    if (isdigit((unsigned char)*name) && strspn(name, "0123456789") == strlen(name))
        return libxl__ao_fail(ao, ERROR_INVAL, "%s: '%s' would be taken for a domid", field, name);
    for (const char *c = name; *c; c++)
        if (*c == '/' || iscntrl((unsigned char)*c))
            return libxl__ao_fail(ao, ERROR_INVAL, "%s: has a '/' or a control character", field);
    return 0;
}

static int check_path(libxl__ao *ao, const char *field, const char *path)
{
    if (!*path)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.%s: empty", field);
    if (strlen(path) >= PATH_MAX)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.%s: longer than %d octets", field,
                              PATH_MAX - 1);
    return 0;
}

/*
 * Refuses a command line that is too long. libxenguest truncates the command line of a PV guest without an
 * error. The kernel of a PVH guest does the same.
 */
static int check_cmdline(libxl__ao *ao, const libxl_domain_config *config)
{
    const char *cmdline = config->b_info.cmdline;
    const size_t most =
        config->c_info.type == LIBXL_DOMAIN_TYPE_PV ? MAX_GUEST_CMDLINE - 1 : LONGEST_PVH_CMDLINE;
    if (!cmdline || strlen(cmdline) <= most)
        return 0;
    return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.cmdline: longer than %zu octets", most);
}

/*
 * Checks the first disk of a domain with a boot loader. The boot loader reads this disk as a file, so the
 * disk's file must have the format that the guest sees.
 */
static int check_boot_loader(libxl__ao *ao, const libxl_domain_config *config)
{
    const int rc = check_path(ao, "bootloader", config->b_info.bootloader);
    if (rc)
        return rc;
    if (!config->num_disks)
        return libxl__ao_fail(ao, ERROR_INVAL,
                              "d_config.disks: missing; the boot loader reads the first one");
    const libxl_device_disk *disk = &config->disks[0];
    if (disk->format != LIBXL_DISK_FORMAT_RAW && disk->format != LIBXL_DISK_FORMAT_UNKNOWN)
        return libxl__ao_fail(ao, ERROR_NI, "d_config.disks[0].format: a boot loader reads raw disks only");
    if (disk->backend_domid || disk->backend_domname || disk->script)
        return libxl__ao_fail(
            ao, ERROR_NI,
            "d_config.disks[0]: a boot loader reads files and block devices of this domain only");
    if (!disk->pdev_path || !*disk->pdev_path)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.disks[0].pdev_path: missing");
    return 0;
}

/* Returns whether the field is set. 0 counts as not set, because it was the initial value before release 0.3. */
static bool is_given(uint64_t memkb)
{
    return memkb && memkb != LIBXL_MEMKB_DEFAULT;
}

static int check_memory(libxl__ao *ao, const libxl_domain_config *config, libxl__build *build)
{
    const libxl_domain_build_info *info = &config->b_info;
    /* `video_kb` is 0 for a PVH domain. The memory of an HVM domain includes the memory of its graphics card. */
    const uint64_t least =
        config->c_info.type == LIBXL_DOMAIN_TYPE_PV ? LEAST_PV_KB : LEAST_PVH_KB + build->video_kb;
    const bool has_target = is_given(info->target_memkb);
    const uint64_t target = has_target ? info->target_memkb : is_given(info->max_memkb) ? info->max_memkb : 0;
    const uint64_t max = is_given(info->max_memkb) ? info->max_memkb : target;
    const char *field = has_target ? "target_memkb" : "max_memkb";
    if (target < least || target > MOST_KB)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.%s: %llu KiB is not between %llu and %llu",
                              field, (unsigned long long)target, (unsigned long long)least,
                              (unsigned long long)MOST_KB);
    if (max < target || max > MOST_KB)
        return libxl__ao_fail(
            ao, ERROR_INVAL, "d_config.b_info.max_memkb: %llu KiB is not between %llu and %llu",
            (unsigned long long)max, (unsigned long long)target, (unsigned long long)MOST_KB);
    build->target_kb = target & ~1023ull; /* the builder uses only whole MiB */
    build->max_kb = max & ~1023ull;
    return 0;
}

/*
 * The IDL says which fields are unsupported. A few other fields are supported only with the values that libxl
 * stores in them.
 */
static int check_supported(libxl__ao *ao, const libxl_domain_config *config)
{
    const int rc = libxl__json_check(&libxl__json_of_domain_config, config, ERROR_NI);
    if (rc)
        return libxl__ao_fail(ao, rc, "d_config.%s", libxl_error_message());
    const char *field = NULL;
    if (config->c_info.domid && config->c_info.domid != LIBXL_DOMID_INVALID)
        field = "c_info.domid";
    else if (!libxl_defbool_is_default(config->c_info.run_hotplug_scripts) &&
             !libxl_defbool_val(config->c_info.run_hotplug_scripts))
        field = "c_info.run_hotplug_scripts";
    else if (config->c_info.type != LIBXL_DOMAIN_TYPE_HVM && is_given(config->b_info.video_memkb))
        field = "b_info.video_memkb";
    return field ? libxl__ao_fail(ao, ERROR_NI, "d_config.%s: not implemented", field) : 0;
}

static void move_text(char **from, char **to)
{
    if (*to)
        return;
    *to = *from;
    *from = NULL;
}

/*
 * Moves the values of the former members of b_info.u.pv to the members of b_info that have replaced them. libvirt
 * sets the former members.
 */
static void move_former(libxl_domain_build_info *info)
{
    if (info->type != LIBXL_DOMAIN_TYPE_PV)
        return;
    move_text(&info->u.pv.kernel, &info->kernel);
    move_text(&info->u.pv.ramdisk, &info->ramdisk);
    move_text(&info->u.pv.cmdline, &info->cmdline);
    move_text(&info->u.pv.bootloader, &info->bootloader);
    if (!info->bootloader_args) {
        info->bootloader_args = info->u.pv.bootloader_args;
        info->u.pv.bootloader_args = NULL;
    }
}

int libxl__create_check(libxl__ao *ao, libxl_domain_config *config, libxl__build *build)
{
    move_former(&config->b_info);
    int rc = check_supported(ao, config);
    if (!rc)
        rc = libxl__check_name(ao, "d_config.c_info.name", config->c_info.name);
    if (rc)
        return rc;
    const bool hvm = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    if (config->c_info.type == LIBXL_DOMAIN_TYPE_INVALID)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.type: missing");
    if (config->b_info.type != LIBXL_DOMAIN_TYPE_INVALID && config->b_info.type != config->c_info.type)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.type: not as d_config.c_info.type");
    rc = libxl__create_check_hvm(ao, config, build);
    if (rc)
        return rc;
    const bool loads = !build->restores && !build->in_place;
    if (config->b_info.bootloader)
        rc = !loads ? 0 : check_boot_loader(ao, config);
    else if (loads && !hvm && !config->b_info.kernel)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.kernel: missing");
    if (!rc && config->b_info.kernel)
        rc = check_path(ao, "kernel", config->b_info.kernel);
    if (!rc && config->b_info.ramdisk)
        rc = check_path(ao, "ramdisk", config->b_info.ramdisk);
    if (!rc)
        rc = check_cmdline(ao, config);
    if (!rc)
        rc = libxl__create_check_settings(ao, config);
    return rc ? rc : check_memory(ao, config, build);
}
