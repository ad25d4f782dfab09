/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backend_release: the nested operation that releases the resource of a backend of this driver domain and removes its
 * nodes. The toolstack in the other domain waits until the nodes are gone. If that toolstack has removed the nodes,
 * this operation uses the values that backend_connect has stored (libxl__backend_kept).
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "backend.h"
#include "qemu.h"

#include <stdlib.h>
#include <string.h>

typedef struct backend_release {
    libxl__device device;
    libxl__xs_batch *batch;
    const libxl__xs_request *state, *online, *error, *pid;
    const libxl__xs_request *values[LIBXL__DEVICE_VALUES];
    const char *kept[LIBXL__DEVICE_VALUES]; /* in the operation's memory */
    libxl__qemu_end model;
    bool exists; /* the backend's nodes exist, and the backend has closed and is not online */
    bool reused; /* the nodes are those of a new device with the same number */
    bool failed; /* an error node exists */
} backend_release_state;

static const libxl__backend_release_args *args_of(libxl__ao *ao)
{
    return libxl__ao_args(ao);
}

int libxl__backend_release_uses(libxl__ao *release, const libxl__backend_kept *kept)
{
    struct backend_release *s = libxl__ao_state(release);
    for (unsigned i = 0; i < LIBXL__DEVICE_VALUES; i++)
        if (kept->values[i] && !(s->kept[i] = libxl__gc_printf(&release->gc, "%s", kept->values[i])))
            return ERROR_NOMEM;
    return 0;
}

static int new_batch(libxl__ao *ao, struct backend_release *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, s->device.domid);
    return s->batch ? 0 : ERROR_NOMEM;
}

/* ---- read: reads the backend's nodes */

static int read_start(libxl__ao *ao, struct backend_release *s)
{
    const libxl__backend_release_args *args = args_of(ao);
    char path[LIBXL__QEMU_PATH];
    int rc =
        libxl__backend_device(ao, &s->device, args->in.server, args->in.kind, args->in.domid, args->in.devid);
    if (!rc)
        rc = new_batch(ao, s);
    if (rc)
        return rc;
    const char *const *keys = s->device.cls->offline_keys;
    s->state = libxl__xs_read(s->batch, LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(&s->device));
    s->online = libxl__xs_read(s->batch, LIBXL__BACKEND "/online", LIBXL__BACKEND_OF(&s->device));
    s->error = libxl__xs_read(s->batch, LIBXL__BACKEND_ERROR, LIBXL__BACKEND_OF(&s->device));
    for (unsigned i = 0; keys && keys[i]; i++)
        s->values[i] = libxl__xs_read(s->batch, LIBXL__BACKEND "/%s", LIBXL__BACKEND_OF(&s->device), keys[i]);
    libxl__qemu_pid_path(path, args->in.server, args->in.domid);
    if (args->in.ends_model)
        s->pid = libxl__xs_read(s->batch, "%s", path);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Chooses the values with which the resource is released: the nodes' values. If the nodes are gone, or belong to a
 * new device with the same number, the values that backend_connect has stored are used instead.
 */
static int read_poll(libxl__ao *ao, struct backend_release *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(s->batch);
    const char *online = rc ? NULL : libxl__xs_value(s->online);
    s->exists = !rc && libxl__xs_value(s->state) && online && strcmp(online, "0") == 0;
    s->reused = !rc && !s->exists && libxl__xs_value(s->state);
    s->failed = !rc && libxl__xs_value(s->error);
    for (unsigned i = 0; !rc && i < LIBXL__DEVICE_VALUES && s->values[i]; i++) {
        const char *value = s->exists ? libxl__xs_value(s->values[i]) : NULL;
        s->device.values[i] = value ? libxl__gc_printf(&ao->gc, "%s", value) : s->kept[i];
        rc = value && !s->device.values[i] ? ERROR_NOMEM : 0;
    }
    return rc;
}

/* ---- host: releases the host's resource; an error does not end the release */

static int host_ended(libxl__ao *ao, const struct backend_release *s, int rc)
{
    if (rc && rc != LIBXL__AO_WAIT) {
        libxl__ao_log(ao, XTL_WARN, -1, "domain %u, %s %u: %s", s->device.domid, s->device.backend_kind,
                      s->device.devid, ao->message ? ao->message : libxl__error_words(rc));
        libxl__ao_forget_failure(ao);
    }
    return rc == LIBXL__AO_WAIT ? rc : 0;
}

/*
 * Returns whether the backend has a resource to release: a loop device, an interface or a script. Only a backend of
 * the kernel has one. A QEMU opens its files itself.
 */
static bool has_resource(const struct backend_release *s)
{
    return !libxl__backend_is_of_qemu(s->device.backend_kind);
}

static int host_start(libxl__ao *ao, struct backend_release *s)
{
    if (!has_resource(s) || !s->device.cls->offline_start)
        return 0;
    return host_ended(ao, s, s->device.cls->offline_start(ao, &s->device));
}

static int host_poll(libxl__ao *ao, struct backend_release *s)
{
    return host_ended(ao, s, s->device.cls->offline_poll(ao, &s->device));
}

/* ---- model: ends the QEMU that served the device */

static int model_start(libxl__ao *ao, struct backend_release *s)
{
    const char *pid = s->pid ? libxl__xs_value(s->pid) : NULL;
    s->model.server = s->device.backend_domid;
    return pid ? libxl__qemu_end_begin(ao, &s->model, s->device.domid, atoi(pid)) : 0;
}

static int model_poll(libxl__ao *ao, struct backend_release *s)
{
    return libxl__qemu_end_poll(ao, &s->model);
}

/* ---- clean: removes the backend's nodes. Their parents belong to the toolstack, which removes them */

/*
 * Removes the error node, and its parents that are empty afterwards. The parents are read first
 * (libxl__device_read_parents says why).
 */
static void remove_error(struct backend_release *s)
{
    const libxl__device *device = &s->device;
    libxl__xs_read(s->batch, "/local/domain/%u/error", device->backend_domid);
    libxl__xs_read(s->batch, "/local/domain/%u/error/backend", device->backend_domid);
    libxl__xs_read(s->batch, "/local/domain/%u/error/backend/%s", device->backend_domid,
                   device->backend_kind);
    libxl__xs_remove(s->batch, "/local/domain/%u/error/backend/%s/%u/%u", LIBXL__BACKEND_OF(device));
    libxl__xs_prune(s->batch, 3, "/local/domain/%u/error/backend/%s/%u", device->backend_domid,
                    device->backend_kind, device->domid);
}

static int clean_start(libxl__ao *ao, struct backend_release *s)
{
    const libxl__device *device = &s->device;
    int rc = s->exists ? new_batch(ao, s) : 0;
    if (rc || !s->exists)
        return rc;
    if (s->failed)
        remove_error(s);
    libxl__xs_require(s->batch, ERROR_NOTFOUND, "0", LIBXL__BACKEND "/online", LIBXL__BACKEND_OF(device));
    libxl__xs_remove(s->batch, LIBXL__BACKEND, LIBXL__BACKEND_OF(device));
    rc = libxl__xs_run(s->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int clean_poll(libxl__ao *ao, struct backend_release *s)
{
    (void)ao;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    return libxl__xs_rc(s->batch) == ERROR_NOTFOUND ? 0 : libxl__xs_result(s->batch);
}

/* ---- gone: waits until the kernel has removed its device */

/*
 * If the nodes belong to a new device, does not wait until the interface is gone, because the new device's interface
 * has the same name.
 */
static int gone_start(libxl__ao *ao, struct backend_release *s)
{
    const bool waits = has_resource(s) && !s->reused && s->device.cls->gone_start;
    return waits ? s->device.cls->gone_start(ao, &s->device) : 0;
}

static int gone_poll(libxl__ao *ao, struct backend_release *s)
{
    return s->device.cls->gone_poll(ao, &s->device);
}

#include "_libxl_phases_backend_release.h"
