/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs the hotplug scripts of devices. Owns: nothing except the operation's state. The caller holds the
 * context's lock.
 */
#include "device_script.h"

#include <stdio.h>
#include <string.h>

const char *libxl__device_script_path(libxl__ao *ao, const char *script)
{
    return libxl__gc_printf(&ao->gc, "%s%s", *script == '/' ? "" : LIBXL__SCRIPTS "/", script);
}

int libxl__device_script_start(libxl__ao *ao, libxl__device_script *run, const libxl__device *device,
                               const char *path, const char *action, const char *argument)
{
    libxl__gc *gc = &ao->gc;
    const char **argv = libxl__gc_alloc(gc, 4 * sizeof(*argv));
    const char *variables[4 + LIBXL__SCRIPT_VARIABLES + 1] = {
        libxl__gc_printf(gc, "script=%s", path),
        libxl__gc_printf(gc, "XENBUS_TYPE=%s", device->backend_kind),
        /*
         * The path is relative to the tree of the domain that runs the script. Scripts in a driver domain
         * also get a relative path.
         */
        libxl__gc_printf(gc, "XENBUS_PATH=backend/%s/%u/%u", device->backend_kind, device->domid,
                         device->devid),
        "XENBUS_BASE_PATH=backend",
    };
    if (!argv || !variables[0] || !variables[1] || !variables[2])
        return ERROR_NOMEM;
    memcpy(&variables[4], run->variables, sizeof(run->variables));
    argv[0] = path;
    argv[1] = action;
    argv[2] = argument;
    return libxl__script_start(ao, &run->script, argv, variables, LIBXL__SCRIPT_LIMIT_MS);
}

static int read_words(libxl__ao *ao, libxl__device_script *run, const libxl__device *device)
{
    run->batch = libxl__xs_batch_new(ao, device->domid);
    if (!run->batch)
        return ERROR_NOMEM;
    run->status = libxl__xs_read(run->batch, LIBXL__BACKEND "/hotplug-status", LIBXL__BACKEND_OF(device));
    run->error = libxl__xs_read(run->batch, LIBXL__BACKEND "/hotplug-error", LIBXL__BACKEND_OF(device));
    const int rc = libxl__xs_run(run->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__device_script_poll(libxl__ao *ao, libxl__device_script *run, const libxl__device *device)
{
    if (!run->batch) {
        const int rc = libxl__script_poll(ao, &run->script);
        if (rc == LIBXL__AO_WAIT)
            return rc;
        run->rc = rc;
        return read_words(ao, run, device);
    }
    if (!libxl__xs_done(run->batch))
        return LIBXL__AO_WAIT;
    int rc = run->rc ? run->rc : libxl__xs_result(run->batch);
    const char *status = libxl__xs_value(run->status), *error = libxl__xs_value(run->error);
    const bool busy = status && !strcmp(status, "busy");
    if (!rc && status && (busy || !strcmp(status, "error")))
        rc = libxl__ao_fail(ao, ERROR_SCRIPT, "%s: hotplug-status is %s", run->script.path, status);
    if (rc && error)
        libxl__ao_fail_also(ao, "hotplug-error: %s", error);
    return rc && busy ? ERROR_BUSY : rc;
}
