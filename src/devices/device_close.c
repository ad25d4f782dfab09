/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks the backend of a device to close, and waits until the backend has closed.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "device_close.h"

#include <stdio.h>

#include <xen/io/xenbus.h>

enum { MOST_TIMES_LOOKED = 16, MOST_TIMES_CHANGED = 16 };

void libxl__device_close_see(libxl__device_close *close, const char *value)
{
    if (value)
        snprintf(close->text, sizeof(close->text), "%s", value);
    close->state = value ? close->text : NULL;
}

bool libxl__device_close_is_done(const libxl__device_close *close)
{
    return !close->state || libxl__device_state(close->state) == XenbusStateClosed;
}

/* ---- the request to close */

static int new_batch(libxl__ao *ao, libxl__device_close *close)
{
    libxl__xs_batch_free(close->batch);
    close->batch = libxl__xs_batch_new(ao, close->device->domid);
    return close->batch ? 0 : ERROR_NOMEM;
}

static int run(libxl__device_close *close, libxl__xs_mode mode)
{
    const int rc = libxl__xs_run(close->batch, mode);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__device_close_ask_start(libxl__ao *ao, libxl__device_close *close)
{
    const libxl__device *device = close->device;
    char functions[16];
    const int rc = new_batch(ao, close);
    if (rc)
        return rc;
    snprintf(functions, sizeof(functions), "%u", close->functions);
    close->state_node = NULL;
    libxl__xs_set_backend(close->batch, device->backend_domid);
    if (close->state) {
        const char *wanted = close->times_changed > MOST_TIMES_CHANGED ? NULL : close->state;
        if (!close->separately)
            libxl__xs_require(close->batch, ERROR_NOT_READY, wanted, LIBXL__BACKEND "/state",
                              LIBXL__BACKEND_OF(device));
        if (close->functions && !close->separately)
            libxl__xs_require(close->batch, ERROR_BUSY, functions, LIBXL__BACKEND "/num_devs",
                              LIBXL__BACKEND_OF(device));
        libxl__xs_write(close->batch, LIBXL__XS_INHERITS, "0", LIBXL__BACKEND "/online",
                        LIBXL__BACKEND_OF(device));
        if (!libxl__device_close_is_done(close))
            libxl__xs_write(close->batch, LIBXL__XS_INHERITS, "5", LIBXL__BACKEND "/state",
                            LIBXL__BACKEND_OF(device));
    }
    /*
     * The error node of an earlier refusal is removed before the guest is asked. If the guest has already
     * been asked and has refused, the node is not removed, because the guest does not write it a second time.
     */
    if (!close->force && libxl__device_state(close->state) != XenbusStateClosing)
        libxl__xs_remove(close->batch, "/local/domain/%u/error/device/%s/%u", LIBXL__FRONTEND_OF(device));
    if (close->force)
        libxl__xs_remove(close->batch, LIBXL__FRONTEND, LIBXL__FRONTEND_OF(device));
    return run(close, close->separately ? LIBXL__XS_ONE_BY_ONE : LIBXL__XS_TRANSACTION);
}

static int read_state(libxl__ao *ao, libxl__device_close *close)
{
    const int rc = new_batch(ao, close);
    if (rc)
        return rc;
    close->state_node =
        libxl__xs_read(close->batch, LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(close->device));
    return run(close, LIBXL__XS_ONE_BY_ONE);
}

/*
 * If the backend has changed its state before the request, reads the state again and repeats the request. After
 * a few repetitions, a removal by force accepts any state. Other removals fail.
 */
int libxl__device_close_ask_poll(libxl__ao *ao, libxl__device_close *close)
{
    if (!libxl__xs_done(close->batch))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(close->batch) == ERROR_NOT_READY) {
        if (++close->times_changed > MOST_TIMES_CHANGED && !close->force)
            return libxl__ao_fail(ao, ERROR_DEVICE, "the backend changes its state all the time");
        return read_state(ao, close);
    }
    if (libxl__xs_is_contended(close->batch)) {
        if (!close->force)
            return libxl__ao_fail(ao, ERROR_DEVICE,
                                  "the guest or the backend changes the device's nodes all the time");
        close->separately = true;
        return libxl__device_close_ask_start(ao, close);
    }
    if (libxl__xs_rc(close->batch) == ERROR_BUSY)
        return libxl__ao_fail(ao, ERROR_BUSY, "another program changes the PCI devices of domain %u",
                              close->device->domid);
    const int rc = libxl__xs_result(close->batch);
    if (rc || !close->state_node)
        return rc;
    libxl__device_close_see(close, libxl__xs_value(close->state_node));
    return libxl__device_close_ask_start(ao, close);
}

/* ---- the wait until the backend has closed */

static bool has_left_closing(const libxl__await *await, const char *value)
{
    (void)await;
    return libxl__device_state(value) != XenbusStateClosing;
}

static bool is_any(const libxl__await *await, const char *value)
{
    (void)await, (void)value;
    return true;
}

int libxl__device_close_wait_start(libxl__ao *ao, libxl__device_close *close)
{
    char path[LIBXL__DEVICE_PATH];
    snprintf(path, sizeof(path), LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(close->device));
    const int rc = libxl__await_start(ao, &close->left, path, close->force ? is_any : has_left_closing, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Called when the backend's state is no longer Closing; with `force`, called after each change of the state. Returns
 * 0 if the backend has closed or is gone. A backend that was connecting may have overwritten the request with its own
 * state. In this case the request is repeated, up to a few times. With `force` the request is not repeated, and the
 * wait continues for a few changes of the state.
 */
static int look_at_state(libxl__ao *ao, libxl__device_close *close)
{
    const char *value = libxl__await_value(&close->left);
    if (!value || libxl__device_state(value) == XenbusStateClosed)
        return 0;
    const bool too_often = ++close->times_looked > MOST_TIMES_LOOKED;
    if (close->force) {
        libxl__await_again(&close->left);
        return too_often ? 0 : libxl__await_step(ao, &close->left);
    }
    if (too_often)
        return libxl__ao_fail(ao, ERROR_DEVICE, "the backend does not close: its state is '%s'", value);
    libxl__device_close_see(close, value);
    close->asking = true;
    return libxl__device_close_ask_start(ao, close);
}

int libxl__device_close_wait_poll(libxl__ao *ao, libxl__device_close *close)
{
    int rc = close->asking ? libxl__device_close_ask_poll(ao, close) : 0;
    if (!rc && close->asking)
        libxl__await_again(&close->left);
    close->asking = rc == LIBXL__AO_WAIT;
    if (!rc)
        rc = libxl__await_step(ao, &close->left);
    return rc ? rc : look_at_state(ao, close);
}
