/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_check.h, and the hidden operations device_NAME_check, which check a device and add nothing.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "device_check.h"

#include <stdlib.h>
#include <string.h>

static int start_probe(libxl__ao *ao, libxl__device_check *s)
{
    s->step = PROBING;
    return s->device->cls->probe_start ? s->device->cls->probe_start(ao, s->device) : 0;
}

int libxl__device_exists(libxl__ao *ao, const libxl__device *device)
{
    return libxl__ao_fail(ao, ERROR_DEVICE_EXISTS, "domain %u has a %s with the number %u already",
                          device->domid, device->cls->name, device->devid);
}

/* Lists the numbers of the domain's devices, to choose the next free number. */
static int start_listing(libxl__ao *ao, libxl__device_check *s)
{
    const char *path = libxl__gc_printf(&ao->gc, "/libxl/%u/device/%s", s->device->domid, s->device->kind);
    return path ? libxl__xs_directory_start(ao, &s->numbers, path) : ERROR_NOMEM;
}

/* Starts to read whether the device exists, before the stored configuration is changed. */
static int start_looking(libxl__ao *ao, libxl__device_check *s)
{
    s->batch = libxl__xs_batch_new(ao, s->device->domid);
    if (!s->batch)
        return ERROR_NOMEM;
    libxl__xs_require_absent(s->batch, ERROR_DEVICE_EXISTS, LIBXL__TOOLSTACK, LIBXL__TOOLSTACK_OF(s->device));
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int start_numbering(libxl__ao *ao, libxl__device_check *s)
{
    s->step = NUMBERING;
    s->chooses_number = s->device->devid == UINT32_MAX;
    if (s->chooses_number)
        return start_listing(ao, s);
    return s->adds ? start_looking(ao, s) : start_probe(ao, s);
}

static int looked(libxl__ao *ao, libxl__device_check *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(s->batch) == ERROR_DEVICE_EXISTS)
        return libxl__device_exists(ao, s->device);
    const int rc = libxl__xs_result(s->batch);
    libxl__xs_batch_free(s->batch);
    s->batch = NULL;
    return rc ? rc : start_probe(ao, s);
}

static int choose_number(libxl__ao *ao, libxl__device_check *s)
{
    if (!s->chooses_number)
        return looked(ao, s);
    const int rc = libxl__xs_directory_step(ao, &s->numbers);
    if (rc)
        return rc;
    s->device->devid = libxl__device_next_number(s->device->cls, s->numbers.names, s->numbers.count);
    return start_probe(ao, s);
}

/* Follows the backend's domain, so that the operation fails if that domain ends. */
static int follow_server(libxl__ao *ao, libxl__device_check *s)
{
    xc_domaininfo_t info;
    const uint32_t domid = *libxl__device_backend_domid(s->device);
    s->device->backend_domid = domid;
    if (!domid)
        return start_numbering(ao, s);
    int rc = libxl__hv_look(ao, domid, &info);
    if (rc == ERROR_DOMAIN_NOTFOUND)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "backend_domid: there is no domain %u", domid);
    if (!rc)
        rc = libxl__domain_source_start(ao, s->server, &info);
    return rc ? rc : start_numbering(ao, s);
}

static int find_backend(libxl__ao *ao, libxl__device_check *s)
{
    uint32_t domid;
    const char *name = libxl__device_backend_domname(s->device);
    const int rc = libxl__name_search_step(ao, &s->backend_name, &domid);
    if (rc)
        return rc;
    if (domid == LIBXL_DOMID_INVALID)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "backend_domname: there is no domain '%s'", name);
    *libxl__device_backend_domid(s->device) = domid;
    return follow_server(ao, s);
}

/* Finds the backend's domain. As in libxl, a name that has digits only is the domain's number. */
static int start_naming(libxl__ao *ao, libxl__device_check *s)
{
    const char *name = libxl__device_backend_domname(s->device);
    if (name && *name && !name[strspn(name, "0123456789")]) {
        const unsigned long domid = strtoul(name, NULL, 10);
        if (domid >= LIBXL__DOMID_FIRST_RESERVED)
            return libxl__ao_fail(ao, ERROR_NOTFOUND, "backend_domname: there is no domain %s", name);
        *libxl__device_backend_domid(s->device) = (uint32_t)domid;
        name = NULL;
    }
    if (!name)
        return follow_server(ao, s);
    const int rc = libxl__name_search_start(ao, &s->backend_name, name, false, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Checks that the unsupported fields have their initial values. The IDL says which fields are unsupported. */
static int check_supported(libxl__ao *ao, const libxl__device *device)
{
    const int rc = libxl__json_check(device->cls->json, device->config, ERROR_NI);
    return rc ? libxl__ao_fail(ao, rc, "%s", libxl_error_message()) : 0;
}

int libxl__device_check_start(libxl__ao *ao, libxl__device_check *s)
{
    xc_domaininfo_t info;
    libxl__device_of_operation(ao, s->device);
    int rc = libxl__hv_info(ao, s->device->domid, &info);
    s->device->pv = !rc && !(info.flags & XEN_DOMINF_hvm_guest);
    s->device->creating = !s->adds;
    s->device->replaces = s->replaces;
    s->device->hvm = !rc && libxl__hv_type(&info) == LIBXL_DOMAIN_TYPE_HVM;
    if (!rc)
        rc = libxl__device_reserve(ao, s->device);
    if (!rc && s->device->cls->choose)
        rc = s->device->cls->choose(ao, s->device->config);
    if (!rc && s->adds)
        rc = libxl__device_keep_original(ao, s->original, s->device);
    if (!rc)
        rc = check_supported(ao, s->device);
    if (!rc)
        rc = s->device->cls->check(ao, s->device);
    return rc ? rc : start_naming(ao, s);
}

int libxl__device_check_poll(libxl__ao *ao, libxl__device_check *s)
{
    switch (s->step) {
    case NAMING: return find_backend(ao, s);
    case NUMBERING: return choose_number(ao, s);
    case PROBING: break;
    }
    return s->device->cls->probe_poll(ao, s->device);
}

/* ---- device_NAME_check */

typedef struct device_check {
    libxl__device device;
    libxl__domain_source server; /* follows the backend's domain, if another domain serves the device */
    libxl__device_check check;
} device_check_state;

static int check_start(libxl__ao *ao, struct device_check *s)
{
    /* The operations device_NAME_check of all classes have the same first inputs (device_groups.c). */
    const libxl__device_disk_check_args *args = libxl__ao_args(ao);
    s->check =
        (libxl__device_check){.device = &s->device, .server = &s->server, .replaces = args->in.replaces};
    return libxl__device_check_start(ao, &s->check);
}

static int check_poll(libxl__ao *ao, struct device_check *s)
{
    return libxl__device_check_poll(ao, &s->check);
}

#include "_libxl_phases_device_check.h"
