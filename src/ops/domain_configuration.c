/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * retrieve_domain_configuration: returns the stored configuration of a domain, with the values that the
 * domain has now. As in libxl, a value that is also in xenstore is taken from xenstore. All other values are
 * taken from the stored configuration.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "device_operations.h"
#include "pci_device.h"
#include "running.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

typedef struct retrieve {
    libxl__userdata stored;
    libxl__xs_batch *batch;
    libxl__xs_request *name, *target, *most;
    /* Reads the memory of an HVM domain's graphics card; NULL: the domain is not HVM. */
    libxl__xs_request *video;
    /* Lists the domain's devices. The functions of the sweep that remove devices are not used. */
    libxl__device_sweep devices;
    libxl__pci_tree pcis;       /* lists the domain's PCI devices */
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
    if (libxl__hv_type(info) == LIBXL_DOMAIN_TYPE_HVM)
        s->video = libxl__xs_read(s->batch, "/local/domain/%u/memory/videoram", domid);
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
    if (!rc)
        rc = libxl__device_sweep_explain(
            &s->devices, libxl__device_sweep_list(ao, &s->devices, ao->subject.number, &ao->subject.uuid));
    return rc && rc != LIBXL__AO_WAIT ? rc : libxl__pci_tree_start(ao, &s->pcis, ao->subject.number);
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

/* If the scheduler has no parameters, *params keeps the stored parameters. */
static int set_sched(libxl__ao *ao, libxl_domain_sched_params *params)
{
    const int rc = libxl__hv_get_sched(ao, ao->subject.number, params);
    if (rc != ERROR_NI)
        return rc;
    libxl__ao_forget_failure(ao);
    return 0;
}

static bool has_device(const libxl__device_sweep *devices, const libxl__device_class *cls, int number)
{
    for (uint32_t i = 0; i < devices->count; i++)
        if (devices->devices[i].devid == (uint32_t)number && strcmp(devices->devices[i].kind, cls->kind) == 0)
            return true;
    return false;
}

/*
 * Removes the entries of devices that the domain does not have any more. Such entries exist for two reasons. Some
 * toolstacks do not remove entries. And this library removes a device even if it cannot change the stored
 * configuration.
 */
static void drop_removed(const libxl__device_class *cls, const libxl__device_sweep *devices,
                         libxl_domain_config *config)
{
    char *configs = *(char **)((char *)config + cls->config_at);
    int *count = (int *)((char *)config + cls->count_at), kept = 0;
    for (int i = 0; i < *count; i++) {
        char *device = configs + (size_t)i * cls->config_size;
        const int number = libxl__device_number(cls, device);
        if (number < 0 || has_device(devices, cls, number))
            memmove(configs + (size_t)kept++ * cls->config_size, device, cls->config_size);
        else
            cls->dispose(device);
    }
    *count = kept;
}

/*
 * Returns whether the domain has a function of the device. Also returns true if the configuration has only the name
 * of the device, because the name does not contain the address.
 */
static bool has_pci(const libxl__pci_tree *tree, const libxl_device_pci *pci)
{
    const bool all = pci->vfunc_mask == LIBXL_PCI_FUNC_ALL;
    for (uint32_t i = 0; i < tree->count; i++) {
        libxl_device_pci found = {.domain = 0};
        libxl__pci_set_address(&found, tree->sbdf[i]);
        if (found.domain == pci->domain && found.bus == pci->bus && found.dev == pci->dev &&
            (all || found.func == pci->func))
            return true;
    }
    return libxl__pci_is_named(pci);
}

/* Like drop_removed, for PCI devices. All PCI devices of a domain are one device in xenstore. */
static void drop_removed_pcis(const libxl__pci_tree *tree, libxl_domain_config *config)
{
    int kept = 0;
    for (int i = 0; i < config->num_pcidevs; i++)
        if (has_pci(tree, &config->pcidevs[i]))
            config->pcidevs[kept++] = config->pcidevs[i];
        else
            libxl_device_pci_dispose(&config->pcidevs[i]);
    config->num_pcidevs = kept;
}

/* The target in xenstore excludes the memory of the graphics card. The target in a configuration includes it. */
static void set_target(const struct retrieve *s, uint64_t *kb)
{
    uint64_t target = LIBXL_MEMKB_DEFAULT, video = 0;
    set_kb(s->target, &target);
    if (s->video)
        set_kb(s->video, &video);
    if (target != LIBXL_MEMKB_DEFAULT)
        *kb = target + video;
}

static int read_poll(libxl__ao *ao, struct retrieve *s)
{
    const libxl__retrieve_domain_configuration_args *args = libxl__ao_args(ao);
    const int listing =
        s->devices.listed
            ? 0
            : libxl__device_sweep_explain(&s->devices, libxl__device_sweep_list_poll(ao, &s->devices));
    if (listing)
        return listing;
    const int pcis = libxl__pci_tree_poll(ao, &s->pcis);
    if (pcis)
        return pcis;
    if (!libxl__userdata_done(&s->stored) || !libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__userdata_result(ao, &s->stored);
    if (!rc)
        rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    libxl_domain_config *config = libxl__userdata_config(&s->stored);
    set_target(s, &config->b_info.target_memkb);
    set_kb(s->most, &config->b_info.max_memkb);
    for (const libxl__device_class *const *cls = libxl__device_classes; *cls; cls++)
        drop_removed(*cls, &s->devices, config);
    drop_removed_pcis(&s->pcis, config);
    rc = set_name(s, &config->c_info.name);
    if (!rc)
        rc = set_online(s, &config->b_info.avail_vcpus);
    if (!rc)
        rc = set_sched(ao, &config->b_info.sched_params);
    if (rc)
        return rc;
    *args->out.d_config = *config;
    /*
     * The caller owns the result now. So the operation's copy is initialised, and the end of the operation frees
     * nothing of the result.
     */
    libxl_domain_config_init(config);
    return 0;
}

#include "_libxl_phases_retrieve_domain_configuration.h"
