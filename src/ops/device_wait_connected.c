/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_wait_connected: waits until the backend and the frontend of a device are connected. The guest can
 * then use the device. This operation changes nothing. The toolstack's nodes say which domain serves the
 * device. The guest may write any value into its own nodes.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "device_backend.h"
#include "device_operations.h"
#include "ops.h"

#include <stdio.h>
#include <string.h>

#include <xen/io/xenbus.h>

typedef struct device_wait_connected {
    libxl__device device;
    libxl__xs_batch *batch;
    const libxl__xs_request *backend_path;
    libxl__domain_source domain;
    libxl__backend_wait wait;
    libxl__await frontend;
} device_wait_connected_state;

/* ---- find: checks that the guest runs, and that the device exists */

/*
 * Returns an error if the guest cannot connect to a device because it is dying, gone or shut down. Does not check
 * whether the guest is paused; find_start has done this once.
 */
static int check_guest(libxl__ao *ao, const struct device_wait_connected *s)
{
    if (s->domain.follower.phase >= LIBXL__DOMAIN_DYING)
        return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domain %u was destroyed", s->device.domid);
    if (s->domain.follower.phase == LIBXL__DOMAIN_SHUTDOWN)
        return libxl__ao_fail(ao, ERROR_GUEST_CANNOT_ANSWER, "domain %u has shut down", s->device.domid);
    return 0;
}

static int find_start(libxl__ao *ao, struct device_wait_connected *s)
{
    const libxl__device_wait_connected_args *args = libxl__ao_args(ao);
    const char *kind = args->in.kind;
    xc_domaininfo_t info;
    if (!kind || !*kind || strchr(kind, '/') || strlen(kind) >= sizeof(s->device.kind))
        return libxl__ao_fail(ao, ERROR_INVAL, "kind: '%s' is not a kind of devices", kind ? kind : "");
    s->device = (libxl__device){
        .cls = libxl__device_class_of(kind), .domid = ao->subject.number, .devid = args->in.devid};
    memcpy(s->device.kind, kind, strlen(kind) + 1);
    int rc = libxl__hv_info(ao, s->device.domid, &info);
    if (!rc && info.flags & XEN_DOMINF_paused && !(info.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown)))
        rc = libxl__ao_fail(ao, ERROR_GUEST_CANNOT_ANSWER, "domain %u is paused", s->device.domid);
    if (!rc)
        rc = libxl__domain_source_start(ao, &s->domain, &info);
    if (rc)
        return rc;
    s->batch = libxl__xs_batch_new(ao, s->device.domid);
    if (!s->batch)
        return ERROR_NOMEM;
    s->backend_path = libxl__xs_read(s->batch, LIBXL__TOOLSTACK "/backend", LIBXL__TOOLSTACK_OF(&s->device));
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Follows the backend's domain. Does nothing if the backend's domain is this domain. */
static int follow_server(libxl__ao *ao, struct device_wait_connected *s)
{
    xc_domaininfo_t info;
    if (!s->device.backend_domid)
        return 0;
    const int rc = libxl__hv_look(ao, s->device.backend_domid, &info);
    if (rc == ERROR_DOMAIN_NOTFOUND)
        return libxl__ao_fail(ao, ERROR_NO_BACKEND, "domain %u, which serves the device, has ended",
                              s->device.backend_domid);
    return rc ? rc : libxl__domain_source_start(ao, &s->wait.server, &info);
}

static int find_poll(libxl__ao *ao, struct device_wait_connected *s)
{
    int rc = check_guest(ao, s);
    if (rc || !libxl__xs_done(s->batch))
        return rc ? rc : LIBXL__AO_WAIT;
    rc = libxl__xs_result(s->batch);
    if (!rc)
        rc = libxl__device_set_backend(ao, &s->device, libxl__xs_value(s->backend_path));
    return rc ? rc : follow_server(ao, s);
}

/* ---- connected: waits until the backend and the frontend are connected */

/*
 * Returns whether the wait ends. It ends if the state is 4 or if the guest has removed its nodes. Any other
 * value is ignored, because the guest may write any value.
 */
static bool is_connected_or_missing(const libxl__await *await, const char *value)
{
    (void)await;
    return !value || libxl__device_state(value) == XenbusStateConnected;
}

static int connected_start(libxl__ao *ao, struct device_wait_connected *s)
{
    char path[LIBXL__DEVICE_PATH];
    int rc = libxl__backend_wait_start(ao, &s->wait, &s->device, "4");
    snprintf(path, sizeof(path), LIBXL__FRONTEND "/state", LIBXL__FRONTEND_OF(&s->device));
    if (!rc)
        rc = libxl__await_start(ao, &s->frontend, path, is_connected_or_missing, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int connected_poll(libxl__ao *ao, struct device_wait_connected *s)
{
    int rc = check_guest(ao, s);
    if (rc)
        return rc;
    const int backend = libxl__backend_wait_poll(ao, &s->wait, &s->device);
    if (backend && backend != LIBXL__AO_WAIT)
        return backend;
    rc = libxl__await_step(ao, &s->frontend);
    if (!rc && s->frontend.missing)
        return libxl__ao_fail(ao, ERROR_DEVICE, "the frontend's nodes were removed");
    return rc ? rc : backend;
}

#include "_libxl_phases_device_wait_connected.h"
