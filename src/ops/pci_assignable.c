/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host_pci_assignable lists the devices that domains can have. host_pci_assignable_add makes a device
 * assignable, and host_pci_assignable_remove gives it back to the host.
 *
 * Owns: nothing except the operations' states. The caller holds the context's lock.
 */
#include "ops.h"
#include "pci_device.h"
#include "xen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- host_pci_assignable */

typedef struct pci_listing {
    libxl__source source; /* attached while the job has a list; frees the list when the operation ends */
    libxl__pci_job job;
    libxl__xs_batch *batch;
    const libxl__xs_request **names; /* the requests that read the device's names, one for each device */
} host_pci_assignable_state;

static void free_list(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    free(LIBXL__CONTAINER(source, struct pci_listing, source)->job.list);
}

static int list_start(libxl__ao *ao, struct pci_listing *s)
{
    const int rc = libxl__pci_start(ao, &s->job, LIBXL__PCI_LIST);
    if (rc == LIBXL__AO_WAIT)
        libxl__source_attach(ao, &s->source, free_list);
    return rc;
}

static int list_poll(libxl__ao *ao, struct pci_listing *s)
{
    return libxl__pci_poll(ao, &s->job);
}

static int names_start(libxl__ao *ao, struct pci_listing *s)
{
    s->batch = libxl__xs_batch_new(ao, 0);
    s->names = libxl__gc_alloc(&ao->gc, (s->job.list_count + 1) * sizeof(libxl__xs_request *));
    if (!s->batch || !s->names)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < s->job.list_count; i++)
        s->names[i] = libxl__xs_read(s->batch, LIBXL__PCI_NODE "/name", LIBXL__PCI_PARTS(s->job.list[i]));
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int names_poll(libxl__ao *ao, struct pci_listing *s)
{
    const libxl__host_pci_assignable_args *args = libxl__ao_args(ao);
    libxl_pci_list list = {.num_devices = 0};
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(s->batch);
    if (!rc && !(list.devices = calloc(s->job.list_count + 1, sizeof(*list.devices))))
        rc = ERROR_NOMEM;
    for (uint32_t i = 0; i < s->job.list_count && !rc; i++) {
        libxl_device_pci *pci = &list.devices[list.num_devices++];
        const char *name = libxl__xs_value(s->names[i]);
        libxl_device_pci_init(pci);
        libxl__pci_set_address(pci, s->job.list[i]);
        if (name && !(pci->name = strdup(name)))
            rc = ERROR_NOMEM;
    }
    if (rc)
        libxl_pci_list_dispose(&list);
    else
        *args->out.list = list;
    return rc;
}

#include "_libxl_phases_host_pci_assignable.h"

/* ---- host_pci_assignable_add and host_pci_assignable_remove */

typedef struct assigning {
    libxl__pci_search search; /* used if the device to remove is given by its name */
    libxl__pci_job job;
    libxl__pci_function function;
    libxl__xs_batch *batch, *written, *restoring;
    libxl__pci_nodes nodes; /* the device's nodes, as they were before this operation */
    bool restores;          /* the batch `restoring` was run */
} host_pci_assignable_add_state;
typedef struct assigning host_pci_assignable_remove_state;

/* Starts to read the device's driver and its nodes. */
static int start_looking(libxl__ao *ao, struct assigning *s, const libxl_device_pci *pci)
{
    int rc = libxl__pci_is_named(pci) ? libxl__pci_search_find(ao, &s->search, pci->name, &s->function.sbdf)
                                      : libxl__pci_address(ao, pci, &s->function.sbdf);
    s->batch = rc ? NULL : libxl__xs_batch_new(ao, 0);
    if (!rc && !s->batch)
        rc = ERROR_NOMEM;
    if (rc)
        return rc;
    libxl__pci_nodes_read(s->batch, s->function.sbdf, &s->nodes);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    if (rc)
        return rc;
    s->job.functions = &s->function;
    s->job.count = 1;
    return libxl__pci_start(ao, &s->job, LIBXL__PCI_LOOK);
}

/* Returns 0 if the device exists and no domain has it. */
static int looked(libxl__ao *ao, struct assigning *s)
{
    if (libxl__pci_busy(&s->job) || !libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__pci_poll(ao, &s->job);
    if (!rc)
        rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    if (!s->function.facts.exists)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "pci: this host has no device " LIBXL__PCI_FORMAT,
                              LIBXL__PCI_PARTS(s->function.sbdf));
    return libxl__pci_check_owner(ao, s->function.sbdf, libxl__xs_value(s->nodes.owner));
}

/* ---- host_pci_assignable_add */

static int look_start(libxl__ao *ao, struct assigning *s)
{
    const libxl__host_pci_assignable_add_args *args = libxl__ao_args(ao);
    const int rc = libxl__pci_check_name(ao, args->in.pci.name);
    return rc ? rc : start_looking(ao, s, &args->in.pci);
}

static int look_poll(libxl__ao *ao, struct assigning *s)
{
    return looked(ao, s);
}

/*
 * If the device is bound to pciback or to no driver, its former driver is known only by the node that an earlier
 * operation has written. So the node is not overwritten.
 */
static int remember_start(libxl__ao *ao, struct assigning *s)
{
    const libxl__host_pci_assignable_add_args *args = libxl__ao_args(ao);
    const libxl__pci_facts *facts = &s->function.facts;
    s->written = libxl__xs_batch_new(ao, 0);
    s->restoring = libxl__xs_batch_new(ao, 0);
    if (!s->written || !s->restoring)
        return ERROR_NOMEM;
    int rc = libxl__xs_reserve(s->restoring, LIBXL__PCI_RESTORING, libxl__pci_nodes_octets(&s->nodes));
    if (rc)
        return rc;
    const char *driver = !args->in.rebind                       ? NULL
                         : facts->assignable || !*facts->driver ? libxl__xs_value(s->nodes.driver)
                                                                : facts->driver;
    libxl__pci_nodes_write(s->written, s->function.sbdf, "driver_path", driver);
    if (args->in.pci.name)
        libxl__pci_nodes_write(s->written, s->function.sbdf, "name", args->in.pci.name);
    rc = libxl__xs_run(s->written, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int remember_poll(libxl__ao *ao, struct assigning *s)
{
    (void)ao;
    return libxl__xs_done(s->written) ? libxl__xs_result(s->written) : LIBXL__AO_WAIT;
}

static int remember_undo(libxl__ao *ao, struct assigning *s)
{
    (void)ao;
    if (!s->restoring || !s->written || libxl__xs_take_back(s->written))
        return 0;
    if (!libxl__xs_done(s->written))
        return LIBXL__AO_WAIT;
    if (!s->restores) {
        s->restores = true;
        libxl__pci_nodes_restore(s->restoring, s->function.sbdf, &s->nodes);
        libxl__xs_run_anyway(s->restoring, LIBXL__XS_ONE_BY_ONE);
    }
    return libxl__xs_done(s->restoring) ? 0 : LIBXL__AO_WAIT;
}

static int take_start(libxl__ao *ao, struct assigning *s)
{
    const int rc = libxl__pci_reserve(ao, &s->job);
    return rc ? rc : libxl__pci_start(ao, &s->job, LIBXL__PCI_TAKE);
}

static int take_poll(libxl__ao *ao, struct assigning *s)
{
    return libxl__pci_poll(ao, &s->job);
}

static int take_undo(libxl__ao *ao, struct assigning *s)
{
    return libxl__pci_undo(ao, &s->job, LIBXL__PCI_TAKE, LIBXL__PCI_GIVE_BACK);
}

#include "_libxl_phases_host_pci_assignable_add.h"

/* ---- host_pci_assignable_remove */

static int find_start(libxl__ao *ao, struct assigning *s)
{
    const libxl__host_pci_assignable_remove_args *args = libxl__ao_args(ao);
    return libxl__pci_is_named(&args->in.pci) ? libxl__pci_search_start(ao, &s->search)
                                              : start_looking(ao, s, &args->in.pci);
}

/*
 * Called when the name search or the reads have ended. The node driver_path names the former driver. A value that is
 * not the path of a driver is ignored.
 */
static int find_poll(libxl__ao *ao, struct assigning *s)
{
    const libxl__host_pci_assignable_remove_args *args = libxl__ao_args(ao);
    int rc;
    if (!s->batch) {
        rc = libxl__pci_search_poll(ao, &s->search);
        return rc ? rc : start_looking(ao, s, &args->in.pci);
    }
    rc = looked(ao, s);
    if (rc)
        return rc;
    libxl__pci_facts *facts = &s->function.facts;
    if (!facts->assignable)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "pci: " LIBXL__PCI_FORMAT " is not bound to pciback",
                              LIBXL__PCI_PARTS(s->function.sbdf));
    const char *driver = libxl__xs_value(s->nodes.driver);
    const bool rebinds = args->in.rebind && driver && libxl__pci_is_driver(driver);
    facts->assignable = false;
    snprintf(facts->driver, sizeof(facts->driver), "%s", rebinds ? driver : "");
    s->function.taken = true;
    return 0;
}

static int give_back_start(libxl__ao *ao, struct assigning *s)
{
    return libxl__pci_start(ao, &s->job, LIBXL__PCI_GIVE_BACK);
}

static int give_back_poll(libxl__ao *ao, struct assigning *s)
{
    return libxl__pci_poll(ao, &s->job);
}

/* Removes the node driver_path only if the former driver has the device again, as libxl does. */
static int forget_start(libxl__ao *ao, struct assigning *s)
{
    const libxl__host_pci_assignable_remove_args *args = libxl__ao_args(ao);
    s->written = libxl__xs_batch_new(ao, 0);
    if (!s->written)
        return ERROR_NOMEM;
    if (args->in.rebind)
        libxl__pci_nodes_write(s->written, s->function.sbdf, "driver_path", NULL);
    libxl__pci_nodes_write(s->written, s->function.sbdf, "name", NULL);
    libxl__xs_prune(s->written, 1, LIBXL__PCI_NODE, LIBXL__PCI_PARTS(s->function.sbdf));
    const int rc = libxl__xs_run(s->written, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int forget_poll(libxl__ao *ao, struct assigning *s)
{
    return remember_poll(ao, s);
}

#include "_libxl_phases_host_pci_assignable_remove.h"
