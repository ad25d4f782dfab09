/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the watch, the alarm and the batch of each wait. Guarded by the context's lock. */
#include "await.h"
#include "xen.h"

#include <stdlib.h>
#include <string.h>

bool libxl__await_equal(const libxl__await *await, const char *value)
{
    return value && strcmp(value, await->wanted) == 0;
}

bool libxl__await_present(const libxl__await *await, const char *value)
{
    (void)await;
    return value && *value;
}

/* One digit: everything else that a guest may have written there is no state. */
static int device_state(const char *value)
{
    return value[0] >= '0' && value[0] <= '9' && !value[1] ? value[0] - '0' : -1;
}

bool libxl__await_device_state(const libxl__await *await, const char *value)
{
    return !value || device_state(value) >= device_state(await->wanted);
}

int libxl__await_start(libxl__ao *ao, libxl__await *await, const char *path, libxl__await_test *test,
                       const char *wanted, uint64_t limit_ns)
{
    *await = (libxl__await){.test = test};
    await->path = libxl__gc_printf(&ao->gc, "%s", path);
    await->wanted = libxl__gc_printf(&ao->gc, "%s", wanted ? wanted : "");
    if (!await->path || !await->wanted)
        return ERROR_NOMEM;
    int rc = libxl__watch_start(ao, &await->node, path);
    if (!rc && limit_ns)
        rc = libxl__alarm_set(ao, &await->patience, limit_ns);
    await->state = LIBXL__AWAIT_WATCHING;
    return rc;
}

static int read_node(libxl__ao *ao, libxl__await *await)
{
    await->node.source.fired = false; /* before reading: what changes from now on fires again */
    await->reading = libxl__xs_batch_new(ao, 0);
    if (!await->reading)
        return ERROR_NOMEM;
    await->request = libxl__xs_read(await->reading, "%s", await->path);
    await->state = LIBXL__AWAIT_READING;
    return libxl__xs_run(await->reading, LIBXL__XS_ONE_BY_ONE);
}

static int done(libxl__ao *ao, libxl__await *await)
{
    await->state = LIBXL__AWAIT_DONE;
    libxl__xs_batch_free(await->reading);
    await->reading = NULL;
    libxl__source_stop(ao->ctx, &await->patience.source);
    return 0;
}

int libxl__await_step(libxl__ao *ao, libxl__await *await)
{
    if (await->state == LIBXL__AWAIT_DONE)
        return 0;
    if (await->state == LIBXL__AWAIT_READING && libxl__xs_done(await->reading)) {
        int rc = libxl__xs_result(await->reading);
        const char *value = rc ? NULL : libxl__xs_value(await->request);
        if (!rc && await->test(await, value))
            return done(ao, await);
        libxl__xs_batch_free(await->reading);
        await->reading = NULL;
        if (rc)
            return rc;
        await->state = LIBXL__AWAIT_WATCHING;
    }
    if (await->node.failed)
        return libxl__ao_fail(ao, ERROR_XENSTORE, "xenstore: %s: cannot be watched", await->path);
    if (await->patience.source.fired)
        return libxl__ao_fail(ao, ERROR_TIMEDOUT, "xenstore: %s: not what was waited for in time",
                              await->path);
    if (await->state == LIBXL__AWAIT_WATCHING && await->node.source.fired) {
        int rc = read_node(ao, await);
        if (rc)
            return rc;
    }
    return LIBXL__AO_WAIT;
}

void libxl__await_again(libxl__await *await)
{
    await->state = LIBXL__AWAIT_WATCHING;
}
