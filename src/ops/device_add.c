/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_NAME_add: adds a device of any class to a domain.
 *
 * Owns: the device's nodes and the device's resources on the host, until the operation completes with
 * success. The undo of the phase `write` removes the device by force. The undo runs a nested operation, which
 * is reserved before the phase writes any node. The caller holds the context's lock.
 */
#include "device_backend.h"
#include "device_model.h"
#include "device_operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct device_add {
    libxl__device device;
    libxl__name_search backend_name;
    libxl__xs_directory numbers;
    /* The configuration before `check`, if the stored configuration must be changed. */
    libxl__device_original original;
    libxl__userdata stored;
    libxl__xs_batch *batch;
    libxl__device_model model;
    libxl__nested detach; /* the nested operation of the undo, reserved before the device is written */
    libxl__backend_wait wait;
    enum { NAMING, NUMBERING, PROBING } step; /* the step that the phase `check` is at */
    bool chooses_number;
    bool model_runs;
    bool onlining;
    bool awaits_backend; /* the backend's state and the error nodes are watched */
    /*
     * Used in the phase `write` after another program has taken the device's number. True: the former entry
     * of the stored configuration was restored.
     */
    bool restored;
} device_add_state;

/*
 * Returns whether this operation changes the stored configuration. It does not if it is a part of a creation,
 * because the creation stores the whole configuration.
 */
static bool is_recorded(const libxl__ao *ao)
{
    return ao->notify_target != LIBXL__AO_PARENT;
}

/* ---- check: the configuration, the backend's domain, the device's number, and the host */

static int start_probe(libxl__ao *ao, struct device_add *s)
{
    s->step = PROBING;
    return s->device.cls->probe_start ? s->device.cls->probe_start(ao, &s->device) : 0;
}

static int exists(libxl__ao *ao, const struct device_add *s)
{
    return libxl__ao_fail(ao, ERROR_DEVICE_EXISTS, "domain %u has a %s with the number %u already",
                          s->device.domid, s->device.cls->name, s->device.devid);
}

/* Lists the numbers of the domain's devices, to choose the next free number. */
static int start_listing(libxl__ao *ao, struct device_add *s)
{
    const char *path = libxl__gc_printf(&ao->gc, "/libxl/%u/device/%s", s->device.domid, s->device.kind);
    return path ? libxl__xs_directory_start(ao, &s->numbers, path) : ERROR_NOMEM;
}

/* Starts to read whether the device exists, before the stored configuration is changed. */
static int start_looking(libxl__ao *ao, struct device_add *s)
{
    s->batch = libxl__xs_batch_new(ao, s->device.domid);
    if (!s->batch)
        return ERROR_NOMEM;
    libxl__xs_require_absent(s->batch, ERROR_DEVICE_EXISTS, LIBXL__TOOLSTACK,
                             LIBXL__TOOLSTACK_OF(&s->device));
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int start_numbering(libxl__ao *ao, struct device_add *s)
{
    s->step = NUMBERING;
    s->chooses_number = s->device.devid == UINT32_MAX;
    if (s->chooses_number)
        return start_listing(ao, s);
    return is_recorded(ao) ? start_looking(ao, s) : start_probe(ao, s);
}

static int looked(libxl__ao *ao, struct device_add *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(s->batch) == ERROR_DEVICE_EXISTS)
        return exists(ao, s);
    const int rc = libxl__xs_result(s->batch);
    libxl__xs_batch_free(s->batch);
    s->batch = NULL;
    return rc ? rc : start_probe(ao, s);
}

static int choose_number(libxl__ao *ao, struct device_add *s)
{
    if (!s->chooses_number)
        return looked(ao, s);
    const int rc = libxl__xs_directory_step(ao, &s->numbers);
    if (rc)
        return rc;
    s->device.devid = libxl__device_next_number(s->device.cls, s->numbers.names, s->numbers.count);
    return start_probe(ao, s);
}

/* Follows the backend's domain, so that the operation fails if that domain ends. */
static int follow_server(libxl__ao *ao, struct device_add *s)
{
    xc_domaininfo_t info;
    const uint32_t domid = *libxl__device_backend_domid(&s->device);
    s->device.backend_domid = domid;
    if (!domid)
        return start_numbering(ao, s);
    int rc = libxl__hv_look(ao, domid, &info);
    if (rc == ERROR_DOMAIN_NOTFOUND)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "backend_domid: there is no domain %u", domid);
    if (!rc)
        rc = libxl__domain_source_start(ao, &s->wait.server, &info);
    return rc ? rc : start_numbering(ao, s);
}

static int find_backend(libxl__ao *ao, struct device_add *s)
{
    uint32_t domid;
    const char *name = libxl__device_backend_domname(&s->device);
    const int rc = libxl__name_search_step(ao, &s->backend_name, &domid);
    if (rc)
        return rc;
    if (domid == LIBXL_DOMID_INVALID)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "backend_domname: there is no domain '%s'", name);
    *libxl__device_backend_domid(&s->device) = domid;
    return follow_server(ao, s);
}

/* Finds the backend's domain. As in libxl, a name that has digits only is the domain's number. */
static int start_naming(libxl__ao *ao, struct device_add *s)
{
    const char *name = libxl__device_backend_domname(&s->device);
    if (name && *name && !name[strspn(name, "0123456789")]) {
        const unsigned long domid = strtoul(name, NULL, 10);
        if (domid >= LIBXL__DOMID_FIRST_RESERVED)
            return libxl__ao_fail(ao, ERROR_NOTFOUND, "backend_domname: there is no domain %s", name);
        *libxl__device_backend_domid(&s->device) = (uint32_t)domid;
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

static int check_start(libxl__ao *ao, struct device_add *s)
{
    xc_domaininfo_t info;
    libxl__device_of_operation(ao, &s->device);
    int rc = libxl__hv_info(ao, s->device.domid, &info);
    s->device.pv = !rc && !(info.flags & XEN_DOMINF_hvm_guest);
    s->device.creating = !is_recorded(ao);
    s->device.hvm = !rc && libxl__hv_type(&info) == LIBXL_DOMAIN_TYPE_HVM;
    if (!rc)
        rc = libxl__device_reserve(ao, &s->device);
    if (!rc && s->device.cls->choose)
        rc = s->device.cls->choose(ao, s->device.config);
    if (!rc && is_recorded(ao))
        rc = libxl__device_keep_original(ao, &s->original, &s->device);
    if (!rc)
        rc = check_supported(ao, &s->device);
    if (!rc)
        rc = s->device.cls->check(ao, &s->device);
    return rc ? rc : start_naming(ao, s);
}

static int check_poll(libxl__ao *ao, struct device_add *s)
{
    switch (s->step) {
    case NAMING: return find_backend(ao, s);
    case NUMBERING: return choose_number(ao, s);
    case PROBING: break;
    }
    return s->device.cls->probe_poll(ao, &s->device);
}

/* ---- record: the stored configuration, before the nodes; see userdata.h */

static int record_start(libxl__ao *ao, struct device_add *s)
{
    const int rc = is_recorded(ao) ? libxl__device_record(ao, &s->stored, &s->device, &s->original) : 0;
    return rc || !is_recorded(ao) ? rc : LIBXL__AO_WAIT;
}

static int record_poll(libxl__ao *ao, struct device_add *s)
{
    return libxl__userdata_changed(ao, &s->stored);
}

static int record_undo(libxl__ao *ao, struct device_add *s)
{
    return libxl__userdata_change_back(ao, &s->stored);
}

/* ---- write: the three trees, in one transaction */

static int write_start(libxl__ao *ao, struct device_add *s)
{
    int rc = libxl__detach_reserve(ao, &s->detach, &s->device, true);
    if (rc)
        return rc;
    s->batch = libxl__xs_batch_new(ao, s->device.domid);
    if (!s->batch)
        return ERROR_NOMEM;
    libxl__device_write(s->batch, &s->device, &ao->subject.uuid, !is_recorded(ao));
    rc = libxl__xs_run(s->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Called when another program has taken the chosen number after this operation had looked. Tries the next
 * number. First restores the former entry for the taken number in the stored configuration. Then adds an
 * entry for the next number.
 */
static int write_again(libxl__ao *ao, struct device_add *s)
{
    const int rc = s->restored ? record_poll(ao, s) : libxl__userdata_change_back(ao, &s->stored);
    if (rc)
        return rc;
    if (!s->restored) {
        s->restored = true;
        s->device.devid++;
        const int started = record_start(ao, s);
        if (started)
            return started;
    }
    s->restored = false;
    libxl__xs_batch_free(s->batch);
    /* This destroys the nested operation, which was not started. */
    libxl__source_stop(ao->ctx, &s->detach.source);
    return write_start(ao, s);
}

static int write_poll(libxl__ao *ao, struct device_add *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_rc(s->batch);
    if (rc == ERROR_DEVICE_EXISTS && s->chooses_number)
        return write_again(ao, s);
    if (rc == ERROR_DEVICE_EXISTS)
        return exists(ao, s);
    if (rc == ERROR_DOMAIN_DESTROYED)
        return libxl__ao_fail(ao, rc, "domain %u was destroyed", s->device.domid);
    return libxl__xs_result(s->batch);
}

/* Removes the device by force. Does nothing if the transaction has failed. */
static int write_undo(libxl__ao *ao, struct device_add *s)
{
    if (s->detach.started) {
        const int rc = libxl__detach_poll(ao, &s->detach);
        return rc == ERROR_NOTFOUND ? 0 : rc;
    }
    if (!s->batch || !s->detach.child || libxl__xs_take_back(s->batch))
        return 0;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(s->batch))
        return 0;
    libxl__userdata_change_back(ao, &s->stored); /* record_undo waits for the end of this change */
    libxl__detach_abandon(&s->detach, !s->model_runs);
    const int rc = libxl__detach_start(ao, &s->detach);
    return rc == ERROR_NOTFOUND ? 0 : rc;
}

/* ---- model: the QEMU that serves the device runs */

static int model_start(libxl__ao *ao, struct device_add *s)
{
    if (!libxl__device_model_serves(&s->device))
        return 0;
    return libxl__device_model_start(ao, &s->model, s->device.domid, &ao->subject.uuid, NULL);
}

static int model_poll(libxl__ao *ao, struct device_add *s)
{
    const int rc = libxl__device_model_poll(ao, &s->model);
    s->model_runs = !rc;
    return rc;
}

/* ---- backend: wait until the backend has accepted the device */

static int backend_poll(libxl__ao *ao, struct device_add *s)
{
    return libxl__backend_wait_poll(ao, &s->wait, &s->device);
}

static int backend_start(libxl__ao *ao, struct device_add *s)
{
    if (!s->device.cls->waits_for_backend || s->device.unserved || s->device.emulated)
        return 0;
    s->wait.without_guest = !is_recorded(ao);
    s->awaits_backend = true;
    const int rc = libxl__backend_wait_start(ao, &s->wait, &s->device, "2");
    return rc ? rc : LIBXL__AO_WAIT;
}

/* ---- host: the fast path, or the hotplug script; a backend in another domain runs the script itself */

static int host_start(libxl__ao *ao, struct device_add *s)
{
    if (s->device.backend_domid || !s->device.cls->online_start)
        return 0;
    s->onlining = true;
    return s->device.cls->online_start(ao, &s->device);
}

static int host_poll(libxl__ao *ao, struct device_add *s)
{
    const int rc = s->awaits_backend ? libxl__backend_wait_errors(ao, &s->wait) : LIBXL__AO_WAIT;
    return rc == LIBXL__AO_WAIT ? s->device.cls->online_poll(ao, &s->device) : rc;
}

static int host_undo(libxl__ao *ao, struct device_add *s)
{
    return s->onlining && s->device.cls->abandon ? s->device.cls->abandon(ao, &s->device) : 0;
}

#include "_libxl_phases_device_add.h"
