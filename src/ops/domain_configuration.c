/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * retrieve_domain_configuration: returns the stored configuration of a domain, with the values that the domain has now. As in
 * libxl, a value that is also in xenstore is taken from xenstore. All other values are those of the file.
 *
 * Owns: nothing beyond the operation. Locks: the context's lock, held by the caller.
 */
#include "ops.h"
#include "vdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

typedef struct retrieve {
    libxl__userdata stored;
    libxl__xs_batch *batch;
    libxl__xs_request *name, *target, *most;
    libxl__xs_request *disks, *nics; /* the numbers of the devices that the domain has */
    libxl__xs_request **online;      /* one request for each vcpu, in the operation's memory */
    uint32_t vcpus;
} retrieve_domain_configuration_state;

static int read_nodes(libxl__ao *ao, struct retrieve *s, const xc_domaininfo_t *info)
{
    const uint32_t domid = ao->subject.number;
    s->vcpus = info->max_vcpu_id + 1;
    s->batch = libxl__xs_batch_new(ao, domid);
    s->online = libxl__gc_alloc(&ao->gc, s->vcpus * sizeof(*s->online));
    if (!s->batch || !s->online)
        return ERROR_NOMEM;
    s->name = libxl__xs_read(s->batch, "/local/domain/%u/name", domid);
    s->target = libxl__xs_read(s->batch, "/local/domain/%u/memory/target", domid);
    s->most = libxl__xs_read(s->batch, "/local/domain/%u/memory/static-max", domid);
    s->disks = libxl__xs_list(s->batch, 0, "/libxl/%u/device/vbd", domid);
    s->nics = libxl__xs_list(s->batch, 0, "/libxl/%u/device/vif", domid);
    for (uint32_t i = 0; i < s->vcpus; i++)
        s->online[i] = libxl__xs_read(s->batch, "/local/domain/%u/cpu/%u/availability", domid, i);
    return libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
}

static int read_start(libxl__ao *ao, struct retrieve *s)
{
    xc_domaininfo_t info;
    int rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (!rc)
        rc = libxl__userdata_read(ao, &s->stored, ao->subject.number, &ao->subject.uuid);
    if (!rc)
        rc = read_nodes(ao, s, &info);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Sets *kb to the node's number. A node that is missing or is not a number changes nothing. */
static void set_kb(const libxl__xs_request *node, uint64_t *kb)
{
    const char *text = libxl__xs_value(node);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return;
    const uint64_t number = strtoull(text, &end, 10);
    if (!*end)
        *kb = number;
}

/* Sets the vcpus that are online. If all are, leaves the initial value, which means all. */
static int set_online(const struct retrieve *s, libxl_bitmap *vcpus)
{
    libxl_bitmap online;
    if (libxl_bitmap_alloc(NULL, &online, (int)s->vcpus))
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < s->vcpus; i++) {
        const char *text = libxl__xs_value(s->online[i]);
        if (text && strcmp(text, "online") == 0)
            libxl_bitmap_set(&online, (int)i);
    }
    if (!vcpus->size && libxl_bitmap_count_set(&online) == (int)s->vcpus) {
        libxl_bitmap_dispose(&online);
        return 0;
    }
    libxl_bitmap_dispose(vcpus);
    *vcpus = online;
    return 0;
}

static int set_name(const struct retrieve *s, char **name)
{
    const char *text = libxl__xs_value(s->name);
    char *copy = text ? strdup(text) : NULL;
    if (!text)
        return 0;
    if (!copy)
        return ERROR_NOMEM;
    free(*name);
    *name = copy;
    return 0;
}

/* Returns whether the list has the number of the device. Also returns true if the list may be incomplete. */
static bool has_device(const libxl__xs_request *list, uint32_t number)
{
    enum { LONGEST_LIST = 4000 };
    size_t size = 0;
    const char *version, *name = libxl__xs_names(list, &size, &version);
    char wanted[16];
    if (size >= LONGEST_LIST)
        return true;
    snprintf(wanted, sizeof(wanted), "%u", number);
    for (; name && *name; name += strlen(name) + 1)
        if (strcmp(name, wanted) == 0)
            return true;
    return false;
}

/* Removes the disks and interfaces that the domain does not have any more. Not every toolstack removes them from the file. */
static void drop_removed(const struct retrieve *s, libxl_domain_config *config)
{
    int kept = 0;
    for (int i = 0; i < config->num_disks; i++) {
        const char *vdev = config->disks[i].vdev;
        const int number = vdev ? libxl__vdev_number(vdev) : -1;
        if (number < 0 || has_device(s->disks, (uint32_t)number))
            config->disks[kept++] = config->disks[i];
        else
            libxl_device_disk_dispose(&config->disks[i]);
    }
    config->num_disks = kept;
    kept = 0;
    for (int i = 0; i < config->num_nics; i++) {
        if (config->nics[i].devid < 0 || has_device(s->nics, (uint32_t)config->nics[i].devid))
            config->nics[kept++] = config->nics[i];
        else
            libxl_device_nic_dispose(&config->nics[i]);
    }
    config->num_nics = kept;
}

static int read_poll(libxl__ao *ao, struct retrieve *s)
{
    const libxl__retrieve_domain_configuration_args *args = libxl__ao_args(ao);
    if (!libxl__userdata_done(&s->stored) || !libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__userdata_result(ao, &s->stored);
    if (!rc)
        rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    libxl_domain_config *config = libxl__userdata_config(&s->stored);
    set_kb(s->target, &config->b_info.target_memkb);
    set_kb(s->most, &config->b_info.max_memkb);
    drop_removed(s, config);
    rc = set_name(s, &config->c_info.name);
    if (!rc)
        rc = set_online(s, &config->b_info.avail_vcpus);
    if (rc)
        return rc;
    *args->out.d_config = *config;
    libxl_domain_config_init(config); /* the result belongs to the caller now */
    return 0;
}

#include "_libxl_phases_retrieve_domain_configuration.h"
