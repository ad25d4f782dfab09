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
#include "pci_check.h"
#include "pci_model.h"
#include "pci_write.h"

#include <string.h>

typedef struct pci_add {
    libxl__device device; /* all PCI devices of the domain, which are one device in xenstore */
    libxl__change_lock lock;
    bool hvm, creating;
    libxl__pci_check check; /* the devices, and what the check has found */
    libxl__pci_job take, access;
    libxl__userdata stored;
    libxl__pci_model model;
    libxl__xs_batch *drivers;   /* writes the nodes of seized devices */
    libxl__xs_batch *restoring; /* restores the nodes that `drivers` has written */
    libxl__pci_write write;
    libxl__nested detach; /* pci_detach, the undo of the phase `write` */
    libxl__backend_wait wait;
    bool restores; /* the batch `restoring` was run */
} pci_add_state;

/* ---- lock: takes libxl's lock, so that no other toolstack changes the domain's devices */

/* Sets `configs` and the number of devices from the args of device_pci_add or device_pcis_add. */
static void find_configs(libxl__ao *ao, struct pci_add *s)
{
    if (ao->cls == &libxl__operations[LIBXL__OP_DEVICE_PCIS_ADD]) {
        const libxl__device_pcis_add_args *args = libxl__ao_args(ao);
        s->creating = true;
        s->check.configs = args->in.pcis.devices;
        s->check.config_count = args->in.pcis.num_devices;
    } else {
        const libxl__device_pci_add_args *args = libxl__ao_args(ao);
        s->check.configs = &args->in.pci;
        s->check.config_count = 1;
    }
}

static int lock_start(libxl__ao *ao, struct pci_add *s)
{
    libxl_domain_type type;
    find_configs(ao, s);
    s->device = (libxl__device){.cls = &libxl__class_pci, .domid = ao->subject.number};
    strcpy(s->device.kind, "pci");
    strcpy(s->device.backend_kind, "pci");
    const int rc = libxl__pci_check_domain(ao, s->device.domid, &type);
    if (rc)
        return rc;
    s->hvm = type == LIBXL_DOMAIN_TYPE_HVM;
    s->device.pv = type == LIBXL_DOMAIN_TYPE_PV;
    return s->creating ? 0 : libxl__change_lock_take(ao, &s->lock);
}

static int lock_poll(libxl__ao *ao, struct pci_add *s)
{
    return libxl__change_lock_take(ao, &s->lock);
}

/* ---- check: checks the configuration, and what the kernel and xenstored know about the devices */

static int check_start(libxl__ao *ao, struct pci_add *s)
{
    s->check.domid = s->device.domid;
    s->check.unmarked = !s->creating; /* The phase `write` checks this again, after the device was reset. */
    return libxl__pci_check_start(ao, &s->check);
}

static int check_poll(libxl__ao *ao, struct pci_add *s)
{
    return libxl__pci_check_poll(ao, &s->check);
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
    for (uint32_t i = 0; i < s->check.count; i++)
        if (is_seized(&s->check.functions[i])) {
            seized++;
            octets += libxl__pci_nodes_octets(&s->check.nodes[i]);
        }
    if (!seized)
        return 0;
    int rc = libxl__pci_reserve(ao, &s->take);
    if (rc)
        return rc;
    s->take.functions = s->check.functions;
    s->take.count = s->check.count;
    s->drivers = libxl__xs_batch_new(ao, s->device.domid);
    s->restoring = libxl__xs_batch_new(ao, s->device.domid);
    if (!s->drivers || !s->restoring)
        return ERROR_NOMEM;
    rc = libxl__xs_reserve(s->restoring, LIBXL__PCI_RESTORING * seized, octets);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < s->check.count; i++)
        if (is_seized(&s->check.functions[i]) && *s->check.functions[i].facts.driver)
            libxl__pci_nodes_write(s->drivers, s->check.functions[i].sbdf, "driver_path",
                                   s->check.functions[i].facts.driver);
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
        for (uint32_t i = 0; i < s->check.count; i++)
            if (is_seized(&s->check.functions[i]))
                libxl__pci_nodes_restore(s->restoring, s->check.functions[i].sbdf, &s->check.nodes[i]);
        libxl__xs_run_anyway(s->restoring, LIBXL__XS_ONE_BY_ONE);
    }
    return libxl__xs_done(s->restoring) ? rc : LIBXL__AO_WAIT;
}

/* ---- record: adds the device to the stored configuration; a creation stores the whole configuration itself */

static int record_start(libxl__ao *ao, struct pci_add *s)
{
    if (s->creating)
        return 0;
    libxl_device_pci config = s->check.configs[0];
    if (libxl__pci_is_named(&config))
        libxl__pci_set_address(&config, s->check.functions[0].sbdf);
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
    s->access.functions = s->check.functions;
    s->access.count = s->check.count;
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
    return libxl__pci_model_plug(ao, &s->model, s->device.domid, s->check.functions, s->check.count);
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
    args->in.slot = s->creating ? 0 : s->check.functions[0].sbdf & ~7u;
    for (uint32_t i = 0; i < s->check.count && !s->creating; i++)
        args->in.mask |= 1u << (s->check.functions[i].sbdf & 7);
    s->write = (libxl__pci_write){.domid = s->device.domid,
                                  .asks = s->device.pv && !s->creating,
                                  .creating = s->creating,
                                  .functions = s->check.functions,
                                  .config_of = s->check.config_of,
                                  .count = s->check.count};
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
