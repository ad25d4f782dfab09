/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_detach: the nested operation that removes a device of any kind, for the removals of each class, for the undo
 * of an addition, and for the teardown of a domain.
 *
 * The toolstack's nodes say which domain serves the device, so a device is also removed if another toolstack has added
 * it, or if its guest has removed its own nodes. Without force the guest is asked, and the operation waits until the
 * backend has closed, however long that takes: a guest that refuses may let the device go later. With force the
 * frontend is removed at once. A guest that has shut down, is dying or has removed its frontend is not asked.
 *
 * Owns: nothing beyond the operation. Locks: the context's lock, held by the caller.
 */
#include "device_model.h"
#include "device_operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

enum { MOST_TIMES_ASKED = 16 };

typedef struct device_detach {
    libxl__device device;
    libxl__xs_batch *batch;
    const libxl__xs_request *backend_path, *backend_state, *frontend_state;
    const libxl__xs_request *values[LIBXL__DEVICE_VALUES];
    const char *state_seen; /* of the backend; NULL: it has none */
    libxl__await taken, state, refusal;
    libxl__await nodes;          /* until a backend in another domain has removed its nodes */
    libxl__domain_source server; /* that domain, unless it has ended */
    libxl__userdata stored;
    unsigned times_asked;  /* in `closed` */
    int host_rc;           /* the first error of the phase `host` */
    bool force;            /* the guest is not asked */
    bool looked_at_states; /* in `find` */
    bool asking;           /* in `closed`: the backend is asked again */
    bool untaken;          /* the guest's driver has not taken the device */
    bool stopped;          /* `closed` or `released` was asked to stop */
    bool refused;          /* the guest has refused; the parent knows */
    bool nodes_gone;       /* the backend's nodes were removed with their domain */
    bool stays; /* the nodes were not removed, so the entry in the stored configuration is restored */
} device_detach_state;

static const libxl__device_detach_args *args_of(libxl__ao *ao)
{
    return libxl__ao_args(ao);
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

/* ---- find: where the device is, and in which state */

static int find_start(libxl__ao *ao, struct device_detach *s)
{
    const libxl__device_detach_args *args = args_of(ao);
    s->force = args->in.force;
    s->device = (libxl__device){
        .cls = libxl__device_class_of(args->in.kind), .domid = args->in.domid, .devid = args->in.devid};
    snprintf(s->device.kind, sizeof(s->device.kind), "%s", args->in.kind);
    int rc = libxl__device_reserve(ao, &s->device);
    if (!rc)
        rc = new_batch(ao, s);
    if (rc)
        return rc;
    s->backend_path = libxl__xs_read(s->batch, LIBXL__TOOLSTACK "/backend", LIBXL__TOOLSTACK_OF(&s->device));
    return run(s, LIBXL__XS_ONE_BY_ONE);
}

/* Reads the states, and what the class needs to release the host's resource. */
static int read_states(libxl__ao *ao, struct device_detach *s)
{
    const char *const *keys = s->device.cls->offline_keys;
    const int rc = new_batch(ao, s);
    if (rc)
        return rc;
    s->looked_at_states = true;
    s->backend_state = libxl__xs_read(s->batch, LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(&s->device));
    s->frontend_state = libxl__xs_read(s->batch, LIBXL__FRONTEND "/state", LIBXL__FRONTEND_OF(&s->device));
    for (unsigned i = 0; keys && keys[i]; i++)
        s->values[i] = libxl__xs_read(s->batch, LIBXL__BACKEND "/%s", LIBXL__BACKEND_OF(&s->device), keys[i]);
    return run(s, LIBXL__XS_ONE_BY_ONE);
}

static const char *keep(libxl__ao *ao, const char *value)
{
    return value ? libxl__gc_printf(&ao->gc, "%s", value) : NULL;
}

/*
 * Returns an error if the guest cannot answer. Nothing was changed so far. Sets `force` if there is nobody to ask.
 */
static int check_guest(libxl__ao *ao, struct device_detach *s)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_look(ao, s->device.domid, &info);
    if (rc && rc != ERROR_DOMAIN_NOTFOUND)
        return rc;
    if (rc || info.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown) || !libxl__xs_value(s->frontend_state)) {
        s->force = true;
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
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    if (s->looked_at_states) {
        s->state_seen = keep(ao, libxl__xs_value(s->backend_state));
        for (unsigned i = 0; i < LIBXL__DEVICE_VALUES && s->values[i]; i++)
            s->device.values[i] = keep(ao, libxl__xs_value(s->values[i]));
        return s->force || s->device.cls->stateless ? 0 : check_guest(ao, s);
    }
    const char *path = libxl__xs_value(s->backend_path);
    if (!path)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "domain %u has no %s %u", s->device.domid, s->device.kind,
                              s->device.devid);
    if (!libxl__device_parse_backend(&s->device, path))
        return libxl__ao_fail(ao, ERROR_DEVICE,
                              LIBXL__TOOLSTACK "/backend: '%s' is not the path of a backend",
                              LIBXL__TOOLSTACK_OF(&s->device), path);
    return read_states(ao, s);
}

/* ---- driver: a guest that runs may not have taken a new device yet */

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

/* ---- ask: the backend is told that the device goes; with force the frontend is removed */

static bool is_closed(const struct device_detach *s)
{
    return !s->state_seen || libxl__device_state(s->state_seen) == XenbusStateClosed;
}

static int ask_start(libxl__ao *ao, struct device_detach *s)
{
    const libxl__device *device = &s->device;
    if (device->cls->stateless)
        return 0;
    const int rc = new_batch(ao, s);
    if (rc)
        return rc;
    libxl__xs_set_backend(s->batch, device->backend_domid);
    if (s->state_seen) {
        libxl__xs_require(s->batch, ERROR_NOT_READY, s->state_seen, LIBXL__BACKEND "/state",
                          LIBXL__BACKEND_OF(device));
        libxl__xs_write(s->batch, LIBXL__XS_INHERITS, "0", LIBXL__BACKEND "/online",
                        LIBXL__BACKEND_OF(device));
        if (!is_closed(s))
            libxl__xs_write(s->batch, LIBXL__XS_INHERITS, "5", LIBXL__BACKEND "/state",
                            LIBXL__BACKEND_OF(device));
    }
    /* A guest that was asked before has refused already, if its error is there: it does not write it again. */
    if (libxl__device_state(s->state_seen) != XenbusStateClosing)
        libxl__xs_remove(s->batch, "/local/domain/%u/error/device/%s/%u", LIBXL__FRONTEND_OF(device));
    if (s->force)
        libxl__xs_remove(s->batch, LIBXL__FRONTEND, LIBXL__FRONTEND_OF(device));
    return run(s, LIBXL__XS_TRANSACTION);
}

/* If the backend has changed its state in the meantime, looks again. */
static int ask_poll(libxl__ao *ao, struct device_detach *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(s->batch) == ERROR_NOT_READY && s->state_seen) {
        const int rc = read_states(ao, s);
        s->state_seen = NULL;
        s->looked_at_states = false;
        return rc;
    }
    int rc = libxl__xs_result(s->batch);
    if (rc || s->looked_at_states)
        return rc;
    s->looked_at_states = true;
    s->state_seen = keep(ao, libxl__xs_value(s->backend_state));
    return ask_start(ao, s);
}

/* ---- closed: the guest lets the device go, or refuses and may do so later */

static int await_backend(libxl__ao *ao, struct device_detach *s, libxl__await_test *test)
{
    char path[LIBXL__DEVICE_PATH];
    snprintf(path, sizeof(path), LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(&s->device));
    return libxl__await_start(ao, &s->state, path, test, "6");
}

static bool has_left_closing(const libxl__await *await, const char *value)
{
    (void)await;
    return libxl__device_state(value) != XenbusStateClosing;
}

/*
 * Called when the backend's state is no longer Closing. A backend that was connecting when it was asked may have
 * overwritten the request; it is asked again, a few times. Returns 0 if the backend has closed or is gone.
 */
static int look_at_state(libxl__ao *ao, struct device_detach *s)
{
    const char *value = libxl__await_value(&s->state);
    if (!value || libxl__device_state(value) == XenbusStateClosed)
        return 0;
    if (++s->times_asked > MOST_TIMES_ASKED)
        return libxl__ao_fail(ao, ERROR_DEVICE, "the backend does not close: its state is '%s'", value);
    s->state_seen = keep(ao, value);
    s->asking = true;
    return ask_start(ao, s);
}

/* Waits until the backend has closed. */
static int wait_closed(libxl__ao *ao, struct device_detach *s)
{
    int rc = s->asking ? ask_poll(ao, s) : 0;
    if (!rc && s->asking)
        libxl__await_again(&s->state);
    s->asking = rc == LIBXL__AO_WAIT;
    if (!rc)
        rc = libxl__await_step(ao, &s->state);
    return rc ? rc : look_at_state(ao, s);
}

/* Follows the backend's domain if it is another one. It may have ended. */
static int follow_server(libxl__ao *ao, struct device_detach *s)
{
    xc_domaininfo_t info;
    if (!s->device.backend_domid || s->device.cls->stateless)
        return 0;
    const int rc = libxl__hv_look(ao, s->device.backend_domid, &info);
    return rc == ERROR_DOMAIN_NOTFOUND ? 0 : rc ? rc : libxl__domain_source_start(ao, &s->server, &info);
}

/* A backend whose domain has ended, or is ending, does nothing more. */
static bool is_served(const struct device_detach *s)
{
    return !s->device.backend_domid ||
           (s->server.source.ao && s->server.follower.phase == LIBXL__DOMAIN_RUNNING);
}

static int closed_start(libxl__ao *ao, struct device_detach *s)
{
    char path[LIBXL__DEVICE_PATH];
    int rc = follow_server(ao, s);
    if (rc || s->force || s->device.cls->stateless || is_closed(s) || !is_served(s))
        return rc;
    snprintf(path, sizeof(path), LIBXL__FRONTEND_ERROR, LIBXL__FRONTEND_OF(&s->device));
    rc = libxl__await_start(ao, &s->refusal, path, libxl__await_present, NULL);
    if (!rc)
        rc = await_backend(ao, s, has_left_closing);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int closed_poll(libxl__ao *ao, struct device_detach *s)
{
    int rc = is_served(s) ? wait_closed(ao, s) : 0;
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

/* ---- released: the backend closes because its frontend is gone */

static int released_start(libxl__ao *ao, struct device_detach *s)
{
    if (!s->force || s->device.cls->stateless || is_closed(s) || !s->device.cls->closes_without_frontend)
        return 0;
    if (args_of(ao)->in.abandoned && libxl__device_model_serves(&s->device))
        return 0;
    const int rc = await_backend(ao, s, libxl__await_device_state);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int released_poll(libxl__ao *ao, struct device_detach *s)
{
    return s->stopped || !is_served(s) ? 0 : libxl__await_step(ao, &s->state);
}

static void released_stop(libxl__ao *ao, struct device_detach *s)
{
    (void)ao;
    s->stopped = true;
}

/*
 * ---- domain: the hotplug daemon of the backend's domain releases what the backend used, when that has closed. It
 * removes the backend's nodes at its end. A domain that has ended cannot do that.
 */

/* Whether the backend closes only when its nodes are removed: it was never connected, and has lost its frontend. */
static bool stays_open(const struct device_detach *s)
{
    const int state = libxl__device_state(s->state_seen);
    return s->force && !s->device.cls->closes_without_frontend && state != XenbusStateConnected &&
           state != XenbusStateClosed;
}

static int domain_start(libxl__ao *ao, struct device_detach *s)
{
    char path[LIBXL__DEVICE_PATH];
    if (!s->device.backend_domid || s->device.cls->stateless || !s->state_seen || !is_served(s) ||
        stays_open(s))
        return 0;
    snprintf(path, sizeof(path), LIBXL__BACKEND "/online", LIBXL__BACKEND_OF(&s->device));
    const int started = libxl__await_start(ao, &s->nodes, path, libxl__await_empty, NULL);
    return started ? started : LIBXL__AO_WAIT;
}

static int domain_poll(libxl__ao *ao, struct device_detach *s)
{
    return s->stopped || !is_served(s) ? 0 : libxl__await_step(ao, &s->nodes);
}

static void domain_stop(libxl__ao *ao, struct device_detach *s)
{
    (void)ao;
    s->stopped = true;
}

/* ---- host: what the device used is released; the nodes are removed even if that fails */

static int host_ended(struct device_detach *s, int rc)
{
    if (rc == LIBXL__AO_WAIT)
        return rc;
    s->host_rc = rc;
    return 0;
}

static int host_start(libxl__ao *ao, struct device_detach *s)
{
    if (s->device.backend_domid || !s->device.cls->offline_start)
        return 0;
    return host_ended(s, s->device.cls->offline_start(ao, &s->device));
}

static int host_poll(libxl__ao *ao, struct device_detach *s)
{
    return host_ended(s, s->device.cls->offline_poll(ao, &s->device));
}

/*
 * ---- record: the device is removed from the stored configuration. A failure does not end the removal, because readers
 * compare the configuration with xenstore.
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
 * Reads the nodes that may be removed because they are empty, the parents first. In a transaction xenstored reads each
 * node when it is used first. It calls its store corrupt if it finds a node whose parent, which it reads later, does not
 * list it any more, because another transaction has removed the node in between.
 */
static void read_parents(libxl__xs_batch *batch, const libxl__device *device)
{
    const uint32_t guest = device->domid, backend = device->backend_domid;
    libxl__xs_read(batch, "/local/domain/%u/device", guest);
    libxl__xs_read(batch, "/local/domain/%u/device/%s", guest, device->kind);
    libxl__xs_read(batch, "/local/domain/%u/error", guest);
    libxl__xs_read(batch, "/local/domain/%u/error/device", guest);
    libxl__xs_read(batch, "/local/domain/%u/error/device/%s", guest, device->kind);
    for (const char *const *folder = (const char *const[]){"", "/error", NULL}; *folder; folder++) {
        libxl__xs_read(batch, "/local/domain/%u%s", backend, *folder);
        libxl__xs_read(batch, "/local/domain/%u%s/backend", backend, *folder);
        libxl__xs_read(batch, "/local/domain/%u%s/backend/%s", backend, *folder, device->backend_kind);
        libxl__xs_read(batch, "/local/domain/%u%s/backend/%s/%u", backend, *folder, device->backend_kind,
                       guest);
    }
    libxl__xs_read(batch, "/libxl/%u", guest);
    libxl__xs_read(batch, "/libxl/%u/device", guest);
    libxl__xs_read(batch, "/libxl/%u/device/%s", guest, device->kind);
}

/*
 * Nothing is removed if the device was removed and added again in the meantime: then the backend is online, or its
 * nodes exist again.
 */
static int clean_start(libxl__ao *ao, struct device_detach *s)
{
    const libxl__device *device = &s->device;
    const int rc = new_batch(ao, s);
    if (rc)
        return rc;
    read_parents(s->batch, device);
    if (s->nodes.done || s->nodes_gone)
        libxl__xs_require_absent(s->batch, ERROR_NOTFOUND, LIBXL__BACKEND "/online",
                                 LIBXL__BACKEND_OF(device));
    else if (s->state_seen && !device->cls->stateless && is_served(s))
        libxl__xs_require(s->batch, ERROR_NOTFOUND, "0", LIBXL__BACKEND "/online", LIBXL__BACKEND_OF(device));
    libxl__xs_remove(s->batch, LIBXL__FRONTEND, LIBXL__FRONTEND_OF(device));
    libxl__xs_remove(s->batch, LIBXL__BACKEND, LIBXL__BACKEND_OF(device));
    libxl__xs_remove(s->batch, LIBXL__TOOLSTACK, LIBXL__TOOLSTACK_OF(device));
    libxl__xs_remove(s->batch, "/local/domain/%u/error/backend/%s/%u/%u", LIBXL__BACKEND_OF(device));
    libxl__xs_remove(s->batch, "/local/domain/%u/error/device/%s/%u", LIBXL__FRONTEND_OF(device));
    libxl__xs_prune(s->batch, 1, "/local/domain/%u/device/%s", device->domid, device->kind);
    libxl__xs_prune(s->batch, 3, "/local/domain/%u/backend/%s/%u", device->backend_domid,
                    device->backend_kind, device->domid);
    libxl__xs_prune(s->batch, 2, "/libxl/%u/device/%s", device->domid, device->kind);
    libxl__xs_prune(s->batch, 4, "/local/domain/%u/error/backend/%s/%u", device->backend_domid,
                    device->backend_kind, device->domid);
    libxl__xs_prune(s->batch, 2, "/local/domain/%u/error/device/%s", device->domid, device->kind);
    return run(s, LIBXL__XS_TRANSACTION);
}

static int clean_poll(libxl__ao *ao, struct device_detach *s)
{
    if (!libxl__xs_done(s->batch) || (s->stays && libxl__userdata_change_back(ao, &s->stored)))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_rc(s->batch);
    if (rc == ERROR_NOTFOUND && s->device.backend_domid && !s->nodes_gone) {
        s->nodes_gone = true;
        return clean_start(ao, s);
    }
    if (rc && !s->stays) {
        s->stays = true;
        return clean_poll(ao, s);
    }
    return rc && rc != ERROR_NOTFOUND ? libxl__xs_result(s->batch) : 0;
}

/* ---- gone: the kernel removes what it had; the first error of the release is the result */

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

/* ---- called by the operations that nest a detach */

int libxl__detach_fill(libxl__ao *child, uint32_t domid, const libxl_uuid *uuid, const char *kind,
                       uint32_t devid, bool force)
{
    libxl__device_detach_args *args = libxl__ao_args(child);
    child->subject.number = domid;
    child->subject.uuid = *uuid;
    args->in.domid = domid;
    args->in.devid = devid;
    args->in.force = force;
    args->in.kind = strdup(kind);
    return args->in.kind ? 0 : ERROR_NOMEM;
}

int libxl__detach_reserve(libxl__ao *parent, libxl__nested *detach, const libxl__device *device, bool force)
{
    libxl__ao *child = libxl__nested_create(parent, detach, &libxl__operations[LIBXL__OP_DEVICE_DETACH]);
    if (!child)
        return ERROR_NOMEM;
    detach->outlives = true;
    return libxl__detach_fill(child, device->domid, &parent->subject.uuid, device->kind, device->devid,
                              force);
}

void libxl__detach_abandon(libxl__nested *detach, bool abandoned)
{
    libxl__device_detach_args *args = libxl__ao_args(detach->child);
    args->in.abandoned = abandoned;
}

void libxl__detach_recorded(libxl__nested *detach)
{
    libxl__device_detach_args *args = libxl__ao_args(detach->child);
    args->in.recorded = true;
}

void libxl__detach_start(libxl__nested *detach)
{
    libxl__nested_start(detach);
}

int libxl__detach_poll(libxl__ao *parent, const libxl__nested *detach)
{
    if (detach->done)
        return detach->rc;
    const struct device_detach *s = libxl__ao_state(detach->child);
    if (!s->refused)
        return LIBXL__AO_WAIT;
    return libxl__ao_fail(parent, ERROR_DEVICE_REFUSED, "the guest says: %s",
                          libxl__await_value(&s->refusal));
}
