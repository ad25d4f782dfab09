/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_domain_config_to_xl: writes a configuration as a text. Then reads the text, and compares the result
 * with the configuration. If a value differs, xl's files cannot express it, and the error names the value's
 * path. Owns nothing after a call; takes no lock.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <libxl_utils.h>

#include "log.h"
#include "write.h"

/* ---- changing a configuration as writing and reading it would change it */

#define NUMBER(array, counter)                                                                               \
    for (int i = 0; i < c->counter; i++)                                                                     \
        if (c->array[i].devid == -1)                                                                         \
    c->array[i].devid = i

static void number_devices(libxl_domain_config *c)
{
    NUMBER(nics, num_nics);
    NUMBER(vfbs, num_vfbs);
    NUMBER(vkbs, num_vkbs);
    NUMBER(vtpms, num_vtpms);
    NUMBER(pvcallsifs, num_pvcallsifs);
    NUMBER(vdispls, num_vdispls);
    NUMBER(vsnds, num_vsnds);
    NUMBER(channels, num_channels);
    NUMBER(usbctrls, num_usbctrls);
}

/*
 * Changes a configuration so that it equals the configuration that a reader of its file returns. Replaces
 * values by other values with the same meaning. Resets values that only xl.conf sets, because a file cannot
 * contain them.
 */
static void settle(libxl_domain_config *c)
{
    libxl_domain_build_info *b = &c->b_info;
    if (b->type == LIBXL_DOMAIN_TYPE_INVALID)
        libxl_domain_build_info_init_type(b, c->c_info.type);
    if (c->c_info.domid == LIBXL_DOMID_INVALID)
        c->c_info.domid = 0; /* 0 and LIBXL_DOMID_INVALID both mean the next free domid */
    b->sched_params.sched = LIBXL_SCHEDULER_UNKNOWN;
    libxl_defbool_unset(&c->c_info.run_hotplug_scripts);
    libxl_defbool_unset(&b->claim_mode);
    free(b->blkdev_start);
    b->blkdev_start = NULL;
    if (b->type == LIBXL_DOMAIN_TYPE_HVM)
        memset(&b->u.hvm.ms_vm_genid, 0, sizeof(b->u.hvm.ms_vm_genid));
    if (b->max_memkb == LIBXL_MEMKB_DEFAULT && b->target_memkb != LIBXL_MEMKB_DEFAULT)
        b->max_memkb = b->target_memkb;
    if (libxl_bitmap_count_set(&b->avail_vcpus) == b->max_vcpus)
        libxl_bitmap_dispose(&b->avail_vcpus);
    for (int i = 0; i < c->num_disks; i++)
        if (c->disks[i].format == LIBXL_DISK_FORMAT_UNKNOWN)
            c->disks[i].format = LIBXL_DISK_FORMAT_RAW;
    for (int i = 0; i < c->num_pcidevs && b->type != LIBXL_DOMAIN_TYPE_HVM; i++)
        if (c->pcidevs[i].rdm_policy == LIBXL_RDM_RESERVE_POLICY_INVALID)
            c->pcidevs[i].rdm_policy = LIBXL_RDM_RESERVE_POLICY_STRICT;
    if (c->num_pcidevs && b->type == LIBXL_DOMAIN_TYPE_PV)
        libxl_defbool_setdefault(&b->u.pv.e820_host, true);
    number_devices(c);
}

/* ---- comparing two configurations */

/*
 * Writes the path of the first difference of two documents to `path`. Returns true if there is a difference,
 * otherwise false.
 */
/* NOLINTNEXTLINE(misc-no-recursion): the depth is limited, because a configuration has few levels */
static bool difference(json_object *a, json_object *b, char *path, size_t room)
{
    const size_t length = strlen(path);
    if (json_object_equal(a, b))
        return false;
    if (json_object_is_type(a, json_type_object) && json_object_is_type(b, json_type_object)) {
        json_object_object_foreach(a, key, value)
        {
            snprintf(path + length, room - length, "%s%s", length ? "." : "", key);
            if (difference(value, json_object_object_get(b, key), path, room))
                return true;
            path[length] = 0;
        }
    }
    if (json_object_is_type(a, json_type_array) && json_object_is_type(b, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(a); i++) {
            snprintf(path + length, room - length, "[%zu]", i);
            if (difference(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i), path, room))
                return true;
            path[length] = 0;
        }
    }
    return true;
}

static json_object *parsed(const libxl_domain_config *config)
{
    char *text = libxl_domain_config_to_json(NULL, config);
    json_object *document = text ? json_tokener_parse(text) : NULL;
    free(text);
    return document;
}

/* Reads the text, and checks that the result equals the configuration. */
static int check(const libxl_domain_config *config, const char *text, size_t length)
{
    libxl_domain_config again;
    char path[256] = "";
    int rc = libxl_domain_config_from_xl(&again, text, length, "the text", NULL, NULL, 0, NULL);
    if (rc)
        return libxl__refuse(rc, "a file of xl's cannot express the configuration: %s",
                             libxl_error_message());
    settle(&again);
    json_object *a = parsed(config), *b = parsed(&again);
    if (!a || !b)
        rc = ERROR_NOMEM;
    else if (difference(a, b, path, sizeof(path)))
        rc = libxl__refuse(ERROR_INVAL, "%s: a file of xl's cannot express this value",
                           path[0] ? path : "configuration");
    json_object_put(a);
    json_object_put(b);
    libxl_domain_config_dispose(&again);
    return rc;
}

/* ---- writing the text */

static int write_text(const libxl_domain_config *config, char **text, size_t *length)
{
    libxl_domain_config base;
    FILE *out = open_memstream(text, length);
    if (!out)
        return ERROR_NOMEM;
    libxl__xl_start(&base);
    libxl_domain_build_info_init_type(&base.b_info, config->b_info.type);
    for (const libxl__xl_field *field = libxl__xl_keys; field->name; field++)
        if (!field->types || field->types & 1u << config->b_info.type)
            libxl__xl_write_key(out, config, &base, field);
    libxl_domain_config_dispose(&base);
    const bool failed = ferror(out);
    return fclose(out) || failed ? ERROR_NOMEM : 0;
}

int libxl_domain_config_to_xl(const libxl_domain_config *config, char **text)
{
    libxl_domain_config copy;
    size_t length = 0;
    *text = NULL;
    char *json = libxl_domain_config_to_json(NULL, config);
    if (!json)
        return ERROR_INVAL;
    int rc = libxl_domain_config_from_json(NULL, &copy, json);
    free(json);
    if (rc)
        return rc;
    const bool generate = config->b_info.type == LIBXL_DOMAIN_TYPE_HVM &&
                          !libxl_ms_vm_genid_is_zero(&config->b_info.u.hvm.ms_vm_genid);
    settle(&copy);
    if (copy.c_info.type == LIBXL_DOMAIN_TYPE_INVALID || copy.b_info.type != copy.c_info.type)
        rc = libxl__refuse(ERROR_INVAL, "c_info.type: not the type of b_info, or none");
    else {
        if (generate) /* the writer writes "generate" for any generation id */
            copy.b_info.u.hvm.ms_vm_genid = config->b_info.u.hvm.ms_vm_genid;
        rc = write_text(&copy, text, &length);
        settle(&copy);
        rc = rc ? libxl__refuse(rc, NULL) : check(&copy, *text, length);
    }
    libxl_domain_config_dispose(&copy);
    if (rc) {
        free(*text);
        *text = NULL;
    }
    return rc;
}
