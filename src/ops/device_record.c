/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adds, changes and removes the entries of devices in the stored configuration of a domain (userdata.h).
 *
 * Owns: nothing; a job owns its `change`. Locks: exchange() runs on a worker, unlocked. The other functions
 * are called with the context locked.
 */
#include "device_operations.h"

#include <stdlib.h>
#include <string.h>

typedef struct change {
    const libxl__device_class *cls;
    int number; /* the number of the device */
    /*
     * The device's entry (JSON) that the next call of exchange() stores; NULL: exchange() removes the entry.
     */
    char *entry;
} change;

static void drop(const libxl__device_class *cls, char *entry)
{
    if (entry)
        cls->dispose(entry);
    free(entry);
}

static void dispose(void *user)
{
    change *c = user;
    drop(c->cls, c->entry);
    free(c);
}

static int append(change *c, char **array, int *count)
{
    const size_t size = c->cls->config_size;
    if (!c->entry)
        return 0;
    char *larger = realloc(*array, ((size_t)*count + 1) * size);
    if (!larger)
        return ERROR_NOMEM;
    memcpy(larger + (size_t)*count * size, c->entry, size);
    free(c->entry);
    c->entry = NULL;
    *array = larger;
    ++*count;
    return 0;
}

/* Exchanges the device's entry in the configuration with c->entry. A second call restores the configuration. */
static int exchange(libxl_domain_config *config, void *user)
{
    change *c = user;
    const size_t size = c->cls->config_size;
    char **array = (char **)((char *)config + c->cls->config_at);
    int *count = (int *)((char *)config + c->cls->count_at), at = 0;
    while (at < *count && libxl__device_number(c->cls, *array + (size_t)at * size) != c->number)
        at++;
    if (at == *count)
        return append(c, array, count);
    char *found = *array + (size_t)at * size, *taken = malloc(size);
    if (!taken)
        return ERROR_NOMEM;
    memcpy(taken, found, size);
    if (c->entry)
        memcpy(found, c->entry, size);
    else
        memmove(found, found + size, (size_t)(--*count - at) * size);
    if (!c->entry && c->cls->forget)
        c->cls->forget(config, c->number);
    free(c->entry);
    c->entry = taken;
    return 0;
}

static char *copy_config(libxl_ctx *ctx, const libxl__device_class *cls, const void *config)
{
    char *copy = malloc(cls->config_size);
    if (!copy)
        return NULL;
    cls->init(copy);
    if (cls->copy(ctx, copy, config)) {
        drop(cls, copy);
        return NULL;
    }
    return copy;
}

static void free_original(libxl_ctx *ctx, libxl__source *source)
{
    const libxl__device_original *original = LIBXL__CONTAINER(source, libxl__device_original, source);
    (void)ctx;
    drop(original->cls, original->config);
}

int libxl__device_keep_original(libxl__ao *ao, libxl__device_original *original, const libxl__device *device)
{
    original->cls = device->cls;
    original->config = copy_config(ao->ctx, device->cls, device->config);
    if (!original->config)
        return ERROR_NOMEM;
    libxl__source_attach(ao, &original->source, free_original);
    return 0;
}

/*
 * Returns the device's entry for the stored configuration. As in libxl, the entry is the application's
 * configuration of the device, with the number and the random values that `check` has chosen.
 */
static char *make_entry(libxl__ao *ao, const libxl__device_original *original, const libxl__device *device)
{
    const libxl__device_class *cls = device->cls;
    char *entry = copy_config(ao->ctx, cls, original->config);
    if (!entry)
        return NULL;
    if (!cls->number)
        *(libxl_devid *)(entry + cls->devid_at) = (libxl_devid)device->devid;
    return entry;
}

int libxl__device_record(libxl__ao *ao, libxl__userdata *userdata, const libxl__device *device,
                         const libxl__device_original *original)
{
    change *c = calloc(1, sizeof(*c));
    if (!c)
        return ERROR_NOMEM;
    c->cls = device->cls;
    c->number = (int)device->devid;
    if (original && !(c->entry = make_entry(ao, original, device))) {
        free(c);
        return ERROR_NOMEM;
    }
    return libxl__userdata_update(ao, userdata, device->domid, &ao->subject.uuid, exchange, c, dispose);
}
