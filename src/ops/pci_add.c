/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_pci_add gives a PCI device to a domain. The hidden operation device_pcis_add gives all devices of a
 * configuration to a domain that is being created.
 *
 * Owns: the domain's access to the devices, and their nodes, until the operation completes with success. The worker
 * or the nested operation of each undo is reserved before the phase changes anything. The caller holds the context's
 * lock.
 *
 * device_pci_add holds libxl's lock of changes to the domain. Otherwise two additions of one device to the domain could
 * both find that it is free, and the undo of the one that fails would take the device of the other. A creation does not
 * take the lock, because no other program knows the domain.
 */
#include "change_lock.h"
#include "device_backend.h"
#include "device_operations.h"
#include "pci_device.h"
#include "pci_model.h"
#include "pci_write.h"

#include <string.h>

typedef struct pci_add {
    libxl__device device; /* all PCI devices of the domain, which are one device in xenstore */
    libxl__change_lock lock;
    bool hvm, creating;
    const libxl_device_pci *configs; /* the configurations of the devices, in the operation's args */
    int config_count;
    libxl__pci_search search;
    libxl__pci_function *functions;     /* the functions of all these devices */
    const libxl_device_pci **config_of; /* the configuration of each function */
    libxl__pci_nodes *nodes;            /* the nodes of each function, as they were before this operation */
    uint32_t count, room;
    libxl__xs_batch *batch;
    libxl__pci_tree tree;
    libxl__pci_job look, take, access;
    libxl__userdata stored;
    libxl__pci_model model;
    libxl__xs_batch *drivers;   /* writes the nodes of seized devices */
    libxl__xs_batch *restoring; /* restores the nodes that `drivers` has written */
    libxl__pci_write write;
    libxl__nested detach; /* pci_detach, the undo of the phase `write` */
    libxl__backend_wait wait;
    enum { NAMING, LOOKING } check;
    bool restores; /* the batch `restoring` was run */
} pci_add_state;

/* ---- lock: takes libxl's lock, so that no other toolstack changes the domain's devices */

/* Sets `configs` and the number of devices from the args of device_pci_add or device_pcis_add. */
static void find_configs(libxl__ao *ao, struct pci_add *s)
{
    if (ao->cls == &libxl__operations[LIBXL__OP_DEVICE_PCIS_ADD]) {
        const libxl__device_pcis_add_args *args = libxl__ao_args(ao);
        s->creating = true;
        s->configs = args->in.pcis.devices;
        s->config_count = args->in.pcis.num_devices;
    } else {
        const libxl__device_pci_add_args *args = libxl__ao_args(ao);
        s->configs = &args->in.pci;
        s->config_count = 1;
    }
}

static int lock_start(libxl__ao *ao, struct pci_add *s)
{
    xc_domaininfo_t info;
    find_configs(ao, s);
    s->device = (libxl__device){.cls = &libxl__class_pci, .domid = ao->subject.number};
    strcpy(s->device.kind, "pci");
    strcpy(s->device.backend_kind, "pci");
    int rc = libxl__hv_info(ao, s->device.domid, &info);
    if (rc)
        return rc;
    const libxl_domain_type type = libxl__hv_type(&info);
    s->hvm = type == LIBXL_DOMAIN_TYPE_HVM;
    s->device.pv = type == LIBXL_DOMAIN_TYPE_PV;
    if (type == LIBXL_DOMAIN_TYPE_PVH)
        return libxl__ao_fail(ao, ERROR_NI, "domid: a PVH domain cannot have PCI devices");
    return s->creating ? 0 : libxl__change_lock_take(ao, &s->lock);
}

static int lock_poll(libxl__ao *ao, struct pci_add *s)
{
    return libxl__change_lock_take(ao, &s->lock);
}

/* ---- check: checks the configuration, and what the kernel and xenstored know about the devices */

/* Appends a function to s->functions. */
static int add_function(libxl__ao *ao, struct pci_add *s, const libxl_device_pci *config, uint32_t sbdf)
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
static int add_config(libxl__ao *ao, struct pci_add *s, const libxl_device_pci *config)
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
static int start_looking(libxl__ao *ao, struct pci_add *s)
{
    int rc = 0;
    s->check = LOOKING;
    for (int i = 0; i < s->config_count && !rc; i++)
        rc = add_config(ao, s, &s->configs[i]);
    if (rc)
        return rc;
    s->batch = libxl__xs_batch_new(ao, s->device.domid);
    if (!s->batch)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < s->count; i++)
        libxl__pci_nodes_read(s->batch, s->functions[i].sbdf, &s->nodes[i]);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    if (rc)
        return rc;
    rc = libxl__pci_tree_start(ao, &s->tree, s->device.domid);
    if (rc != LIBXL__AO_WAIT)
        return rc;
    s->look.functions = s->functions;
    s->look.count = s->count;
    return libxl__pci_start(ao, &s->look, LIBXL__PCI_LOOK);
}

static int check_start(libxl__ao *ao, struct pci_add *s)
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
static int check_function(libxl__ao *ao, const struct pci_add *s, uint32_t i)
{
    const libxl__pci_function *f = &s->functions[i];
    if (libxl__pci_tree_find(&s->tree, f->sbdf) >= 0)
        return libxl__ao_fail(ao, ERROR_DEVICE_EXISTS,
                              "pci: domain %u has the device " LIBXL__PCI_FORMAT " already", s->device.domid,
                              LIBXL__PCI_PARTS(f->sbdf));
    const int rc = libxl__pci_check_owner(ao, f->sbdf, libxl__xs_value(s->nodes[i].owner));
    if (rc)
        return rc;
    return f->facts.assignable || f->seize
               ? 0
               : libxl__pci_not_assignable(ao, f->sbdf, s->config_of[i]->vfunc_mask == LIBXL_PCI_FUNC_ALL);
}

/* Checks all functions. Removes the functions that a multi-function device does not have. */
static int looked(libxl__ao *ao, struct pci_add *s)
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

static int check_poll(libxl__ao *ao, struct pci_add *s)
{
    if (s->check == NAMING) {
        const int found = libxl__pci_search_poll(ao, &s->search);
        return found ? found : start_looking(ao, s);
    }
    const int tree = libxl__pci_tree_poll(ao, &s->tree);
    if (tree == LIBXL__AO_WAIT || libxl__pci_busy(&s->look) || !libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = tree ? tree : libxl__pci_poll(ao, &s->look);
    if (!rc)
        rc = libxl__xs_result(s->batch);
    return rc ? rc : looked(ao, s);
}

/* ---- seize: takes devices away from the drivers to which they are bound */

static bool is_seized(const libxl__pci_function *f)
{
    return f->seize && !f->facts.assignable;
}

/* Stores the present driver, so that host_pci_assignable_remove can bind the device to this driver again. */
static int seize_start(libxl__ao *ao, struct pci_add *s)
{
    uint32_t seized = 0;
    size_t octets = 0;
    for (uint32_t i = 0; i < s->count; i++)
        if (is_seized(&s->functions[i])) {
            seized++;
            octets += libxl__pci_nodes_octets(&s->nodes[i]);
        }
    if (!seized)
        return 0;
    int rc = libxl__pci_reserve(ao, &s->take);
    if (rc)
        return rc;
    s->take.functions = s->functions;
    s->take.count = s->count;
    s->drivers = libxl__xs_batch_new(ao, s->device.domid);
    s->restoring = libxl__xs_batch_new(ao, s->device.domid);
    if (!s->drivers || !s->restoring)
        return ERROR_NOMEM;
    rc = libxl__xs_reserve(s->restoring, LIBXL__PCI_RESTORING * seized, octets);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < s->count; i++)
        if (is_seized(&s->functions[i]) && *s->functions[i].facts.driver)
            libxl__pci_nodes_write(s->drivers, s->functions[i].sbdf, "driver_path",
                                   s->functions[i].facts.driver);
    rc = libxl__xs_run(s->drivers, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : libxl__pci_start(ao, &s->take, LIBXL__PCI_TAKE);
}

static int seize_poll(libxl__ao *ao, struct pci_add *s)
{
    if (libxl__pci_busy(&s->take) || !libxl__xs_done(s->drivers))
        return LIBXL__AO_WAIT;
    const int rc = libxl__pci_poll(ao, &s->take);
    return rc ? rc : libxl__xs_result(s->drivers);
}

static int seize_undo(libxl__ao *ao, struct pci_add *s)
{
    const int rc = libxl__pci_undo(ao, &s->take, LIBXL__PCI_TAKE, LIBXL__PCI_GIVE_BACK);
    if (rc == LIBXL__AO_WAIT || !s->drivers || libxl__xs_take_back(s->drivers))
        return rc;
    if (!libxl__xs_done(s->drivers))
        return LIBXL__AO_WAIT;
    if (!s->restores) {
        s->restores = true;
        for (uint32_t i = 0; i < s->count; i++)
            if (is_seized(&s->functions[i]))
                libxl__pci_nodes_restore(s->restoring, s->functions[i].sbdf, &s->nodes[i]);
        libxl__xs_run_anyway(s->restoring, LIBXL__XS_ONE_BY_ONE);
    }
    return libxl__xs_done(s->restoring) ? rc : LIBXL__AO_WAIT;
}

/* ---- record: adds the device to the stored configuration; a creation stores the whole configuration itself */

static int record_start(libxl__ao *ao, struct pci_add *s)
{
    if (s->creating)
        return 0;
    libxl_device_pci config = s->configs[0];
    if (libxl__pci_is_named(&config))
        libxl__pci_set_address(&config, s->functions[0].sbdf);
    const int rc = libxl__pci_record(ao, &s->stored, s->device.domid, &config, true);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int record_poll(libxl__ao *ao, struct pci_add *s)
{
    return libxl__userdata_changed(ao, &s->stored);
}

static int record_undo(libxl__ao *ao, struct pci_add *s)
{
    return libxl__userdata_change_back(ao, &s->stored);
}

/* ---- reset: resets the devices for their new owner */

static int reset_start(libxl__ao *ao, struct pci_add *s)
{
    s->access.domid = s->device.domid;
    s->access.functions = s->functions;
    s->access.count = s->count;
    return libxl__pci_start(ao, &s->access, LIBXL__PCI_RESET);
}

static int reset_poll(libxl__ao *ao, struct pci_add *s)
{
    return libxl__pci_poll(ao, &s->access);
}

/* ---- model: as with libxl, the device model of an HVM domain plugs the devices in before the domain gets access */

static int model_start(libxl__ao *ao, struct pci_add *s)
{
    if (!s->hvm)
        return 0;
    return libxl__pci_model_plug(ao, &s->model, s->device.domid, s->functions, s->count);
}

static int model_poll(libxl__ao *ao, struct pci_add *s)
{
    return libxl__pci_model_plugged(ao, &s->model);
}

static int model_undo(libxl__ao *ao, struct pci_add *s)
{
    libxl__phase_persist(ao);
    return libxl__pci_model_pull(ao, &s->model);
}

/* ---- grant: gives the domain access to the devices, by the hypervisor's permissions */

static int grant_start(libxl__ao *ao, struct pci_add *s)
{
    const int rc = libxl__pci_reserve(ao, &s->access);
    return rc ? rc : libxl__pci_start(ao, &s->access, LIBXL__PCI_GRANT);
}

static int grant_poll(libxl__ao *ao, struct pci_add *s)
{
    return libxl__pci_poll(ao, &s->access);
}

static int grant_undo(libxl__ao *ao, struct pci_add *s)
{
    return libxl__pci_undo(ao, &s->access, LIBXL__PCI_GRANT, LIBXL__PCI_REVOKE);
}

/* ---- write: writes the nodes */

static int write_start(libxl__ao *ao, struct pci_add *s)
{
    libxl__ao *child = libxl__nested_create(ao, &s->detach, &libxl__operations[LIBXL__OP_PCI_DETACH]);
    if (!child)
        return ERROR_NOMEM;
    s->detach.outlives = true;
    libxl__pci_detach_args *args = libxl__ao_args(child);
    child->subject = ao->subject;
    args->in.domid = s->device.domid;
    args->in.force = true;
    args->in.slot = s->creating ? 0 : s->functions[0].sbdf & ~7u;
    for (uint32_t i = 0; i < s->count && !s->creating; i++)
        args->in.mask |= 1u << (s->functions[i].sbdf & 7);
    s->write = (libxl__pci_write){.domid = s->device.domid,
                                  .asks = s->device.pv && !s->creating,
                                  .functions = s->functions,
                                  .config_of = s->config_of,
                                  .count = s->count};
    return libxl__pci_write_start(ao, &s->write);
}

static int write_poll(libxl__ao *ao, struct pci_add *s)
{
    return libxl__pci_write_poll(ao, &s->write);
}

static int write_undo(libxl__ao *ao, struct pci_add *s)
{
    (void)ao;
    if (!s->detach.started) {
        bool written;
        const int rc = libxl__pci_write_end(&s->write, &written);
        if (rc || !written)
            return rc;
        libxl__nested_start(&s->detach);
    }
    return !s->detach.done ? LIBXL__AO_WAIT : s->detach.rc == ERROR_NOTFOUND ? 0 : s->detach.rc;
}

/* ---- taken: waits until the backend has taken the devices */

static int taken_start(libxl__ao *ao, struct pci_add *s)
{
    s->wait.without_guest = s->creating || !s->device.pv;
    s->wait.old_errors = true;
    s->wait.settles = s->write.appended && s->device.pv && !s->creating;
    const int rc = libxl__backend_wait_start(ao, &s->wait, &s->device, "3");
    return rc ? rc : LIBXL__AO_WAIT;
}

static int taken_poll(libxl__ao *ao, struct pci_add *s)
{
    return libxl__backend_wait_poll(ao, &s->wait, &s->device);
}

#include "_libxl_phases_pci_add.h"
