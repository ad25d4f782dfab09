/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_NAME_add: adds a device of any class to a domain.
 *
 * Owns: the device's nodes and the device's resources on the host, until the operation completes with
 * success. The undo of the phase `write` removes the device by force. The undo runs a nested operation, which
 * is reserved before the phase writes any node. The caller holds the context's lock.
 */
#include "device_backend.h"
#include "device_check.h"
#include "device_model.h"
#include "device_operations.h"
#include "marks.h"

typedef struct device_add {
    libxl__device device;
    libxl__device_check check;
    /* The device's configuration as it was before the phase `check`; used to change the stored configuration. */
    libxl__device_original original;
    libxl__userdata stored;
    libxl__xs_batch *batch;
    libxl__device_model model;
    libxl__nested detach; /* the nested operation of the undo, reserved before the device is written */
    libxl__backend_wait wait;
    bool model_runs;
    bool onlining;
    bool awaits_backend; /* the backend's state and the error nodes are watched */
    /*
     * Used in the phase `write` when another program has taken the device's number. True: the stored configuration
     * again has the entry that it had before this operation.
     */
    bool restored;
} device_add_state;

/*
 * Returns whether this operation changes the stored configuration. A creation stores the whole configuration, so an
 * addition that the creation runs does not change it.
 */
static bool is_recorded(const libxl__ao *ao)
{
    return ao->notify_target != LIBXL__AO_PARENT;
}

/* ---- check: checks the configuration, the backend's domain, the device's number, and the host */

static int check_start(libxl__ao *ao, struct device_add *s)
{
    s->check = (libxl__device_check){
        .device = &s->device, .original = &s->original, .server = &s->wait.server, .adds = is_recorded(ao)};
    return libxl__device_check_start(ao, &s->check);
}

static int check_poll(libxl__ao *ao, struct device_add *s)
{
    return libxl__device_check_poll(ao, &s->check);
}

/* ---- record: adds the device to the stored configuration, before the nodes are written; see userdata.h */

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

/* ---- write: writes the device's nodes into three trees, in one transaction */

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
 * Called when another program has taken the chosen number after this operation had found that the number is free.
 * Tries the next number. First restores the former entry for the taken number in the stored configuration. Then adds
 * an entry for the next number.
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
    if (rc == ERROR_DEVICE_EXISTS && s->check.chooses_number)
        return write_again(ao, s);
    if (rc == ERROR_DEVICE_EXISTS)
        return libxl__device_exists(ao, &s->device);
    if (rc == ERROR_BUSY)
        return libxl__mark_busy(ao, s->device.domid);
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

/* ---- model: starts the QEMU that serves the device, unless it runs */

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

/* ---- backend: waits until the backend has accepted the device */

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

/*
 * ---- host: connects the device by the class's fast path or by the hotplug script, unless another domain serves it
 */

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
