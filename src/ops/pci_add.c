/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_pci_add gives a PCI device to a domain. The hidden operation device_pcis_add gives all devices of a
 * configuration to a domain that is being created.
 *
 * Owns: the domain's access to the devices, and their nodes, until the operation completes with success. Each
 * undo has its worker or its nested operation before its phase changes anything. The caller holds the context's
 * lock.
 */
#include "device_backend.h"
#include "device_operations.h"
#include "pci_device.h"
#include "pci_model.h"

#include <stdio.h>
#include <string.h>

#include <xen/io/xenbus.h>

enum { MOST_TRIES = 16 };

typedef struct pci_add {
    libxl__device device; /* all PCI devices of the domain together */
    bool hvm, creating;
    const libxl_device_pci *configs; /* in the operation's args */
    int config_count;
    libxl__pci_search search;
    libxl__pci_function *functions;     /* the functions of all devices */
    const libxl_device_pci **config_of; /* the configuration of each function */
    libxl__pci_nodes *nodes;            /* the nodes of each function at the start */
    uint32_t count, room;
    libxl__xs_batch *batch;
    libxl__pci_tree tree;
    libxl__pci_job look, take, access;
    libxl__userdata stored;
    libxl__pci_model model;
    libxl__xs_batch *drivers;   /* writes the nodes of seized devices */
    libxl__xs_batch *restoring; /* the undo of `drivers` */
    libxl__await settled;
    libxl__xs_batch *writing;
    libxl__nested detach; /* the nested operation of the undo of `write` */
    libxl__backend_wait wait;
    unsigned tries;
    enum { NAMING, LOOKING } check;
    enum { READING, SETTLING, WRITING } step; /* the step that the phase `write` is at */
    bool appended;                            /* the domain had PCI devices before */
    bool restores;                            /* the undo of `seize` restores the nodes */
} pci_add_state;

/* ---- check: the configuration, the kernel and xenstored */

/* Adds a function. */
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

/* Adds the functions of a configuration. Which functions exist is found out later. */
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

/* Takes the devices from the args of one of the two operations. */
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

static int check_start(libxl__ao *ao, struct pci_add *s)
{
    xc_domaininfo_t info;
    bool named = false;
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

static int not_assignable(libxl__ao *ao, const struct pci_add *s, uint32_t i)
{
    const uint32_t sbdf = s->functions[i].sbdf;
    if (s->config_of[i]->vfunc_mask == LIBXL_PCI_FUNC_ALL)
        return libxl__ao_fail(ao, ERROR_NOT_ASSIGNABLE,
                              "pci: the function %u of the multi-function device " LIBXL__PCI_FORMAT
                              " is not bound to pciback",
                              sbdf & 7, LIBXL__PCI_PARTS(sbdf));
    return libxl__ao_fail(ao, ERROR_NOT_ASSIGNABLE,
                          "pci: the device " LIBXL__PCI_FORMAT " is not bound to pciback",
                          LIBXL__PCI_PARTS(sbdf));
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
    return f->facts.assignable || f->seize ? 0 : not_assignable(ao, s, i);
}

/* Checks all functions. Drops the functions that a multi-function device does not have. */
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

/* ---- seize: devices of other drivers */

static bool is_seized(const libxl__pci_function *f)
{
    return f->seize && !f->facts.assignable;
}

/* The driver is remembered, so that host_pci_assignable_remove can give the device back. */
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

/* ---- record: the stored configuration; a creation stores the whole configuration itself */

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

/* ---- reset: the devices get ready for another owner */

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

/* ---- model: as with libxl, the device model of an HVM domain plugs the devices before the domain gets access */

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
    return libxl__pci_model_pull(ao, &s->model);
}

/* ---- grant: the hypervisor's permissions */

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

/* ---- write: the nodes */

static void write_key(struct pci_add *s, const char *key, const char *value)
{
    libxl__xs_write(s->writing, LIBXL__XS_INHERITS, value, LIBXL__PCI_BACKEND "/%s", s->device.domid, key);
}

static void write_text(struct pci_add *s, uint32_t index, libxl__pci_key key, const char *value)
{
    libxl__xs_write(s->writing, LIBXL__XS_INHERITS, value, LIBXL__PCI_BACKEND "/%s-%u", s->device.domid,
                    libxl__pci_keys[key], index);
}

static void write_function(struct pci_add *s, uint32_t i, uint32_t index)
{
    const libxl__pci_function *f = &s->functions[i];
    const libxl_device_pci *config = s->config_of[i];
    char text[128];
    snprintf(text, sizeof(text), LIBXL__PCI_FORMAT, LIBXL__PCI_PARTS(f->sbdf));
    write_text(s, index, LIBXL__PCI_KEY, text);
    write_text(s, index, LIBXL__PCI_DEV, text);
    if (f->vdevfn) {
        snprintf(text, sizeof(text), "%x", f->vdevfn);
        write_text(s, index, LIBXL__PCI_VDEVFN, text);
    }
    snprintf(text, sizeof(text), "msitranslate=%d,power_mgmt=%d,permissive=%d,rdm_policy=%s",
             config->msitranslate, config->power_mgmt, config->permissive, f->relaxed ? "relaxed" : "strict");
    write_text(s, index, LIBXL__PCI_OPTS, text);
    snprintf(text, sizeof(text), "%d", XenbusStateInitialising);
    write_text(s, index, LIBXL__PCI_STATE, text);
    snprintf(text, sizeof(text), "%u", s->device.domid);
    libxl__xs_write(s->writing, LIBXL__XS_INHERITS, text, LIBXL__PCI_NODE "/domid",
                    LIBXL__PCI_PARTS(f->sbdf));
}

/* Adds the requests that make the two directories. Nodes that an earlier device has left are removed. */
static void write_directories(struct pci_add *s)
{
    const uint32_t domid = s->device.domid;
    char text[64];
    const char *name = libxl__xs_value(s->tree.name);
    libxl__xs_require_absent(s->writing, ERROR_NOT_READY, LIBXL__PCI_BACKEND "/num_devs", domid);
    libxl__xs_remove(s->writing, LIBXL__PCI_BACKEND, domid);
    libxl__xs_remove(s->writing, "/local/domain/0/error/backend/pci/%u/0", domid);
    libxl__xs_remove(s->writing, LIBXL__PCI_FRONTEND, domid);
    libxl__xs_write(s->writing, LIBXL__XS_FRONTEND, "", LIBXL__PCI_FRONTEND, domid);
    libxl__xs_write(s->writing, LIBXL__XS_BACKEND, "", LIBXL__PCI_BACKEND, domid);
    snprintf(text, sizeof(text), LIBXL__PCI_BACKEND, domid);
    libxl__xs_write(s->writing, LIBXL__XS_INHERITS, text, LIBXL__PCI_FRONTEND "/backend", domid);
    libxl__xs_write(s->writing, LIBXL__XS_INHERITS, "0", LIBXL__PCI_FRONTEND "/backend-id", domid);
    libxl__xs_write(s->writing, LIBXL__XS_INHERITS, "1", LIBXL__PCI_FRONTEND "/state", domid);
    snprintf(text, sizeof(text), LIBXL__PCI_FRONTEND, domid);
    write_key(s, "frontend", text);
    snprintf(text, sizeof(text), "%u", domid);
    write_key(s, "frontend-id", text);
    write_key(s, "online", "1");
    write_key(s, "state", "1");
    write_key(s, "domain", name ? name : "");
}

/* Returns whether the guest must run, because its driver takes part in the addition of a further device. */
static bool asks_guest(const struct pci_add *s)
{
    return s->tree.exists && s->device.pv && !s->creating;
}

static int write_nodes(libxl__ao *ao, struct pci_add *s)
{
    char text[16];
    s->step = WRITING;
    s->appended = s->tree.exists;
    if (s->tree.count + s->count > LIBXL__PCI_MOST)
        return libxl__ao_fail(ao, ERROR_INVAL, "pci: domain %u would have more than %d functions",
                              s->device.domid, LIBXL__PCI_MOST);
    s->writing = libxl__xs_batch_new(ao, s->device.domid);
    if (!s->writing)
        return ERROR_NOMEM;
    libxl__xs_require_domain(s->writing, &ao->subject.uuid);
    if (s->appended)
        libxl__xs_require(s->writing, ERROR_NOT_READY, libxl__xs_value(s->tree.count_node),
                          LIBXL__PCI_BACKEND "/num_devs", s->device.domid);
    else
        write_directories(s);
    if (asks_guest(s))
        libxl__xs_require(s->writing, ERROR_NOT_READY, "4", LIBXL__PCI_BACKEND "/state", s->device.domid);
    for (uint32_t i = 0; i < s->count; i++)
        write_function(s, i, s->tree.count + i);
    snprintf(text, sizeof(text), "%u", s->tree.count + s->count);
    write_key(s, "num_devs", text);
    if (asks_guest(s))
        write_key(s, "state", "7");
    const int rc = libxl__xs_run(s->writing, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Called when the backend's directory was read. */
static int tree_read(libxl__ao *ao, struct pci_add *s)
{
    xc_domaininfo_t info;
    char path[LIBXL__DEVICE_PATH];
    const char *state = libxl__xs_value(s->tree.state);
    if (!asks_guest(s) || libxl__device_state(state) == XenbusStateConnected)
        return write_nodes(ao, s);
    int rc = libxl__hv_info(ao, s->device.domid, &info);
    if (!rc && info.flags & XEN_DOMINF_paused)
        return libxl__ao_fail(ao, ERROR_GUEST_CANNOT_ANSWER, "domain %u is paused", s->device.domid);
    s->step = SETTLING;
    snprintf(path, sizeof(path), LIBXL__PCI_BACKEND "/state", s->device.domid);
    if (!rc && !s->settled.watch)
        rc = libxl__await_start(ao, &s->settled, path, libxl__await_equal, "4");
    else if (!rc)
        libxl__await_again(&s->settled);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int read_tree(libxl__ao *ao, struct pci_add *s)
{
    s->step = READING;
    return libxl__pci_tree_start(ao, &s->tree, s->device.domid);
}

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
    return read_tree(ao, s);
}

/* Called when the transaction has ended. Another program may have changed the directory before it. */
static int written(libxl__ao *ao, struct pci_add *s)
{
    if (!libxl__xs_done(s->writing))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_rc(s->writing);
    if (rc == ERROR_DOMAIN_DESTROYED)
        return libxl__ao_fail(ao, rc, "domain %u was destroyed", s->device.domid);
    if (rc != ERROR_NOT_READY)
        return libxl__xs_result(s->writing);
    if (++s->tries > MOST_TRIES)
        return libxl__ao_fail(ao, ERROR_DEVICE, "the backend changes its nodes all the time");
    libxl__xs_batch_free(s->writing);
    s->writing = NULL;
    return read_tree(ao, s);
}

static int write_poll(libxl__ao *ao, struct pci_add *s)
{
    int rc;
    switch (s->step) {
    case READING: rc = libxl__pci_tree_poll(ao, &s->tree); return rc ? rc : tree_read(ao, s);
    case SETTLING: rc = libxl__await_step(ao, &s->settled); return rc ? rc : read_tree(ao, s);
    case WRITING: break;
    }
    return written(ao, s);
}

static int write_undo(libxl__ao *ao, struct pci_add *s)
{
    (void)ao;
    if (!s->detach.started) {
        if (!s->writing || libxl__xs_take_back(s->writing))
            return 0;
        if (!libxl__xs_done(s->writing))
            return LIBXL__AO_WAIT;
        if (libxl__xs_rc(s->writing))
            return 0;
        libxl__nested_start(&s->detach);
    }
    return !s->detach.done ? LIBXL__AO_WAIT : s->detach.rc == ERROR_NOTFOUND ? 0 : s->detach.rc;
}

/* ---- taken: the backend's answer */

static int taken_start(libxl__ao *ao, struct pci_add *s)
{
    s->wait.without_guest = s->creating || !s->device.pv;
    s->wait.settles = s->appended && s->device.pv && !s->creating;
    const int rc = libxl__backend_wait_start(ao, &s->wait, &s->device, "3");
    return rc ? rc : LIBXL__AO_WAIT;
}

static int taken_poll(libxl__ao *ao, struct pci_add *s)
{
    return libxl__backend_wait_poll(ao, &s->wait, &s->device);
}

#include "_libxl_phases_pci_add.h"
