/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pci_check.h, and the hidden operation device_pcis_check, which checks devices and adds nothing.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "pci_check.h"

#include "marks.h"

int libxl__pci_check_domain(libxl__ao *ao, uint32_t domid, libxl_domain_type *type)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_info(ao, domid, &info);
    if (rc)
        return rc;
    *type = libxl__hv_type(&info);
    return *type == LIBXL_DOMAIN_TYPE_PVH
               ? libxl__ao_fail(ao, ERROR_NI, "domid: a PVH domain cannot have PCI devices")
               : 0;
}

/* Appends a function to s->functions. */
static int add_function(libxl__ao *ao, libxl__pci_check *s, const libxl_device_pci *config, uint32_t sbdf)
{
    if (s->count == LIBXL__PCI_MOST)
        return libxl__ao_fail(ao, ERROR_INVAL, "pci: more than %d functions", LIBXL__PCI_MOST);
    for (uint32_t i = 0; i < s->count; i++)
        if (s->functions[i].sbdf == sbdf)
            return libxl__ao_fail(ao, ERROR_INVAL, "pci: the device " LIBXL__PCI_FORMAT " is given twice",
                                  LIBXL__PCI_PARTS(sbdf));
    s->config_of[s->count] = config;
    s->functions[s->count++] =
        (libxl__pci_function){.sbdf = sbdf,
                              .vdevfn = config->vdevfn,
                              .permissive = config->permissive,
                              .seize = config->seize,
                              .relaxed = config->rdm_policy == LIBXL_RDM_RESERVE_POLICY_RELAXED};
    return 0;
}

/* Appends all functions of a device. looked() later removes the functions that do not exist. */
static int add_config(libxl__ao *ao, libxl__pci_check *s, const libxl_device_pci *config)
{
    uint32_t sbdf;
    int rc = libxl__pci_is_named(config) ? libxl__pci_search_find(ao, &s->search, config->name, &sbdf)
                                         : libxl__pci_address(ao, config, &sbdf);
    if (rc || config->vfunc_mask != LIBXL_PCI_FUNC_ALL)
        return rc ? rc : add_function(ao, s, config, sbdf);
    for (uint32_t function = 0; function < LIBXL__PCI_FUNCTIONS && !rc; function++) {
        rc = add_function(ao, s, config, (sbdf & ~7u) | function);
        if (!rc && config->vdevfn)
            s->functions[s->count - 1].vdevfn = (config->vdevfn & ~7u) | function;
    }
    return rc;
}

/* Starts to read the nodes and the files about all functions. */
static int start_looking(libxl__ao *ao, libxl__pci_check *s)
{
    int rc = 0;
    s->step = LIBXL__PCI_LOOKING;
    for (int i = 0; i < s->config_count && !rc; i++)
        rc = add_config(ao, s, &s->configs[i]);
    if (rc)
        return rc;
    s->batch = libxl__xs_batch_new(ao, s->domid);
    if (!s->batch)
        return ERROR_NOMEM;
    if (s->unmarked)
        libxl__mark_require_none(s->batch, &ao->subject.uuid);
    for (uint32_t i = 0; i < s->count; i++)
        libxl__pci_nodes_read(s->batch, s->functions[i].sbdf, &s->nodes[i]);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    if (rc)
        return rc;
    rc = libxl__pci_tree_start(ao, &s->tree, s->domid);
    if (rc != LIBXL__AO_WAIT)
        return rc;
    s->look.functions = s->functions;
    s->look.count = s->count;
    return libxl__pci_start(ao, &s->look, LIBXL__PCI_LOOK);
}

int libxl__pci_check_start(libxl__ao *ao, libxl__pci_check *s)
{
    int rc = 0;
    bool named = false;
    for (int i = 0; i < s->config_count && !rc; i++) {
        rc = libxl__pci_check_name(ao, s->configs[i].name);
        named = named || libxl__pci_is_named(&s->configs[i]);
    }
    s->functions = libxl__gc_alloc(&ao->gc, LIBXL__PCI_MOST * sizeof(*s->functions));
    s->config_of = libxl__gc_alloc(&ao->gc, LIBXL__PCI_MOST * sizeof(*s->config_of));
    s->nodes = libxl__gc_alloc(&ao->gc, LIBXL__PCI_MOST * sizeof(*s->nodes));
    if (!rc && !(s->functions && s->config_of && s->nodes))
        rc = ERROR_NOMEM;
    if (rc)
        return rc;
    return named ? libxl__pci_search_start(ao, &s->search) : start_looking(ao, s);
}

/* Checks one function that exists. */
static int check_function(libxl__ao *ao, const libxl__pci_check *s, uint32_t i)
{
    const libxl__pci_function *f = &s->functions[i];
    const bool has = libxl__pci_tree_find(&s->tree, f->sbdf) >= 0;
    if (has && !s->replaces)
        return libxl__ao_fail(ao, ERROR_DEVICE_EXISTS,
                              "pci: domain %u has the device " LIBXL__PCI_FORMAT " already", s->domid,
                              LIBXL__PCI_PARTS(f->sbdf));
    /*
     * With `replaces`, the caller removes the domain's present devices before it adds these. So a device that the
     * domain has now is free then, and its owner is not checked.
     */
    const int rc = has ? 0 : libxl__pci_check_owner(ao, f->sbdf, libxl__xs_value(s->nodes[i].owner));
    if (rc)
        return rc;
    return f->facts.assignable || f->seize
               ? 0
               : libxl__pci_not_assignable(ao, f->sbdf, s->config_of[i]->vfunc_mask == LIBXL_PCI_FUNC_ALL);
}

/* Checks all functions. Removes the functions that a multi-function device does not have. */
static int looked(libxl__ao *ao, libxl__pci_check *s)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const bool all = s->config_of[i]->vfunc_mask == LIBXL_PCI_FUNC_ALL;
        const uint32_t sbdf = s->functions[i].sbdf;
        if (!s->functions[i].facts.exists && all && sbdf & 7)
            continue;
        if (!s->functions[i].facts.exists)
            return libxl__ao_fail(ao, ERROR_NOTFOUND, "pci: this host has no device " LIBXL__PCI_FORMAT,
                                  LIBXL__PCI_PARTS(sbdf));
        const int rc = check_function(ao, s, i);
        if (rc)
            return rc;
        s->config_of[kept] = s->config_of[i];
        s->nodes[kept] = s->nodes[i];
        s->functions[kept++] = s->functions[i];
    }
    s->count = kept;
    return 0;
}

int libxl__pci_check_poll(libxl__ao *ao, libxl__pci_check *s)
{
    if (s->step == LIBXL__PCI_NAMING) {
        const int found = libxl__pci_search_poll(ao, &s->search);
        return found ? found : start_looking(ao, s);
    }
    const int tree = libxl__pci_tree_poll(ao, &s->tree);
    if (tree == LIBXL__AO_WAIT || libxl__pci_busy(&s->look) || !libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(s->batch) == ERROR_BUSY)
        return libxl__mark_busy(ao, s->domid);
    int rc = tree ? tree : libxl__pci_poll(ao, &s->look);
    if (!rc)
        rc = libxl__xs_result(s->batch);
    return rc ? rc : looked(ao, s);
}

/* ---- device_pcis_check */

typedef libxl__pci_check device_pcis_check_state;

static int look_start(libxl__ao *ao, libxl__pci_check *s)
{
    const libxl__device_pcis_check_args *args = libxl__ao_args(ao);
    libxl_domain_type type;
    s->domid = args->in.domid;
    s->replaces = args->in.replaces;
    s->configs = args->in.pcis.devices;
    s->config_count = args->in.pcis.num_devices;
    const int rc = libxl__pci_check_domain(ao, s->domid, &type);
    return rc ? rc : libxl__pci_check_start(ao, s);
}

static int look_poll(libxl__ao *ao, libxl__pci_check *s)
{
    return libxl__pci_check_poll(ao, s);
}

#include "_libxl_phases_device_pcis_check.h"
