/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing except the operation's state. The caller holds the context's lock. */
#include "device_backend.h"

#include <stdio.h>

#include <xen/io/xenbus.h>

/* A test that is true if the backend is connected, has closed or is gone. */
static bool has_settled(const libxl__await *await, const char *value)
{
    const int state = libxl__device_state(value);
    (void)await;
    return !value || (state >= XenbusStateConnected && state <= XenbusStateClosed);
}

int libxl__backend_wait_start(libxl__ao *ao, libxl__backend_wait *wait, const libxl__device *device,
                              const char *wanted)
{
    char path[LIBXL__DEVICE_PATH];
    snprintf(path, sizeof(path), LIBXL__BACKEND_ERROR, LIBXL__BACKEND_OF(device));
    int rc = libxl__await_start(ao, &wait->backend_error, path, libxl__await_present, NULL);
    snprintf(path, sizeof(path), LIBXL__FRONTEND_ERROR, LIBXL__FRONTEND_OF(device));
    if (!rc && !wait->without_guest)
        rc = libxl__await_start(ao, &wait->frontend_error, path, libxl__await_present, NULL);
    snprintf(path, sizeof(path), LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(device));
    return rc ? rc
              : libxl__await_start(ao, &wait->state, path,
                                   wait->settles ? has_settled : libxl__await_device_state, wanted);
}

int libxl__backend_wait_errors(libxl__ao *ao, libxl__backend_wait *wait)
{
    int rc = libxl__await_step(ao, &wait->backend_error);
    if (!rc)
        return libxl__ao_fail(ao, ERROR_DEVICE, "the backend says: %s",
                              libxl__await_value(&wait->backend_error));
    if (rc == LIBXL__AO_WAIT && !wait->without_guest && (!wait->old_errors || wait->reads_errors))
        rc = libxl__await_step(ao, &wait->frontend_error);
    return rc ? rc
              : libxl__ao_fail(ao, ERROR_DEVICE, "the guest's driver says: %s",
                               libxl__await_value(&wait->frontend_error));
}

/*
 * Handles a backend that has closed. First reads the error nodes, because a kernel writes its error before it
 * closes the backend. Then the wait fails.
 */
static int why_closed(libxl__ao *ao, libxl__backend_wait *wait)
{
    if (!wait->reads_errors) {
        wait->reads_errors = true;
        libxl__await_look(&wait->backend_error);
        if (!wait->without_guest)
            libxl__await_look(&wait->frontend_error);
        return libxl__backend_wait_errors(ao, wait);
    }
    if (libxl__await_is_looking(&wait->backend_error) || libxl__await_is_looking(&wait->frontend_error))
        return LIBXL__AO_WAIT;
    return libxl__ao_fail(ao, ERROR_DEVICE, "the backend has closed");
}

int libxl__backend_wait_poll(libxl__ao *ao, libxl__backend_wait *wait, const libxl__device *device)
{
    if (!libxl__device_is_served_here(device) && wait->server.follower.phase != LIBXL__DOMAIN_RUNNING)
        return libxl__ao_fail(ao, ERROR_NO_BACKEND, "domain %u, which serves the device, has ended",
                              device->backend_domid);
    int rc = libxl__backend_wait_errors(ao, wait);
    if (rc != LIBXL__AO_WAIT)
        return rc;
    rc = libxl__await_step(ao, &wait->state);
    if (rc)
        return rc;
    const int state = libxl__device_state(libxl__await_value(&wait->state));
    /*
     * The usual reason for missing nodes is that the backend's domain is ending: its nodes are removed before the
     * domain is gone.
     */
    if (wait->state.missing && !libxl__device_is_served_here(device))
        return libxl__ao_fail(ao, ERROR_NO_BACKEND,
                              "domain %u, which serves the device, has no nodes for it any more",
                              device->backend_domid);
    if (wait->state.missing)
        return libxl__ao_fail(ao, ERROR_DEVICE, "the backend's nodes were removed");
    if (state != XenbusStateClosing && state != XenbusStateClosed)
        return 0;
    return why_closed(ao, wait);
}
