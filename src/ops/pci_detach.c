/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pci_detach takes functions of a PCI device away from a domain. The removals and the undo of an addition run it
 * as a nested operation.
 *
 * If the domain keeps other functions, the guest is asked to release the functions that are removed: their states
 * become Closing, and the backend's state becomes Reconfiguring. Otherwise device_detach closes the backend, revokes
 * the domain's access, and removes the nodes, as for any device. With force, a time limit ends the wait for the guest.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "device_operations.h"
#include "pci_device.h"
#include "pci_model.h"

#include <stdio.h>
#include <string.h>

#include <xen/io/xenbus.h>

enum { MOST_TRIES = 16 };

typedef struct pci_detach {
    libxl__pci_tree tree;
    libxl__pci_function functions[LIBXL__PCI_MOST];
    uint32_t count;
    bool hvm, pv;
    bool all;       /* the operation removes all functions of the domain */
    bool asks;      /* the guest is asked to release the functions (the handshake of pciback) */
    bool unsettled; /* the backend was not in the state Connected in time, so the guest is not asked */
    bool stopped;
    libxl__pci_model model;
    libxl__await settled, closed;
    libxl__xs_batch *batch;
    libxl__nested whole; /* device_detach, which closes the backend; used if `all` is set */
    libxl__pci_job look, access;
    bool revoking;
    libxl__userdata stored;
    unsigned tries;
    bool writing; /* the phase `clean` has started its transaction */
} pci_detach_state;

static const libxl__pci_detach_args *args_of(libxl__ao *ao)
{
    return libxl__ao_args(ao);
}

/* ---- find: finds the functions to remove, and checks whether the guest can answer */

static int find_start(libxl__ao *ao, struct pci_detach *s)
{
    return libxl__pci_tree_start(ao, &s->tree, args_of(ao)->in.domid);
}

static bool is_wanted(libxl__ao *ao, uint32_t sbdf)
{
    const libxl__pci_detach_args *args = args_of(ao);
    return !args->in.mask || ((sbdf & ~7u) == args->in.slot && args->in.mask >> (sbdf & 7) & 1);
}

/* Stores the domain's type, and whether the guest can answer. */
static int check_guest(libxl__ao *ao, struct pci_detach *s)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_look(ao, args_of(ao)->in.domid, &info);
    if (rc)
        return rc == ERROR_DOMAIN_NOTFOUND ? 0 : rc;
    s->hvm = libxl__hv_type(&info) == LIBXL_DOMAIN_TYPE_HVM;
    s->pv = !s->hvm;
    const bool runs = !(info.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown));
    s->asks = s->pv && runs && !s->all && !(info.flags & XEN_DOMINF_paused);
    if (info.flags & XEN_DOMINF_paused && runs && !args_of(ao)->in.force)
        return libxl__ao_fail(ao, ERROR_GUEST_CANNOT_ANSWER, "domain %u is paused", args_of(ao)->in.domid);
    return 0;
}

static int find_poll(libxl__ao *ao, struct pci_detach *s)
{
    const int rc = libxl__pci_tree_poll(ao, &s->tree);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < s->tree.count; i++)
        if (is_wanted(ao, s->tree.sbdf[i]))
            s->functions[s->count++] = (libxl__pci_function){.sbdf = s->tree.sbdf[i], .granted = true};
    if (!s->count)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "pci: domain %u has no such PCI device",
                              args_of(ao)->in.domid);
    s->all = s->count == s->tree.count;
    return check_guest(ao, s);
}

/* ---- unplug: the device model of an HVM guest unplugs the functions, once the guest has released them */

static int unplug_start(libxl__ao *ao, struct pci_detach *s)
{
    if (!s->hvm)
        return 0;
    const int rc = libxl__pci_model_unplug(ao, &s->model, args_of(ao)->in.domid, s->functions, s->count);
    if (rc == LIBXL__AO_WAIT || !args_of(ao)->in.force)
        return rc;
    libxl__ao_forget_failure(ao);
    return 0;
}

static int unplug_poll(libxl__ao *ao, struct pci_detach *s)
{
    const bool force = args_of(ao)->in.force;
    if (force && s->model.step == LIBXL__PCI_PAUSING)
        return 0; /* with force, the operation asks the guest, but does not wait for it */
    const int rc = libxl__pci_model_unplugged(ao, &s->model);
    if (rc == LIBXL__AO_WAIT || !force)
        return rc;
    libxl__ao_forget_failure(ao);
    return 0;
}

/* ---- ready: waits for the end of an earlier reconfiguration */

static int ready_start(libxl__ao *ao, struct pci_detach *s)
{
    char path[LIBXL__DEVICE_PATH];
    s->unsettled = libxl__device_state(libxl__xs_value(s->tree.state)) != XenbusStateConnected;
    if (!s->asks || args_of(ao)->in.force)
        return 0;
    snprintf(path, sizeof(path), LIBXL__PCI_BACKEND "/state", args_of(ao)->in.domid);
    const int rc = libxl__await_start(ao, &s->settled, path, libxl__await_equal, "4");
    return rc ? rc : LIBXL__AO_WAIT;
}

static int ready_poll(libxl__ao *ao, struct pci_detach *s)
{
    const int rc = libxl__await_step(ao, &s->settled);
    s->unsettled = rc != 0;
    return rc;
}

/* ---- ask: the handshake of pciback begins */

static int ask_start(libxl__ao *ao, struct pci_detach *s)
{
    const uint32_t domid = args_of(ao)->in.domid;
    s->asks = s->asks && !s->unsettled;
    if (!s->asks)
        return 0;
    s->batch = libxl__xs_batch_new(ao, domid);
    if (!s->batch)
        return ERROR_NOMEM;
    libxl__xs_require(s->batch, ERROR_NOT_READY, "4", LIBXL__PCI_BACKEND "/state", domid);
    libxl__xs_require(s->batch, ERROR_NOT_READY, libxl__xs_value(s->tree.count_node),
                      LIBXL__PCI_BACKEND "/num_devs", domid);
    for (uint32_t i = 0; i < s->count; i++)
        libxl__xs_write(s->batch, LIBXL__XS_INHERITS, "5", LIBXL__PCI_BACKEND "/state-%d", domid,
                        libxl__pci_tree_find(&s->tree, s->functions[i].sbdf));
    libxl__xs_write(s->batch, LIBXL__XS_INHERITS, "7", LIBXL__PCI_BACKEND "/state", domid);
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int ask_poll(libxl__ao *ao, struct pci_detach *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(s->batch) == ERROR_NOT_READY && args_of(ao)->in.force) {
        s->asks = false;
        return 0;
    }
    if (libxl__xs_rc(s->batch) == ERROR_NOT_READY)
        return libxl__ao_fail(ao, ERROR_BUSY, "another program changes the PCI devices of domain %u",
                              args_of(ao)->in.domid);
    return libxl__xs_result(s->batch);
}

/* ---- closed: waits until the guest has released the functions, or device_detach has closed the backend */

/*
 * Returns the result of device_detach. BUSY: another program has added a function since the phase `find`, and
 * device_detach has changed nothing. If `force` is set, or the device model has unplugged the functions, BUSY is no
 * error: the next phases remove only the functions that were asked for.
 */
static int whole_ended(struct pci_detach *s, bool force)
{
    if (!s->whole.done)
        return LIBXL__AO_WAIT;
    if (s->whole.rc != ERROR_BUSY || !(force || s->hvm))
        return s->whole.rc;
    s->all = false;
    return 0;
}

static int start_whole(libxl__ao *ao, struct pci_detach *s)
{
    const libxl__pci_detach_args *args = args_of(ao);
    libxl__ao *child = libxl__nested_create(ao, &s->whole, &libxl__operations[LIBXL__OP_DEVICE_DETACH]);
    if (!child)
        return ERROR_NOMEM;
    const int rc =
        libxl__detach_fill(child, args->in.domid, &ao->subject.uuid, "pci", 0, args->in.force || s->hvm);
    if (rc)
        return rc;
    ((libxl__device_detach_args *)libxl__ao_args(child))->in.functions = s->count;
    libxl__nested_start(&s->whole);
    return whole_ended(s, args->in.force);
}

/* A test that is true if the backend is connected again, or if it has closed. */
static bool is_reconfigured(const libxl__await *await, const char *value)
{
    const int state = libxl__device_state(value);
    (void)await;
    return !value || (state >= XenbusStateConnected && state <= XenbusStateClosed);
}

/* Starts to wait for the end of the handshake. */
static int start_waiting(libxl__ao *ao, struct pci_detach *s)
{
    char path[LIBXL__DEVICE_PATH];
    snprintf(path, sizeof(path), LIBXL__PCI_BACKEND "/state", args_of(ao)->in.domid);
    const int rc = libxl__await_start(ao, &s->closed, path, is_reconfigured, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int closed_start(libxl__ao *ao, struct pci_detach *s)
{
    if (s->all)
        return start_whole(ao, s);
    return s->asks && !args_of(ao)->in.force ? start_waiting(ao, s) : 0;
}

static int closed_poll(libxl__ao *ao, struct pci_detach *s)
{
    if (s->all)
        return whole_ended(s, args_of(ao)->in.force);
    const int rc = libxl__await_step(ao, &s->closed);
    return rc == LIBXL__AO_WAIT && s->stopped ? ao->stop : rc;
}

static void closed_stop(libxl__ao *ao, struct pci_detach *s)
{
    (void)ao;
    s->stopped = true;
    if (s->whole.child)
        libxl__ao_request_stop(s->whole.child, ERROR_ABORTED);
}

/* ---- released: with force, waits for the guest for a limited time */

static int released_start(libxl__ao *ao, struct pci_detach *s)
{
    return s->asks && args_of(ao)->in.force ? start_waiting(ao, s) : 0;
}

static int released_poll(libxl__ao *ao, struct pci_detach *s)
{
    return libxl__await_step(ao, &s->closed);
}

/* ---- revoke: revokes the domain's access to the functions */

static int revoke_start(libxl__ao *ao, struct pci_detach *s)
{
    if (s->all)
        return 0; /* device_detach has already revoked the domain's access */
    s->access.domid = args_of(ao)->in.domid;
    s->access.functions = s->functions;
    s->access.count = s->count;
    return libxl__pci_start(ao, &s->access, LIBXL__PCI_LOOK);
}

/*
 * The job revokes the access to the ports and the memory that the kernel lists for the device. If the list cannot be
 * read, the job only takes the device from the domain.
 */
static int revoke_poll(libxl__ao *ao, struct pci_detach *s)
{
    if (libxl__pci_busy(&s->access))
        return LIBXL__AO_WAIT;
    if (s->revoking)
        return libxl__pci_poll(ao, &s->access);
    s->revoking = true;
    return libxl__pci_start(ao, &s->access, LIBXL__PCI_REVOKE);
}

/* ---- record: removes the device from the stored configuration; an error does not end the removal */

static int record_start(libxl__ao *ao, struct pci_detach *s)
{
    const libxl__pci_detach_args *args = args_of(ao);
    libxl_device_pci pci;
    if (!args->in.recorded || !args->in.mask)
        return 0;
    libxl_device_pci_init(&pci);
    libxl__pci_set_address(&pci, s->functions[0].sbdf);
    if (args->in.mask == LIBXL_PCI_FUNC_ALL)
        pci.vfunc_mask = LIBXL_PCI_FUNC_ALL;
    const int rc = libxl__pci_record(ao, &s->stored, args->in.domid, &pci, false);
    if (!rc)
        return LIBXL__AO_WAIT;
    libxl__ao_forget_failure(ao);
    return 0;
}

static int record_poll(libxl__ao *ao, struct pci_detach *s)
{
    (void)ao;
    return libxl__userdata_done(&s->stored) ? 0 : LIBXL__AO_WAIT;
}

/* ---- clean: removes the nodes of the functions, and renumbers the functions that stay */

static int read_tree(libxl__ao *ao, struct pci_detach *s)
{
    s->writing = false;
    return libxl__pci_tree_start(ao, &s->tree, args_of(ao)->in.domid);
}

static bool is_removed(const struct pci_detach *s, uint32_t sbdf)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->functions[i].sbdf == sbdf)
            return true;
    return false;
}

/* Renames the keys of a function, which end with its number, from the number `from` to `to`. */
static void move_function(struct pci_detach *s, uint32_t domid, uint32_t from, uint32_t to)
{
    for (unsigned key = 0; key < LIBXL__PCI_KEYS && from != to; key++) {
        const char *value = libxl__pci_tree_value(&s->tree, from, (libxl__pci_key)key);
        if (value)
            libxl__xs_write(s->batch, LIBXL__XS_INHERITS, value, LIBXL__PCI_BACKEND "/%s-%u", domid,
                            libxl__pci_keys[key], to);
        else
            libxl__xs_remove(s->batch, LIBXL__PCI_BACKEND "/%s-%u", domid, libxl__pci_keys[key], to);
    }
}

static int write_nodes(libxl__ao *ao, struct pci_detach *s)
{
    const uint32_t domid = args_of(ao)->in.domid;
    char text[16];
    uint32_t kept = 0;
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, domid);
    if (!s->batch)
        return ERROR_NOMEM;
    s->writing = true;
    libxl__xs_require(s->batch, ERROR_NOT_READY, libxl__xs_value(s->tree.count_node),
                      LIBXL__PCI_BACKEND "/num_devs", domid);
    for (uint32_t i = 0; i < s->tree.count; i++)
        libxl__xs_require(s->batch, ERROR_NOT_READY, libxl__pci_tree_value(&s->tree, i, LIBXL__PCI_DEV),
                          LIBXL__PCI_BACKEND "/dev-%u", domid, i);
    for (uint32_t i = 0; i < s->tree.count; i++) {
        if (is_removed(s, s->tree.sbdf[i])) {
            libxl__xs_remove(s->batch, LIBXL__PCI_NODE "/domid", LIBXL__PCI_PARTS(s->tree.sbdf[i]));
            libxl__xs_prune(s->batch, 1, LIBXL__PCI_NODE, LIBXL__PCI_PARTS(s->tree.sbdf[i]));
        } else {
            move_function(s, domid, i, kept++);
        }
    }
    for (uint32_t i = kept; i < s->tree.count; i++)
        for (unsigned key = 0; key < LIBXL__PCI_KEYS; key++)
            libxl__xs_remove(s->batch, LIBXL__PCI_BACKEND "/%s-%u", domid, libxl__pci_keys[key], i);
    snprintf(text, sizeof(text), "%u", kept);
    libxl__xs_write(s->batch, LIBXL__XS_INHERITS, text, LIBXL__PCI_BACKEND "/num_devs", domid);
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int clean_start(libxl__ao *ao, struct pci_detach *s)
{
    return s->all ? 0 : read_tree(ao, s);
}

static int clean_poll(libxl__ao *ao, struct pci_detach *s)
{
    if (!s->writing) {
        const int rc = libxl__pci_tree_poll(ao, &s->tree);
        return rc ? rc : s->tree.exists ? write_nodes(ao, s) : 0;
    }
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(s->batch) == ERROR_NOT_READY && ++s->tries <= MOST_TRIES)
        return read_tree(ao, s);
    return libxl__xs_result(s->batch);
}

#include "_libxl_phases_pci_detach.h"
