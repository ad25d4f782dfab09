/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removes all devices of a domain by force. The teardown uses this. The devices are listed from the
 * toolstack's tree, so devices that another toolstack has added are removed, too.
 *
 * Owns: nothing beyond the parent's operation. The caller holds the context's lock.
 */
#include "device_operations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 16 /* the greatest number of devices that are removed at a time */,
    FIRST_ROOM = 16,
    MOST_RESTARTS = 10
};

/*
 * The node that shows whether a domain has PCI devices. They have no nodes in the toolstack's tree. The
 * argument is the domid.
 */
#define PCI_BACKEND "/local/domain/0/backend/pci/%u/0/frontend-id"

/* The number and the size of the first requests of libxl__device_sweep_list. */
enum {
    FIRST_REQUESTS = 3,
    FIRST_OCTETS = sizeof(LIBXL__QEMU_PID) + sizeof("/libxl/4294967295/device") + sizeof(PCI_BACKEND) + 32
};

static int new_listing(libxl__ao *ao, libxl__device_sweep *sweep)
{
    libxl__xs_batch_free(sweep->listing);
    sweep->listing = libxl__xs_batch_new(ao, sweep->domid);
    return sweep->listing ? 0 : ERROR_NOMEM;
}

int libxl__device_sweep_reserve(libxl__ao *ao, libxl__device_sweep *sweep)
{
    /* The requests of this batch only read, so they do not need the domid. */
    sweep->listing = libxl__xs_batch_new(ao, LIBXL_DOMID_INVALID);
    return sweep->listing ? libxl__xs_reserve(sweep->listing, FIRST_REQUESTS, FIRST_OCTETS) : ERROR_NOMEM;
}

int libxl__device_sweep_list(libxl__ao *ao, libxl__device_sweep *sweep, uint32_t domid,
                             const libxl_uuid *uuid)
{
    sweep->domid = domid;
    sweep->uuid = *uuid;
    const int rc = sweep->listing ? 0 : new_listing(ao, sweep);
    if (rc)
        return rc;
    sweep->pid_node = libxl__xs_read(sweep->listing, LIBXL__QEMU_PID, domid);
    sweep->pci_node = libxl__xs_read(sweep->listing, PCI_BACKEND, domid);
    sweep->all = libxl__xs_list(sweep->listing, 0, "/libxl/%u/device", domid);
    libxl__xs_run_anyway(sweep->listing, LIBXL__XS_ONE_BY_ONE);
    /* If the batch cannot be run, it is done at once. So the poll is called here to return the error. */
    return libxl__device_sweep_list_poll(ao, sweep);
}

int libxl__device_sweep_list_again(libxl__ao *ao, libxl__device_sweep *sweep)
{
    libxl__xs_batch_free(sweep->listing);
    sweep->listing = NULL;
    sweep->kinds = NULL;
    sweep->kind_count = sweep->restarts = sweep->count = 0;
    return libxl__device_sweep_list(ao, sweep, sweep->domid, &sweep->uuid);
}

/* Returns the name at *at in a list of names, and moves *at to the next name. Returns NULL at the end of the list. */
static const char *next_name(const char **at, const char *end)
{
    const char *name = *at;
    if (!name || name >= end || !*name)
        return NULL;
    *at += strlen(name) + 1;
    return name;
}

static libxl__gc *memory_of(libxl__ao *ao, const libxl__device_sweep *sweep)
{
    return sweep->gc ? sweep->gc : &ao->gc;
}

/* Starts to read the next part of each list that is not complete. */
static int list_parts(libxl__ao *ao, libxl__device_sweep *sweep)
{
    const int rc = new_listing(ao, sweep);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < sweep->kind_count; i++) {
        struct libxl__swept_kind *kind = &sweep->kinds[i];
        kind->part = kind->complete ? NULL
                                    : libxl__xs_list(sweep->listing, kind->offset, "/libxl/%u/device/%s",
                                                     sweep->domid, kind->name);
    }
    libxl__xs_run_anyway(sweep->listing, LIBXL__XS_ONE_BY_ONE);
    return libxl__device_sweep_list_poll(ao, sweep);
}

static int add_device(libxl__ao *ao, libxl__device_sweep *sweep, const char *kind, uint32_t devid)
{
    if (sweep->count == sweep->room) {
        const uint32_t room = sweep->room ? 2 * sweep->room : FIRST_ROOM;
        struct libxl__swept *larger = libxl__gc_alloc(memory_of(ao, sweep), room * sizeof(*larger));
        if (!larger)
            return ERROR_NOMEM;
        if (sweep->count)
            memcpy(larger, sweep->devices, sweep->count * sizeof(*larger));
        sweep->devices = larger;
        sweep->room = room;
    }
    sweep->devices[sweep->count++] = (struct libxl__swept){.kind = kind, .devid = devid};
    return 0;
}

/* Adds the PCI devices, which are one device of xenstore. */
static int add_pci(libxl__ao *ao, libxl__device_sweep *sweep)
{
    return sweep->has_pci ? add_device(ao, sweep, libxl__class_pci.kind, 0) : 0;
}

/* Starts to list the numbers of the devices of each kind. Returns 0 if there are no kinds. */
static int list_numbers(libxl__ao *ao, libxl__device_sweep *sweep)
{
    size_t size = 0;
    const char *version, *name, *names = libxl__xs_names(sweep->all, &size, &version), *at = names;
    while (next_name(&at, names + size))
        sweep->kind_count++;
    sweep->listed = !sweep->kind_count;
    if (sweep->listed)
        return 0;
    sweep->kinds = libxl__gc_alloc(memory_of(ao, sweep), sweep->kind_count * sizeof(*sweep->kinds));
    if (!sweep->kinds)
        return ERROR_NOMEM;
    at = names;
    for (uint32_t i = 0; (name = next_name(&at, names + size)); i++)
        if (!(sweep->kinds[i].name = libxl__gc_printf(memory_of(ao, sweep), "%s", name)))
            return ERROR_NOMEM;
    return list_parts(ao, sweep);
}

/* Adds the devices of a part of a list. The list is complete if its end is in this part. */
static int add_part(libxl__ao *ao, libxl__device_sweep *sweep, struct libxl__swept_kind *kind)
{
    size_t size = 0;
    const char *version, *names = libxl__xs_names(kind->part, &size, &version), *at = names, *name;
    kind->complete = true;
    if (!names)
        return 0;
    while ((name = next_name(&at, names + size))) {
        char *rest;
        errno = 0;
        const unsigned long devid = strtoul(name, &rest, 10);
        if (!*rest && !errno && devid <= UINT32_MAX && add_device(ao, sweep, kind->name, (uint32_t)devid))
            return ERROR_NOMEM;
    }
    kind->complete = at < names + size || at == names;
    kind->offset += (uint32_t)(at - names);
    kind->version = libxl__gc_printf(memory_of(ao, sweep), "%s", version);
    return kind->version ? 0 : ERROR_NOMEM;
}

/* Returns whether a list has changed since its previous part was read. */
static bool has_changed(const libxl__device_sweep *sweep)
{
    for (uint32_t i = 0; i < sweep->kind_count; i++) {
        const struct libxl__swept_kind *kind = &sweep->kinds[i];
        size_t size;
        const char *version;
        if (kind->part && kind->version && libxl__xs_names(kind->part, &size, &version) &&
            strcmp(version, kind->version) != 0)
            return true;
    }
    return false;
}

/*
 * Called when one part of each list was read. Adds the devices of these parts to the sweep, and starts to read
 * the next part of each list. If a list has changed between two of its parts, reads all lists from the start.
 */
static int parts_listed(libxl__ao *ao, libxl__device_sweep *sweep)
{
    if (has_changed(sweep) && sweep->restarts++ < MOST_RESTARTS) {
        for (uint32_t i = 0; i < sweep->kind_count; i++)
            sweep->kinds[i] = (struct libxl__swept_kind){.name = sweep->kinds[i].name};
        sweep->count = 0;
        return add_pci(ao, sweep) ? ERROR_NOMEM : list_parts(ao, sweep);
    }
    sweep->listed = true;
    for (uint32_t i = 0; i < sweep->kind_count; i++) {
        struct libxl__swept_kind *kind = &sweep->kinds[i];
        if (kind->part && add_part(ao, sweep, kind))
            return ERROR_NOMEM;
        sweep->listed = sweep->listed && kind->complete;
    }
    return sweep->listed ? 0 : list_parts(ao, sweep);
}

int libxl__device_sweep_explain(const libxl__device_sweep *sweep, int rc)
{
    return rc && rc != LIBXL__AO_WAIT && rc != ERROR_NOMEM ? libxl__xs_result(sweep->listing) : rc;
}

static int fill(const libxl__group *group, uint32_t index, libxl__ao *child)
{
    const libxl__device_sweep *sweep = group->context;
    const struct libxl__swept *device = &sweep->devices[index];
    libxl__device_detach_args *args = libxl__ao_args(child);
    args->in.abandoned = true; /* the sweep has ended the domain's QEMU before it removes the devices */
    args->in.ending = !sweep->domain_stays;
    return libxl__detach_fill(child, sweep->domid, &sweep->uuid, device->kind, device->devid, true);
}

static int remove_devices(libxl__ao *ao, libxl__device_sweep *sweep)
{
    if (!sweep->listed || !sweep->count)
        return 0;
    sweep->group = (libxl__group){.cls = &libxl__operations[LIBXL__OP_DEVICE_DETACH],
                                  .name = "devices",
                                  .fill = fill,
                                  .context = sweep,
                                  .count = sweep->count,
                                  .width = WIDTH,
                                  .keeps_going = true};
    const int rc = libxl__group_start(ao, &sweep->group);
    return rc == LIBXL__AO_WAIT ? rc : libxl__device_sweep_remove_poll(ao, sweep);
}

/*
 * Removes the devices that were listed. First ends the domain's QEMU, so that no backend in QEMU has to
 * close. If QEMU cannot be ended, the devices are still removed.
 */
int libxl__device_sweep_remove(libxl__ao *ao, libxl__device_sweep *sweep)
{
    if (!sweep->model_pid)
        return remove_devices(ao, sweep);
    const int rc = libxl__qemu_end_begin(ao, &sweep->model, sweep->domid, sweep->model_pid);
    sweep->ending_model = rc == LIBXL__AO_WAIT;
    return sweep->ending_model ? rc : remove_devices(ao, sweep);
}

int libxl__device_sweep_remove_poll(libxl__ao *ao, libxl__device_sweep *sweep)
{
    if (sweep->ending_model) {
        if (libxl__qemu_end_poll(ao, &sweep->model) == LIBXL__AO_WAIT)
            return LIBXL__AO_WAIT;
        sweep->ending_model = false;
        return remove_devices(ao, sweep);
    }
    const int rc = libxl__group_poll(ao, &sweep->group);
    return rc == ERROR_NOTFOUND ? 0 : rc; /* another program has removed a device before this operation */
}

int libxl__device_sweep_list_poll(libxl__ao *ao, libxl__device_sweep *sweep)
{
    if (!libxl__xs_done(sweep->listing))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_rc(sweep->listing);
    if (!rc && !sweep->kinds) {
        const char *pid = libxl__xs_value(sweep->pid_node);
        sweep->model_pid = pid ? atoi(pid) : 0;
        sweep->has_pci = libxl__xs_value(sweep->pci_node) != NULL;
        return add_pci(ao, sweep) ? ERROR_NOMEM : list_numbers(ao, sweep);
    }
    return rc ? rc : parts_listed(ao, sweep);
}
