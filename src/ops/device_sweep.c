/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removes all devices of a domain, which the toolstack's tree lists, by force: for the teardown. The devices may be
 * those of another toolstack.
 *
 * Owns: nothing beyond the parent's operation. Locks: the context's lock, held by the caller.
 */
#include "device_operations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 16 }; /* the most devices that are removed at a time */

static int new_listing(libxl__ao *ao, libxl__device_sweep *sweep)
{
    libxl__xs_batch_free(sweep->listing);
    sweep->listing = libxl__xs_batch_new(ao, sweep->domid);
    return sweep->listing ? 0 : ERROR_NOMEM;
}

int libxl__device_sweep_list(libxl__ao *ao, libxl__device_sweep *sweep, uint32_t domid,
                             const libxl_uuid *uuid)
{
    sweep->domid = domid;
    sweep->uuid = *uuid;
    const int rc = new_listing(ao, sweep);
    if (rc)
        return rc;
    sweep->pid_node = libxl__xs_read(sweep->listing, LIBXL__QEMU_PID, domid);
    sweep->all = libxl__xs_list(sweep->listing, 0, "/libxl/%u/device", domid);
    libxl__xs_run_anyway(sweep->listing, LIBXL__XS_ONE_BY_ONE);
    return libxl__device_sweep_list_poll(ao, sweep); /* a batch that cannot be run is done */
}

/* Returns the name at `*at` of a list and advances it; NULL: there are no more names. */
static const char *next_name(const char **at, const char *end)
{
    const char *name = *at;
    if (!name || name >= end || !*name)
        return NULL;
    *at += strlen(name) + 1;
    return name;
}

/* Lists the numbers of each kind. Returns 0 if there are no kinds. */
static int list_numbers(libxl__ao *ao, libxl__device_sweep *sweep)
{
    size_t size = 0;
    const char *version, *name, *names = libxl__xs_names(sweep->all, &size, &version), *at = names;
    while (next_name(&at, names + size))
        sweep->kind_count++;
    if (!sweep->kind_count)
        return 0;
    sweep->names = libxl__gc_alloc(&ao->gc, sweep->kind_count * sizeof(*sweep->names));
    sweep->kinds = libxl__gc_alloc(&ao->gc, sweep->kind_count * sizeof(*sweep->kinds));
    if (!sweep->names || !sweep->kinds)
        return ERROR_NOMEM;
    at = names;
    for (uint32_t i = 0; (name = next_name(&at, names + size)); i++)
        if (!(sweep->names[i] = libxl__gc_printf(&ao->gc, "%s", name)))
            return ERROR_NOMEM;
    const int rc = new_listing(ao, sweep);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < sweep->kind_count; i++)
        sweep->kinds[i] =
            libxl__xs_list(sweep->listing, 0, "/libxl/%u/device/%s", sweep->domid, sweep->names[i]);
    libxl__xs_run_anyway(sweep->listing, LIBXL__XS_ONE_BY_ONE);
    return libxl__device_sweep_list_poll(ao, sweep);
}

/* Stores the devices of all lists in `out` unless it is NULL. Returns their number. */
static uint32_t collect(const libxl__device_sweep *sweep, struct libxl__swept *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sweep->kind_count; i++) {
        size_t size = 0;
        const char *version, *name, *at = libxl__xs_names(sweep->kinds[i], &size, &version), *end = at + size;
        while ((name = next_name(&at, end))) {
            char *rest;
            errno = 0;
            const unsigned long devid = strtoul(name, &rest, 10);
            if (*rest || errno || devid > UINT32_MAX)
                continue;
            if (out)
                out[count] = (struct libxl__swept){.kind = sweep->names[i], .devid = (uint32_t)devid};
            count++;
        }
    }
    return count;
}

static int fill(const libxl__group *group, uint32_t index, libxl__ao *child)
{
    const libxl__device_sweep *sweep = group->context;
    const struct libxl__swept *device = &sweep->devices[index];
    libxl__device_detach_args *args = libxl__ao_args(child);
    args->in.abandoned = true; /* the sweep ends the QEMU first */
    return libxl__detach_fill(child, sweep->domid, &sweep->uuid, device->kind, device->devid, true);
}

int libxl__device_sweep_collect(libxl__ao *ao, libxl__device_sweep *sweep)
{
    sweep->count = sweep->listed ? collect(sweep, NULL) : 0;
    sweep->devices = libxl__gc_alloc(&ao->gc, sweep->count * sizeof(*sweep->devices));
    if (!sweep->devices)
        return ERROR_NOMEM;
    if (sweep->count)
        collect(sweep, sweep->devices);
    return 0;
}

static int remove_devices(libxl__ao *ao, libxl__device_sweep *sweep)
{
    const int collected = libxl__device_sweep_collect(ao, sweep);
    if (collected || !sweep->count)
        return collected;
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

/* Ends the domain's QEMU, so that it serves no device any more. An error does not end the sweep. */
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
    return rc == ERROR_NOTFOUND ? 0 : rc; /* another program has removed a device in the meantime */
}

int libxl__device_sweep_list_poll(libxl__ao *ao, libxl__device_sweep *sweep)
{
    if (!libxl__xs_done(sweep->listing))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_rc(sweep->listing);
    if (!rc && !sweep->kinds) {
        const char *pid = libxl__xs_value(sweep->pid_node);
        sweep->model_pid = pid ? atoi(pid) : 0;
        return list_numbers(ao, sweep);
    }
    sweep->listed = !rc;
    return rc;
}
