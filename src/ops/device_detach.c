/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_detach: the nested operation that removes a device of any kind. The removals of each class, the undo
 * of an addition, and the teardown of a domain use it.
 *
 * The toolstack's nodes say which domain serves the device. So this operation can also remove a device that
 * another toolstack has added, or whose frontend's nodes the guest has removed. Without force the guest is
 * asked to release the device. The operation then waits until the backend has closed, without a time limit,
 * because a guest that refuses may release the device later. With force the frontend is removed at once. A
 * guest that has shut down, is dying or has removed its frontend is not asked.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "backend_domain.h"
#include "device_close.h"
#include "device_model.h"
#include "device_operations.h"
#include "host.h"

#include <stdio.h>
#include <stdlib.h>

#include <xen/io/xenbus.h>

typedef struct device_detach {
    libxl__device device;
    libxl__device_close close;
    libxl__xs_batch *batch;
    const libxl__xs_request *backend_path, *type, *backend_state, *frontend_state;
    /* Reads the process id of the QEMU that serves the device; NULL: no QEMU serves it. */
    const libxl__xs_request *model_node;
    pid_t model_pid;                    /* the value of `model_node`; 0: no QEMU is known */
    libxl__device_model_follower model; /* follows that QEMU in the phases `closed` and `released` */
    const libxl__xs_request *values[LIBXL__DEVICE_VALUES];
    libxl__await taken, refusal;
    libxl__backend_domain server;
    libxl__userdata stored;
    libxl__device_removal removal;
    int host_rc;           /* the first error of the phase `host` */
    libxl__alarm hurry;    /* ends the phase `host` after the context has begun to close */
    bool hurries;          /* the alarm `hurry` is set */
    bool reserved;         /* the class's offline_reserve was called */
    bool looked_at_states; /* the phase `find` has read the states */
    bool untaken;          /* the guest's driver has not begun to connect to the device */
    bool stopped;          /* the phase `closed`, `released` or `domain` was asked to stop */
    bool refused;          /* the guest has refused, and the parent has been woken */
    bool nodes_gone;       /* the backend's nodes were removed with the backend's domain */
    /*
     * The phase `clean` has checked whether the kernel of the guest or of the backend's domain has written an
     * error node for the device.
     */
    bool looked_for_errors;
    bool separately; /* the nodes were removed one by one, because the transaction was given up */
    bool stays;      /* the nodes were not removed, so the entry in the stored configuration is restored */
} device_detach_state;

static const libxl__device_detach_args *args_of(libxl__ao *ao)
{
    return libxl__ao_args(ao);
}

/* Returns whether the device has no backend that has to close. */
static bool is_stateless(const struct device_detach *s)
{
    return s->device.cls->stateless || s->device.emulated;
}

static int new_batch(libxl__ao *ao, struct device_detach *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, s->device.domid);
    return s->batch ? 0 : ERROR_NOMEM;
}

static int run(struct device_detach *s, libxl__xs_mode mode)
{
    const int rc = libxl__xs_run(s->batch, mode);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* ---- find: reads where the device is, and in which state */

/* Reads the device's states and the keys that the class needs to release the resource on the host. */
static int read_states(libxl__ao *ao, struct device_detach *s)
{
    const char *const *keys = s->device.cls->offline_keys;
    const int rc = new_batch(ao, s);
    if (rc)
        return rc;
    s->looked_at_states = true;
    s->backend_state = libxl__xs_read(s->batch, LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(&s->device));
    if (!s->close.force)
        s->frontend_state =
            libxl__xs_read(s->batch, LIBXL__FRONTEND "/state", LIBXL__FRONTEND_OF(&s->device));
    if (!args_of(ao)->in.abandoned && libxl__device_model_serves(&s->device))
        s->model_node = libxl__xs_read(s->batch, LIBXL__QEMU_PID, s->device.domid);
    for (unsigned i = 0; keys && keys[i]; i++)
        s->values[i] = libxl__xs_read(s->batch, LIBXL__BACKEND "/%s", LIBXL__BACKEND_OF(&s->device), keys[i]);
    return run(s, LIBXL__XS_ONE_BY_ONE);
}

static int set_device(libxl__ao *ao, struct device_detach *s)
{
    const libxl__device_detach_args *args = args_of(ao);
    s->device = (libxl__device){
        .cls = libxl__device_class_of(args->in.kind), .domid = args->in.domid, .devid = args->in.devid};
    snprintf(s->device.kind, sizeof(s->device.kind), "%s", args->in.kind);
    return libxl__device_reserve(ao, &s->device);
}

/* Reserves what the class needs to remove an emulated device, unless libxl__detach_prepare has done this. */
static int reserve_offline(libxl__ao *ao, struct device_detach *s)
{
    if (s->reserved || !s->device.cls->offline_reserve)
        return 0;
    s->reserved = true;
    return s->device.cls->offline_reserve(ao, &s->device);
}

static int find_start(libxl__ao *ao, struct device_detach *s)
{
    const libxl__device_detach_args *args = args_of(ao);
    s->close =
        (libxl__device_close){.device = &s->device, .force = args->in.force, .functions = args->in.functions};
    int rc = s->device.host ? 0 : set_device(ao, s);
    if (!rc)
        rc = new_batch(ao, s);
    if (rc)
        return rc;
    if (s->device.cls->without_tree) {
        snprintf(s->device.backend_kind, sizeof(s->device.backend_kind), "%s", s->device.kind);
        return read_states(ao, s);
    }
    s->backend_path = libxl__xs_read(s->batch, LIBXL__TOOLSTACK "/backend", LIBXL__TOOLSTACK_OF(&s->device));
    if (s->device.cls->emulated_type)
        s->type = libxl__xs_read(s->batch, LIBXL__TOOLSTACK "/type", LIBXL__TOOLSTACK_OF(&s->device));
    return run(s, LIBXL__XS_ONE_BY_ONE);
}

static int keep_states(libxl__ao *ao, struct device_detach *s)
{
    const char *pid = s->model_node ? libxl__xs_value(s->model_node) : NULL;
    int rc = 0;
    libxl__device_close_see(&s->close, libxl__xs_value(s->backend_state));
    s->model_pid = pid ? atoi(pid) : 0;
    for (unsigned i = 0; !rc && i < LIBXL__DEVICE_VALUES && s->values[i]; i++) {
        const char *value = libxl__xs_value(s->values[i]);
        s->device.values[i] = value ? libxl__gc_printf(&ao->gc, "%s", value) : NULL;
        rc = value && !s->device.values[i] ? ERROR_NOMEM : 0;
    }
    return rc;
}

/*
 * Checks whether the guest can answer. Returns 0, or an error before anything is changed. Sets `force` if
 * there is no guest to ask.
 */
static int check_guest(libxl__ao *ao, struct device_detach *s)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_look(ao, s->device.domid, &info);
    if (rc && rc != ERROR_DOMAIN_NOTFOUND)
        return rc;
    if (rc || info.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown) || !libxl__xs_value(s->frontend_state)) {
        s->close.force = true;
        return 0;
    }
    if (info.flags & XEN_DOMINF_paused)
        return libxl__ao_fail(ao, ERROR_GUEST_CANNOT_ANSWER, "domain %u is paused", s->device.domid);
    s->untaken = libxl__device_state(libxl__xs_value(s->frontend_state)) == XenbusStateInitialising;
    return 0;
}

static int find_poll(libxl__ao *ao, struct device_detach *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    if (s->looked_at_states) {
        rc = keep_states(ao, s);
        return rc || s->close.force || is_stateless(s) ? rc : check_guest(ao, s);
    }
    if (s->type && !libxl__xs_value(s->backend_path) &&
        libxl__device_set_emulated(&s->device, libxl__xs_value(s->type)))
        return reserve_offline(ao, s);
    rc = libxl__device_set_backend(ao, &s->device, libxl__xs_value(s->backend_path));
    return rc ? rc : read_states(ao, s);
}

/* ---- driver: waits until the guest's driver has taken a device that was added a moment ago */

static int driver_start(libxl__ao *ao, struct device_detach *s)
{
    char path[LIBXL__DEVICE_PATH];
    if (!s->untaken)
        return 0;
    snprintf(path, sizeof(path), LIBXL__FRONTEND "/state", LIBXL__FRONTEND_OF(&s->device));
    const int rc = libxl__await_start(ao, &s->taken, path, libxl__await_device_state, "3");
    return rc ? rc : LIBXL__AO_WAIT;
}

static int driver_poll(libxl__ao *ao, struct device_detach *s)
{
    return libxl__await_step(ao, &s->taken);
}

/* ---- ask: requests the backend to close; with force also removes the frontend */

static int ask_start(libxl__ao *ao, struct device_detach *s)
{
    return is_stateless(s) ? 0 : libxl__device_close_ask_start(ao, &s->close);
}

static int ask_poll(libxl__ao *ao, struct device_detach *s)
{
    return libxl__device_close_ask_poll(ao, &s->close);
}

/* ---- closed: waits until the guest releases the device; a guest that has refused may release it later */

static bool is_served(const struct device_detach *s)
{
    return libxl__backend_domain_serves(&s->server, &s->device);
}

/* Starts to wait until the backend has closed, or the QEMU that serves the device has ended. */
static int wait_for_close(libxl__ao *ao, struct device_detach *s)
{
    const int rc = libxl__device_close_wait_start(ao, &s->close);
    if (rc == LIBXL__AO_WAIT && s->model_pid > 0)
        libxl__device_model_follow(ao, &s->model, s->device.domid, s->model_pid);
    return rc;
}

static int closed_start(libxl__ao *ao, struct device_detach *s)
{
    char path[LIBXL__DEVICE_PATH];
    int rc = is_stateless(s) ? 0 : libxl__backend_domain_follow(ao, &s->server, &s->device);
    if (rc || s->close.force || is_stateless(s) || libxl__device_close_is_done(&s->close) || !is_served(s))
        return rc;
    snprintf(path, sizeof(path), LIBXL__FRONTEND_ERROR, LIBXL__FRONTEND_OF(&s->device));
    rc = libxl__await_start(ao, &s->refusal, path, libxl__await_present, NULL);
    return rc ? rc : wait_for_close(ao, s);
}

static int closed_poll(libxl__ao *ao, struct device_detach *s)
{
    if (libxl__device_model_is_sought(&s->model))
        return LIBXL__AO_WAIT;
    const bool served = is_served(s) && !libxl__device_model_has_ended(ao, &s->model);
    int rc = served ? libxl__device_close_wait_poll(ao, &s->close) : 0;
    if (rc == LIBXL__AO_WAIT && s->stopped)
        return ao->stop;
    if (rc != LIBXL__AO_WAIT || s->refused)
        return rc;
    rc = libxl__await_step(ao, &s->refusal);
    if (rc)
        return rc;
    s->refused = true;
    libxl__nested_tell(ao);
    return LIBXL__AO_WAIT;
}

static void closed_stop(libxl__ao *ao, struct device_detach *s)
{
    (void)ao;
    s->stopped = true;
}

/* ---- released: waits until the backend has closed because its frontend is gone */

static int released_start(libxl__ao *ao, struct device_detach *s)
{
    if (!s->close.force || is_stateless(s) || libxl__device_close_is_done(&s->close) ||
        !s->device.cls->closes_without_frontend)
        return 0;
    if (libxl__device_model_serves(&s->device) && s->model_pid <= 0)
        return 0;
    return wait_for_close(ao, s);
}

static int released_poll(libxl__ao *ao, struct device_detach *s)
{
    if (libxl__device_model_is_sought(&s->model))
        return LIBXL__AO_WAIT;
    const bool ended = libxl__device_model_has_ended(ao, &s->model);
    return s->stopped || ended || !is_served(s) ? 0 : libxl__device_close_wait_poll(ao, &s->close);
}

static void released_stop(libxl__ao *ao, struct device_detach *s)
{
    (void)ao;
    s->stopped = true;
}

/*
 * ---- domain: when a backend in another domain has closed, the hotplug daemon of that domain releases its resources,
 * and then removes its nodes. If that domain has ended, the phase does not wait.
 */

/*
 * Returns whether the backend closes only when its nodes are removed. This is true for a backend that was
 * never connected and has lost its frontend.
 */
static bool stays_open(const struct device_detach *s)
{
    const int state = libxl__device_state(s->close.state);
    return s->close.force && !s->device.cls->closes_without_frontend && state != XenbusStateConnected &&
           state != XenbusStateClosed;
}

static int domain_start(libxl__ao *ao, struct device_detach *s)
{
    if (!s->device.backend_domid || is_stateless(s) || !s->close.state || !is_served(s) || stays_open(s))
        return 0;
    return libxl__backend_domain_clean_start(ao, &s->server, &s->device);
}

static int domain_poll(libxl__ao *ao, struct device_detach *s)
{
    return s->stopped || !is_served(s) ? 0 : libxl__backend_domain_clean_poll(ao, &s->server, &s->device);
}

static void domain_stop(libxl__ao *ao, struct device_detach *s)
{
    (void)ao;
    s->stopped = true;
}

/* ---- host: releases the device's resources on the host; an error does not end the removal */

/*
 * If the context is closing, waits at most LIBXL__PHASE_LATE_MS for the device model, because its process may be
 * stopped.
 */
static int hurry(libxl__ao *ao, struct device_detach *s)
{
    if (!ao->ctx->closing || !s->device.emulated)
        return LIBXL__AO_WAIT;
    if (s->hurries)
        return s->hurry.rang ? 0 : LIBXL__AO_WAIT;
    s->hurries = true;
    return libxl__alarm_set(ao, &s->hurry, LIBXL__MILLISECONDS(LIBXL__PHASE_LATE_MS)) ? 0 : LIBXL__AO_WAIT;
}

static int host_ended(libxl__ao *ao, struct device_detach *s, int rc)
{
    if (rc == LIBXL__AO_WAIT)
        return hurry(ao, s);
    s->host_rc = rc;
    return 0;
}

static int host_start(libxl__ao *ao, struct device_detach *s)
{
    if (s->device.backend_domid || !s->device.cls->offline_start)
        return 0;
    return host_ended(ao, s, s->device.cls->offline_start(ao, &s->device));
}

static int host_poll(libxl__ao *ao, struct device_detach *s)
{
    return host_ended(ao, s, s->device.cls->offline_poll(ao, &s->device));
}

/*
 * ---- record: remove the device from the stored configuration. An error does not end the removal, because readers of
 * the configuration compare it with xenstore.
 */

static int record_start(libxl__ao *ao, struct device_detach *s)
{
    if (!args_of(ao)->in.recorded || !s->device.cls->copy)
        return 0;
    const int rc = libxl__device_record(ao, &s->stored, &s->device, NULL);
    if (!rc)
        return LIBXL__AO_WAIT;
    libxl__ao_forget_failure(ao);
    return 0;
}

static int record_poll(libxl__ao *ao, struct device_detach *s)
{
    (void)ao;
    return libxl__userdata_done(&s->stored) ? 0 : LIBXL__AO_WAIT;
}

/* ---- clean: the nodes are removed */

/*
 * Removes the nodes of the device. Another program may have removed the device and added it again. Then the
 * backend is online, or its nodes have appeared again, and this function removes no nodes.
 */
static int remove_nodes(libxl__ao *ao, struct device_detach *s)
{
    const libxl__device *device = &s->device;
    const int rc = new_batch(ao, s);
    if (rc)
        return rc;
    libxl__device_read_parents(s->batch, device, &s->removal);
    if (libxl__backend_domain_has_cleaned(&s->server) || s->nodes_gone)
        libxl__xs_require_absent(s->batch, ERROR_NOTFOUND, LIBXL__BACKEND "/online",
                                 LIBXL__BACKEND_OF(device));
    else if (s->close.state && !is_stateless(s) && is_served(s))
        libxl__xs_require(s->batch, ERROR_NOTFOUND, "0", LIBXL__BACKEND "/online", LIBXL__BACKEND_OF(device));
    libxl__device_remove_nodes(s->batch, device, &s->removal);
    return run(s, LIBXL__XS_TRANSACTION);
}

/*
 * Removes the nodes one by one. Called when other clients have changed them each time the transaction was repeated,
 * or when the backend's domain changes them all the time. Without this, a hostile guest or backend could delay the
 * removal for ever.
 */
static int remove_separately(libxl__ao *ao, struct device_detach *s)
{
    const int rc = new_batch(ao, s);
    if (rc)
        return rc;
    s->separately = true;
    libxl__device_remove_nodes(s->batch, &s->device, &s->removal);
    return run(s, LIBXL__XS_ONE_BY_ONE);
}

/*
 * Called when the nodes were removed one by one. Tries to remove the parents that are empty now. An error is ignored,
 * because the device is gone.
 */
static int parents_tried(libxl__ao *ao, struct device_detach *s)
{
    if (s->nodes_gone)
        return 0;
    s->nodes_gone = true;
    return remove_nodes(ao, s);
}

static int clean_start(libxl__ao *ao, struct device_detach *s)
{
    const int rc = new_batch(ao, s);
    if (rc)
        return rc;
    s->removal.ending = args_of(ao)->in.ending;
    libxl__device_look_for_errors(s->batch, &s->device, &s->removal);
    return run(s, LIBXL__XS_ONE_BY_ONE);
}

static int clean_poll(libxl__ao *ao, struct device_detach *s)
{
    if (!libxl__xs_done(s->batch) || (s->stays && libxl__userdata_change_back(ao, &s->stored)))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_rc(s->batch);
    if (libxl__xs_is_contended(s->batch) && !s->separately)
        return remove_separately(ao, s);
    if (s->separately && (!rc || s->nodes_gone))
        return parents_tried(ao, s);
    if (!rc && !s->looked_for_errors) {
        s->looked_for_errors = true;
        libxl__device_errors_seen(&s->removal);
        return libxl__backend_domain_floods(&s->server) ? remove_separately(ao, s) : remove_nodes(ao, s);
    }
    if (rc == ERROR_NOTFOUND && s->device.backend_domid && !s->nodes_gone) {
        s->nodes_gone = true;
        return remove_nodes(ao, s);
    }
    if (rc && !s->stays) {
        s->stays = true;
        return clean_poll(ao, s);
    }
    return rc && rc != ERROR_NOTFOUND ? libxl__xs_result(s->batch) : 0;
}

/* ---- gone: waits until the kernel has removed its device; the result is the first error of the phase `host` */

static int gone_start(libxl__ao *ao, struct device_detach *s)
{
    const int rc =
        s->device.backend_domid || !s->device.cls->gone_start ? 0 : s->device.cls->gone_start(ao, &s->device);
    return rc ? rc : s->host_rc;
}

static int gone_poll(libxl__ao *ao, struct device_detach *s)
{
    const int rc = s->device.cls->gone_poll(ao, &s->device);
    return rc ? rc : s->host_rc;
}

#include "_libxl_phases_device_detach.h"

int libxl__detach_prepare(libxl__ao *detach, const libxl__device *device)
{
    struct device_detach *s = libxl__ao_state(detach);
    if (!device->emulated)
        return 0;
    const int rc = set_device(detach, s);
    return rc ? rc : reserve_offline(detach, s);
}

const char *libxl__detach_refusal(libxl__ao *detach)
{
    const struct device_detach *s = libxl__ao_state(detach);
    return s->refused ? libxl__await_value(&s->refusal) : NULL;
}
