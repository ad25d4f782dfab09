/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_list_NAMEs: lists the devices of a class. The result is an array of configurations, which are read
 * from the toolstack's tree.
 *
 * Owns: the list until it is stored. The caller holds the context's lock.
 */
#include "device_operations.h"
#include "xs_directory.h"

#include <stdio.h>
#include <stdlib.h>

/* The layout of every list that these operations return: an Array of the IDL. */
struct list {
    int num_devices;
    char *devices;
};

typedef struct device_list {
    libxl__device device;
    libxl__xs_directory numbers;
    char path[LIBXL__DEVICE_PATH];
    libxl__xs_batch *batch;
    /*
     * For each device number, these requests: one for the path of the backend, then one for each of read_keys, then
     * one for frontend_key.
     */
    const libxl__xs_request **requests;
    size_t per_device;
    libxl__xs_tree *trees; /* the frontend's nodes of each device; NULL: the class has no `read_tree` */
} device_list_state;

/* ---- numbers: the numbers of the devices are listed */

static int numbers_start(libxl__ao *ao, struct device_list *s)
{
    xc_domaininfo_t info;
    libxl__device_of_operation(ao, &s->device);
    snprintf(s->path, sizeof(s->path), "/libxl/%u/device/%s", s->device.domid, s->device.kind);
    const int rc = libxl__hv_info(ao, s->device.domid, &info);
    return rc ? rc : libxl__xs_directory_start(ao, &s->numbers, s->path);
}

static int numbers_poll(libxl__ao *ao, struct device_list *s)
{
    return libxl__xs_directory_step(ao, &s->numbers);
}

/* ---- read: the devices' keys are read and converted to configurations */

static int read_start(libxl__ao *ao, struct device_list *s)
{
    const char *const *keys = s->device.cls->read_keys, *frontend_key = s->device.cls->frontend_key;
    size_t count = 0;
    while (keys && keys[count])
        count++;
    s->per_device = 1 + count + (frontend_key != NULL);
    s->requests = libxl__gc_alloc(&ao->gc, s->numbers.count * s->per_device * sizeof(libxl__xs_request *));
    s->batch = libxl__xs_batch_new(ao, s->device.domid);
    if (!s->requests || !s->batch)
        return ERROR_NOMEM;
    for (size_t i = 0; i < s->numbers.count; i++) {
        const libxl__xs_request **of = &s->requests[i * s->per_device];
        *of = libxl__xs_read(s->batch, "%s/%s/backend", s->path, s->numbers.names[i]);
        for (size_t k = 0; k < count; k++)
            of[1 + k] = libxl__xs_read(s->batch, "%s/%s/%s", s->path, s->numbers.names[i], keys[k]);
        if (frontend_key)
            of[1 + count] = libxl__xs_read(s->batch, "/local/domain/%u/device/%s/%s/%s", s->device.domid,
                                           s->device.kind, s->numbers.names[i], frontend_key);
    }
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Starts to read the frontends' nodes, if the class needs them. */
static int start_trees(libxl__ao *ao, struct device_list *s)
{
    int rc = 0;
    if (!s->device.cls->read_tree || !s->numbers.count)
        return 0;
    s->trees = libxl__gc_alloc(&ao->gc, s->numbers.count * sizeof(*s->trees));
    if (!s->trees)
        return ERROR_NOMEM;
    for (size_t i = 0; i < s->numbers.count && (!rc || rc == LIBXL__AO_WAIT); i++) {
        const char *root = libxl__gc_printf(&ao->gc, "/local/domain/%u/device/%s/%s", s->device.domid,
                                            s->device.kind, s->numbers.names[i]);
        rc = root ? libxl__xs_tree_start(ao, &s->trees[i], root, s->device.cls->tree_depth) : ERROR_NOMEM;
    }
    return rc;
}

static int read_trees(libxl__ao *ao, struct device_list *s)
{
    bool waits = false;
    for (size_t i = 0; i < s->numbers.count; i++) {
        const int rc = libxl__xs_tree_step(ao, &s->trees[i]);
        if (rc && rc != LIBXL__AO_WAIT)
            return rc;
        waits |= rc != 0;
    }
    return waits ? LIBXL__AO_WAIT : 0;
}

/*
 * Reads the device at this index into `config`. Returns 0 or an error. Returns 1 if the device is gone or
 * does not belong to the class.
 */
static int read_device(const struct device_list *s, size_t index, void *config)
{
    const libxl__xs_request *const *of = &s->requests[index * s->per_device];
    const libxl__device_class *cls = s->device.cls;
    const char *values[LIBXL__DEVICE_VALUES] = {NULL};
    libxl__device device = s->device;
    const char *path = libxl__xs_value(*of);
    for (size_t k = 1; k < s->per_device; k++)
        values[k - 1] = libxl__xs_value(of[k]);
    if (sscanf(s->numbers.names[index], "%u", &device.devid) != 1)
        return 1;
    if (path ? !libxl__device_parse_backend(&device, path) : !libxl__device_set_emulated(&device, values[0]))
        return 1;
    cls->init(config);
    *(libxl_domid *)((char *)config + cls->backend_domid_at) = device.backend_domid;
    if (!cls->identify)
        *(libxl_devid *)((char *)config + cls->devid_at) = (libxl_devid)device.devid;
    int rc = cls->read ? cls->read(&device, config, values) : 0;
    if (!rc && s->trees)
        rc = cls->read_tree(config, &s->trees[index]);
    if (rc)
        cls->dispose(config);
    return rc;
}

static int read_poll(libxl__ao *ao, struct device_list *s)
{
    const libxl__device_class *cls = s->device.cls;
    struct list list = {0};
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(s->batch);
    if (!rc)
        rc = s->trees ? read_trees(ao, s) : start_trees(ao, s);
    if (rc)
        return rc;
    list.devices = calloc(s->numbers.count + (size_t)1, cls->config_size);
    if (!list.devices)
        return ERROR_NOMEM;
    for (size_t i = 0; i < s->numbers.count && rc >= 0; i++) {
        rc = read_device(s, i, list.devices + (size_t)list.num_devices * cls->config_size);
        list.num_devices += !rc;
    }
    if (rc < 0) {
        while (list.num_devices)
            cls->dispose(list.devices + (size_t)--list.num_devices * cls->config_size);
        free(list.devices);
        return rc;
    }
    **(struct list **)s->device.config = list;
    return 0;
}

#include "_libxl_phases_device_list.h"
