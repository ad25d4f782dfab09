/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides which members of a received configuration are allowed. The sender may be hostile. A text, a list of texts
 * or an array can name a file, a program or a device of this machine. So such a member is refused if it is not in
 * the tables. Numbers and words of enumerations are allowed, unless the tables restrict them.
 *
 * Owns: nothing. The tables are constant, so the functions need no lock.
 */
#include "received_allowed.h"

#include "_libxl_types_json.h"
#include "json_table.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* Which values of a field are allowed. */
typedef enum rule_kind {
    ANY,    /* any value */
    WORD,   /* a name that consists of letters, digits and the signs of is_word */
    DISK,   /* a value that one of the application's patterns matches */
    BRIDGE, /* a value that one of the application's patterns matches */
    SCRIPT, /* a usual script, or a value that one of the application's patterns matches */
    KERNEL, /* a value that one of the application's patterns matches */
    PTY,    /* "pty": a new pseudo-terminal */
    UNSET,  /* false, or the initial value */
} rule_kind;

static const struct {
    const char *path; /* "[]" is any index */
    rule_kind kind;
} rules[] = {
    {"c_info.name", ANY},
    {"c_info.pool_name", WORD},
    {"c_info.driver_domain", UNSET},
    {"c_info.ssidref", UNSET},
    {"b_info.exec_ssidref", UNSET},
    {"b_info.device_model_ssidref", UNSET},
    {"b_info.kernel", KERNEL},
    {"b_info.ramdisk", KERNEL},
    {"b_info.cmdline", ANY},
    {"b_info.bootloader", KERNEL},
    {"b_info.blkdev_start", WORD},
    {"b_info.vcpu_hard_affinity", ANY},
    {"b_info.vcpu_hard_affinity[]", ANY},
    {"b_info.vcpu_soft_affinity", ANY},
    {"b_info.vcpu_soft_affinity[]", ANY},
    {"b_info.type.pv.kernel", KERNEL},
    {"b_info.type.pv.ramdisk", KERNEL},
    {"b_info.type.pv.cmdline", ANY},
    {"b_info.type.pv.bootloader", KERNEL},
    {"b_info.type.hvm.firmware", KERNEL},
    {"b_info.type.hvm.system_firmware", KERNEL},
    {"b_info.type.hvm.smbios_firmware", KERNEL},
    {"b_info.type.hvm.acpi_firmware", KERNEL},
    {"b_info.type.hvm.timeoffset", WORD},
    {"b_info.type.hvm.keymap", WORD},
    {"b_info.type.hvm.serial", PTY},
    {"b_info.type.hvm.boot", WORD},
    {"b_info.type.hvm.soundhw", WORD},
    {"b_info.type.hvm.vnc.listen", WORD},
    {"b_info.type.hvm.vnc.passwd", ANY},
    {"disks", ANY},
    {"disks[]", ANY},
    {"disks[].backend_domname", UNSET},
    {"disks[].backend_domid", UNSET},
    {"disks[].pdev_path", DISK},
    {"disks[].vdev", WORD},
    {"disks[].script", SCRIPT},
    {"nics", ANY},
    {"nics[]", ANY},
    {"nics[].backend_domname", UNSET},
    {"nics[].backend_domid", UNSET},
    {"nics[].model", WORD},
    {"nics[].bridge", BRIDGE},
    {"nics[].gatewaydev", BRIDGE},
    {"nics[].ifname", WORD},
    {"nics[].script", SCRIPT},
    {"vfbs", ANY},
    {"vfbs[]", ANY},
    {"vfbs[].backend_domname", UNSET},
    {"vfbs[].backend_domid", UNSET},
    {"vfbs[].vnc.listen", WORD},
    {"vfbs[].vnc.passwd", ANY},
    {"vfbs[].keymap", WORD},
    {"vkbs", ANY},
    {"vkbs[]", ANY},
    {"vkbs[].backend_domname", UNSET},
    {"vkbs[].backend_domid", UNSET},
};

/*
 * The hand-written types that cannot name an object of the host. Lists of strings can, so they are not in this
 * table.
 */
static const char *const harmless[] = {"uuid",   "mac",         "defbool",
                                       "bitmap", "ms_vm_genid", "cpuid_policy_list"};

static const char *const usual_scripts[] = {"vif-bridge", "/etc/xen/scripts/vif-bridge", "block",
                                            "/etc/xen/scripts/block", NULL};

/* Returns whether a path matches the path of a rule. */
static bool is_path(const char *path, const char *rule)
{
    while (*path && *path == *rule) {
        rule++;
        if (*path++ == '[')
            path += strspn(path, "0123456789");
    }
    return !*path && !*rule;
}

static bool is_word(const char *text)
{
    static const char signs[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:";
    return *text != '-' && strspn(text, signs) == strlen(text);
}

/* Returns whether a path has a component "..", by which it could leave the directory of a pattern. */
static bool climbs(const char *text)
{
    for (const char *at = strstr(text, ".."); at; at = strstr(at + 1, ".."))
        if ((at == text || at[-1] == '/') && (!at[2] || at[2] == '/'))
            return true;
    return false;
}

static bool matches(const char *text, char *const *patterns)
{
    for (; patterns && *patterns; patterns++)
        if (fnmatch(*patterns, text, FNM_PATHNAME | FNM_PERIOD | FNM_NOESCAPE) == 0)
            return !climbs(text);
    return false;
}

static bool is_usual_script(const char *text)
{
    for (const char *const *script = usual_scripts; *script; script++)
        if (strcmp(text, *script) == 0)
            return true;
    return false;
}

static bool is_allowed(rule_kind kind, const char *text, const libxl_received_allowed *allowed)
{
    switch (kind) {
    case ANY: return true;
    case WORD: return is_word(text);
    case DISK: return !*text || matches(text, allowed->disks);
    case BRIDGE: return matches(text, allowed->bridges);
    case SCRIPT: return is_usual_script(text) || matches(text, allowed->scripts);
    case KERNEL: return matches(text, allowed->kernels);
    case PTY: return strcmp(text, "pty") == 0;
    case UNSET: return strcmp(text, "False") == 0;
    }
    return false;
}

static bool is_harmless(const libxl__json_field *field)
{
    if (field->array || field->kind == LIBXL__JSON_STRING)
        return false;
    if (field->kind != LIBXL__JSON_BY_HAND)
        return true;
    for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        if (strcmp(field->by_hand->name, harmless[i]) == 0)
            return true;
    return false;
}

static const char *check(const char *path, const libxl__json_field *field, json_object *value, void *data)
{
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (is_path(path, rules[i].path))
            return is_allowed(rules[i].kind, text, data) ? NULL : "this value is not allowed here";
    return is_harmless(field) ? NULL : "this member is not allowed here";
}

/* An interface without a bridge is connected to the default bridge. */
static int check_bridges(libxl__ao *ao, const libxl_domain_config *config,
                         const libxl_received_allowed *allowed)
{
    for (int i = 0; i < config->num_nics; i++)
        if ((!config->nics[i].bridge || !*config->nics[i].bridge) && !matches("xenbr0", allowed->bridges))
            return libxl__ao_fail(ao, ERROR_INVAL, "nics[%d].bridge: the default xenbr0 is not allowed here",
                                  i);
    return 0;
}

int libxl__received_check(libxl__ao *ao, const libxl_domain_config *config,
                          const libxl_received_allowed *allowed)
{
    libxl_received_allowed patterns = *allowed; /* the visitor's data are not const */
    const int rc = libxl__json_visit(&libxl__json_of_domain_config, config, check, &patterns);
    if (rc)
        return rc == ERROR_NOMEM ? rc : libxl__ao_fail(ao, rc, "%s", libxl_error_message());
    return check_bridges(ao, config, allowed);
}
