/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_list_devices: lists all devices of a domain, of every kind and from every toolstack, with their states.
 *
 * Owns: the list until it is stored. The caller holds the context's lock.
 */
#include "device_operations.h"

#include <stdlib.h>
#include <string.h>

enum { FRONTEND_STATE, BACKEND_STATE, EVENT_CHANNEL, RING_REF, TX_RING_REF, RX_RING_REF, PORT, NODES };

struct device {
    libxl__device device;
    const libxl__xs_request *backend_path, *type, *nodes[NODES];
    bool known;
};

typedef struct list_devices {
    libxl__device_sweep sweep;
    libxl__xs_batch *batch;
    struct device *all;
} domain_list_devices_state;

static int new_batch(libxl__ao *ao, struct list_devices *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, ao->subject.number);
    return s->batch ? 0 : ERROR_NOMEM;
}

/* ---- list: lists the devices */

static int list_start(libxl__ao *ao, struct list_devices *s)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_info(ao, ao->subject.number, &info);
    return rc ? rc
              : libxl__device_sweep_explain(
                    &s->sweep,
                    libxl__device_sweep_list(ao, &s->sweep, ao->subject.number, &ao->subject.uuid));
}

static int list_poll(libxl__ao *ao, struct list_devices *s)
{
    return libxl__device_sweep_explain(&s->sweep, libxl__device_sweep_list_poll(ao, &s->sweep));
}

/* ---- paths: reads each device's backend from the toolstack's tree, which does not have that of PCI devices */

static int paths_start(libxl__ao *ao, struct list_devices *s)
{
    int rc = new_batch(ao, s);
    s->all = libxl__gc_alloc(&ao->gc, s->sweep.count * sizeof(*s->all));
    if (rc || !s->all)
        return rc ? rc : ERROR_NOMEM;
    for (uint32_t i = 0; i < s->sweep.count; i++) {
        const struct libxl__swept *swept = &s->sweep.devices[i];
        libxl__device *device = &s->all[i].device;
        *device = (libxl__device){
            .cls = libxl__device_class_of(swept->kind), .domid = ao->subject.number, .devid = swept->devid};
        strncpy(device->kind, swept->kind, sizeof(device->kind) - 1);
        s->all[i].known = device->cls->without_tree;
        if (s->all[i].known) {
            memcpy(device->backend_kind, device->kind, sizeof(device->kind));
            continue;
        }
        s->all[i].backend_path =
            libxl__xs_read(s->batch, LIBXL__TOOLSTACK "/backend", LIBXL__TOOLSTACK_OF(device));
        if (device->cls->emulated_type)
            s->all[i].type = libxl__xs_read(s->batch, LIBXL__TOOLSTACK "/type", LIBXL__TOOLSTACK_OF(device));
    }
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int paths_poll(libxl__ao *ao, struct list_devices *s)
{
    (void)ao;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    for (uint32_t i = 0; i < s->sweep.count; i++) {
        if (s->all[i].known)
            continue;
        const char *path = libxl__xs_value(s->all[i].backend_path);
        const char *type = s->all[i].type ? libxl__xs_value(s->all[i].type) : NULL;
        s->all[i].known = path ? libxl__device_parse_backend(&s->all[i].device, path)
                               : libxl__device_set_emulated(&s->all[i].device, type);
    }
    return libxl__xs_result(s->batch);
}

/* ---- states: reads the states of the devices */

static int states_start(libxl__ao *ao, struct list_devices *s)
{
    static const char *const keys[NODES] = {
        [FRONTEND_STATE] = "state",    [EVENT_CHANNEL] = "event-channel", [RING_REF] = "ring-ref",
        [TX_RING_REF] = "tx-ring-ref", [RX_RING_REF] = "rx-ring-ref",     [PORT] = "port"};
    int rc = new_batch(ao, s);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < s->sweep.count; i++) {
        struct device *d = &s->all[i];
        if (!d->known || d->device.emulated)
            continue;
        for (unsigned k = 0; k < NODES; k++)
            if (keys[k])
                d->nodes[k] =
                    libxl__xs_read(s->batch, LIBXL__FRONTEND "/%s", LIBXL__FRONTEND_OF(&d->device), keys[k]);
        d->nodes[BACKEND_STATE] =
            libxl__xs_read(s->batch, LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(&d->device));
    }
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Reads a number that a guest may have written. Returns the number, or -1 if the text is not a number. */
static int number_of(const libxl__xs_request *request)
{
    const char *value = libxl__xs_value(request);
    char *rest;
    const long number = value && *value >= '0' && *value <= '9' ? strtol(value, &rest, 10) : -1;
    return number >= 0 && number <= INT32_MAX && !*rest ? (int)number : -1;
}

/* Fills in the status of an emulated device, which has neither a backend nor a frontend. */
static int fill_emulated(const struct device *d, libxl_device_status *out)
{
    libxl_device_status_init(out);
    out->devid = d->device.devid;
    out->backend_state = out->frontend_state = out->event_channel = out->ring_ref = out->rx_ring_ref = -1;
    out->kind = strdup(d->device.kind);
    return out->kind ? 0 : ERROR_NOMEM;
}

static int fill_status(const struct device *d, libxl_device_status *out)
{
    if (d->device.emulated)
        return fill_emulated(d, out);
    libxl_device_status_init(out);
    out->devid = d->device.devid;
    out->backend_domid = d->device.backend_domid;
    out->backend_state = libxl__device_state(libxl__xs_value(d->nodes[BACKEND_STATE]));
    out->frontend_state = libxl__device_state(libxl__xs_value(d->nodes[FRONTEND_STATE]));
    const int channel = number_of(d->nodes[EVENT_CHANNEL]);
    /* A console has the node `port` instead of `event-channel`. */
    out->event_channel = channel >= 0 ? channel : number_of(d->nodes[PORT]);
    const int ring = number_of(d->nodes[RING_REF]);
    out->ring_ref = ring >= 0 ? ring : number_of(d->nodes[TX_RING_REF]);
    out->rx_ring_ref = number_of(d->nodes[RX_RING_REF]);
    out->kind = strdup(d->device.kind);
    if (out->kind && asprintf(&out->backend, LIBXL__BACKEND, LIBXL__BACKEND_OF(&d->device)) >= 0 &&
        asprintf(&out->frontend, LIBXL__FRONTEND, LIBXL__FRONTEND_OF(&d->device)) >= 0)
        return 0;
    libxl_device_status_dispose(out);
    return ERROR_NOMEM;
}

static int states_poll(libxl__ao *ao, struct list_devices *s)
{
    const libxl__domain_list_devices_args *args = libxl__ao_args(ao);
    libxl_device_status_list list = {0};
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(s->batch);
    if (!rc && !(list.devices = calloc(s->sweep.count + 1, sizeof(*list.devices))))
        rc = ERROR_NOMEM;
    for (uint32_t i = 0; i < s->sweep.count && !rc; i++)
        if (s->all[i].known) {
            rc = fill_status(&s->all[i], &list.devices[list.num_devices]);
            list.num_devices += !rc;
        }
    if (rc)
        libxl_device_status_list_dispose(&list);
    else
        *args->out.list = list;
    return rc;
}

#include "_libxl_phases_domain_list_devices.h"
