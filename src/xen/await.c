/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the watch and the batch of each wait, until the operation ends. The libxl__await belongs to its
 * operation. The context's lock guards all three.
 */
#include "await.h"
#include "xen.h"

#include <stdlib.h>
#include <string.h>

bool libxl__await_equal(const libxl__await *await, const char *value)
{
    return value && strcmp(value, await->wanted) == 0;
}

bool libxl__await_empty(const libxl__await *await, const char *value)
{
    return !libxl__await_present(await, value);
}

bool libxl__await_present(const libxl__await *await, const char *value)
{
    (void)await;
    return value && *value;
}

int libxl__device_state(const char *value)
{
    return value && value[0] >= '0' && value[0] <= '9' && !value[1] ? value[0] - '0' : -1;
}

bool libxl__await_device_state(const libxl__await *await, const char *value)
{
    return !value || libxl__device_state(value) >= libxl__device_state(await->wanted);
}

static void node_changed(libxl_ctx *ctx, void *user, bool failed)
{
    (void)ctx;
    libxl__await *await = user;
    await->changed = true;
    await->failed = failed;
    libxl__source_fire(&await->source);
}

static void await_stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__await *await = (libxl__await *)source;
    libxl__watch_remove(ctx, await->watch);
    await->watch = NULL;
}

int libxl__await_start(libxl__ao *ao, libxl__await *await, const char *path, libxl__await_test *test,
                       const char *wanted)
{
    *await = (libxl__await){.test = test, .wanted = wanted};
    libxl__source_attach(ao, &await->source, await_stop);
    int rc = libxl__watch_add(ao->ctx, path, node_changed, await, false, &await->watch);
    if (!rc)
        return 0;
    libxl__source_stop(ao->ctx, &await->source);
    return libxl__ao_fail(ao, rc, "xenstore: %s: cannot be watched: %s", path, libxl_error_describe(rc));
}

bool libxl__await_is_looking(const libxl__await *await)
{
    return !await->done && (await->changed || await->reading);
}

void libxl__await_look(libxl__await *await)
{
    await->changed = true;
}

/* Starts to read the node. Returns 0, NOMEM, FAIL or NO_XENSTORE. */
static int read_node(libxl__ao *ao, libxl__await *await)
{
    /* `changed` is cleared before the read, so that a later change causes another read */
    await->changed = false;
    await->reading = libxl__xs_batch_new(ao, 0);
    if (!await->reading)
        return ERROR_NOMEM;
    libxl__xs_read(await->reading, "%s", await->watch->path);
    int rc = libxl__xs_run(await->reading, LIBXL__XS_ONE_BY_ONE);
    if (rc) {
        libxl__xs_batch_free(await->reading);
        await->reading = NULL;
    }
    return rc;
}

static void free_reading(libxl__await *await)
{
    libxl__xs_batch_free(await->reading);
    await->reading = NULL;
}

const char *libxl__await_value(const libxl__await *await)
{
    return await->done ? libxl__xs_value(STAILQ_FIRST(&await->reading->requests)) : NULL;
}

/* Tests the value that was read. Sets `done` and `missing`. Errors: those of libxl__xs_result. */
static int test_node(libxl__await *await)
{
    const int rc = libxl__xs_result(await->reading);
    const char *value = libxl__xs_value(STAILQ_FIRST(&await->reading->requests));
    if (!rc) {
        await->done = await->test(await, value);
        await->missing = !value;
    }
    if (!await->done)
        free_reading(await);
    return rc;
}

int libxl__await_step(libxl__ao *ao, libxl__await *await)
{
    if (!await->done && await->reading && libxl__xs_done(await->reading)) {
        int rc = test_node(await);
        if (rc)
            return rc;
    }
    if (await->done)
        return 0;
    if (await->failed && libxl__watch_is_lost(await->watch))
        return libxl__ao_fail(ao, ERROR_NO_XENSTORE, "xenstore: %s: " LIBXL__XS_LOST, await->watch->path);
    if (await->failed)
        return libxl__ao_fail(ao, ERROR_XENSTORE, "xenstore: %s: cannot be watched", await->watch->path);
    if (!await->reading && await->changed) {
        int rc = read_node(ao, await);
        if (rc)
            return rc;
    }
    return LIBXL__AO_WAIT;
}

void libxl__await_again(libxl__await *await)
{
    free_reading(await);
    await->done = false;
}
