/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * retrieve_domain_configuration: returns the stored configuration of a domain, with the values that the
 * domain has now. As in libxl, a value that is also in xenstore is taken from xenstore. All other values are
 * taken from the stored configuration.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "device.h"
#include "ops.h"
#include "xs_directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

/* The classes whose devices another toolstack may remove without changing the stored configuration. */
static const libxl__device_class *const listed[] = {&libxl__class_disk, &libxl__class_nic};
enum { LISTED = sizeof(listed) / sizeof(*listed) };

typedef struct retrieve {
    libxl__userdata stored;
    libxl__xs_batch *batch;
    libxl__xs_request *name, *target, *most;
    libxl__xs_directory numbers[LISTED]; /* the numbers of the domain's devices, for each class in `listed` */
    char paths[LISTED][LIBXL__DEVICE_PATH];
    unsigned lists_read;
    libxl__xs_request **online; /* one request for each vcpu, in the operation's memory */
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
    for (unsigned i = 0; i < LISTED && !rc; i++) {
        snprintf(s->paths[i], sizeof(s->paths[i]), "/libxl/%u/device/%s", ao->subject.number,
                 listed[i]->kind);
        rc = libxl__xs_directory_start(ao, &s->numbers[i], s->paths[i]);
        rc = rc == LIBXL__AO_WAIT ? 0 : rc;
    }
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Sets *kb to the number in the node. Does not change *kb if the node is missing or has no number. */
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

/*
 * Sets *vcpus to the vcpus that are online. If all vcpus are online, does not change *vcpus, because the
 * initial value means all.
 */
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

static bool has_device(const libxl__xs_directory *numbers, int number)
{
    char wanted[16];
    snprintf(wanted, sizeof(wanted), "%d", number);
    for (uint32_t i = 0; i < numbers->count; i++)
        if (strcmp(numbers->names[i], wanted) == 0)
            return true;
    return false;
}

/*
 * Removes the entries of devices that the domain does not have any more. Such entries exist because not every
 * toolstack removes them.
 */
static void drop_removed(const libxl__device_class *cls, const libxl__xs_directory *numbers,
                         libxl_domain_config *config)
{
    char *devices = *(char **)((char *)config + cls->config_at);
    int *count = (int *)((char *)config + cls->count_at), kept = 0;
    for (int i = 0; i < *count; i++) {
        char *device = devices + (size_t)i * cls->config_size;
        const int number = libxl__device_number(cls, device);
        if (number < 0 || has_device(numbers, number))
            memmove(devices + (size_t)kept++ * cls->config_size, device, cls->config_size);
        else
            cls->dispose(device);
    }
    *count = kept;
}

static int read_poll(libxl__ao *ao, struct retrieve *s)
{
    const libxl__retrieve_domain_configuration_args *args = libxl__ao_args(ao);
    for (; s->lists_read < LISTED; s->lists_read++) {
        const int listing = libxl__xs_directory_step(ao, &s->numbers[s->lists_read]);
        if (listing)
            return listing;
    }
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
    for (unsigned i = 0; i < LISTED; i++)
        drop_removed(listed[i], &s->numbers[i], config);
    rc = set_name(s, &config->c_info.name);
    if (!rc)
        rc = set_online(s, &config->b_info.avail_vcpus);
    if (rc)
        return rc;
    *args->out.d_config = *config;
    /* The operation's copy is initialised again, because the result belongs to the caller. */
    libxl_domain_config_init(config);
    return 0;
}

#include "_libxl_phases_retrieve_domain_configuration.h"
