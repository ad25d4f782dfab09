/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Event generators for devices. Each runs a hidden operation in the background until the generator is disabled.
 *
 * The toolstack's tree says which devices exist. One watch on this tree reports new and removed devices; the path
 * of the watch's event names the device. This tree has no PCI devices: a watch on the directory of their backends
 * reports them. Each device has two more watches: on the backend's state and on the backend's error node. No node
 * of a guest is watched. But a backend follows its frontend, so a guest that changes its frontend's state can cause
 * events. device_rest.c bounds them. The guest's error node is read only after the backend has changed.
 *
 * A change marks the device. The nodes of all marked devices are read together, in one batch. So several
 * quick changes of a device are reported as one change. The cost of a change does not depend on the number of
 * devices.
 *
 * Owns: the generators, which are also in the context's list (generators.h). Also owns the structures for
 * devices and domains, until the operation ends. The context's lock guards all of these.
 */
#include "device_watched.h"
#include "ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

enum { AT_ONCE = 32 /* the number of devices that are read in one batch */ };
#define ENABLING "enabling events of devices" /* the beginning of error messages */

typedef struct device_events device_events_state;

static uint32_t only_domid(const struct device_events *s)
{
    return s->ao->subject.number;
}

/* ---- listing the devices of the domains */

static void report_loss(libxl_ctx *ctx, libxl__source *source)
{
    struct device_events *s = LIBXL__CONTAINER(source, struct device_events, source);
    libxl_event *event = libxl__watched_event(s, only_domid(s), LIBXL_EVENT_TYPE_DOMAIN_EVENTS_LOST);
    if (event) {
        libxl__event_fits_record(event, 0);
        libxl__event_occurred(ctx, event);
    } else {
        libxl__event_missed(ctx, 0);
    }
}

/*
 * Starts to list the devices of the domains, one domain after the other. Marks all known devices, because
 * some of them may be gone.
 */
static int begin_listing(struct device_events *s)
{
    const xc_domaininfo_t *list;
    const bool all = only_domid(s) == LIBXL_DOMID_ALL;
    const int count = all ? libxl__hv_list(s->ao->ctx, &list) : 1;
    if (count < 0)
        return libxl__errno_rc(LIBXL__CALL_HOST, errno);
    free(s->domids);
    s->domids = calloc((size_t)count + 1, sizeof(*s->domids));
    if (!s->domids)
        return ERROR_NOMEM;
    for (int i = 0; i < count; i++)
        s->domids[i] = all ? list[i].domain : only_domid(s);
    libxl__watched_mark_all(s);
    s->domid_count = (uint32_t)count;
    const int rc = libxl__watched_models_list(s);
    s->relisting.list_again = rc;
    return rc;
}

static void end_listing(struct device_events *s)
{
    libxl__xs_batch_free(s->sweep.listing);
    s->sweep.listing = NULL;
    libxl__gc_end(&s->sweep_memory);
    s->listing = false;
}

static int listed(struct device_events *s)
{
    for (uint32_t i = 0; i < s->sweep.count; i++)
        if (libxl__watched_mark_number(s, s->sweep.domid, s->sweep.devices[i].kind,
                                       s->sweep.devices[i].devid))
            return ERROR_NOMEM;
    end_listing(s);
    return 0;
}

static int list_step(struct device_events *s)
{
    static const libxl_uuid any;
    int rc = s->listing ? libxl__device_sweep_list_poll(s->ao, &s->sweep) : 0;
    while (!rc) {
        if (s->listing && (rc = listed(s)))
            return rc;
        if (s->relisting.list_again && (rc = begin_listing(s)))
            return rc;
        if (!s->domid_count)
            return 0;
        s->listing = true;
        s->sweep = (libxl__device_sweep){.gc = &s->sweep_memory};
        rc = libxl__device_sweep_list(s->ao, &s->sweep, s->domids[--s->domid_count], &any);
    }
    return rc;
}

/* ---- reading the marked devices */

/* Starts to read the nodes of the marked devices, 32 devices at most. Errors: NOMEM. */
static int read_devices(libxl__ao *ao, struct device_events *s)
{
    struct watched_device *d;
    s->batch = libxl__xs_batch_new(ao, 0);
    if (!s->batch)
        return ERROR_NOMEM;
    for (int i = 0; i < AT_ONCE && (d = TAILQ_FIRST(&s->marked)); i++) {
        TAILQ_REMOVE(&s->marked, d, queue_link);
        TAILQ_INSERT_TAIL(&s->reading, d, queue_link);
        d->marked = false;
        d->reading = true;
        const libxl__device *device = &d->device;
        d->path = device->cls->without_tree
                      ? libxl__xs_read(s->batch, LIBXL__BACKEND "/frontend-id", LIBXL__BACKEND_OF(device))
                      : libxl__xs_read(s->batch, LIBXL__TOOLSTACK "/backend", LIBXL__TOOLSTACK_OF(device));
        if (!d->domain)
            continue;
        d->state = libxl__xs_read(s->batch, LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(device));
        d->online = libxl__xs_read(s->batch, LIBXL__BACKEND "/online", LIBXL__BACKEND_OF(device));
        d->backend_error = libxl__xs_read(s->batch, LIBXL__BACKEND_ERROR, LIBXL__BACKEND_OF(device));
        d->frontend_error = libxl__xs_read(s->batch, LIBXL__FRONTEND_ERROR, LIBXL__FRONTEND_OF(device));
    }
    libxl__xs_run_anyway(s->batch, LIBXL__XS_ONE_BY_ONE);
    return 0;
}

/*
 * Starts to watch the backend of a device when its path is known. The watches fire at once, so the device is
 * read again.
 */
static int follow(struct device_events *s, struct watched_device *d)
{
    const int rc = libxl__watched_join(s, d);
    return rc || !d->domain ? rc : libxl__watched_watch(d);
}

/*
 * Compares the nodes of a device with the values of the previous read, and reports changes. A backend with the node
 * `online` at 0 is being removed, so it is not reported as failed.
 */
static void compare(struct device_events *s, struct watched_device *d)
{
    const char *value = libxl__xs_value(d->state), *online = libxl__xs_value(d->online);
    const char *theirs = libxl__xs_value(d->backend_error), *guests = libxl__xs_value(d->frontend_error);
    const int state = libxl__device_state(value);
    const bool open = state >= XenbusStateInitialising && state <= XenbusStateConnected;
    const bool goes = online && strcmp(online, "0") == 0;
    if (state == XenbusStateConnected && !d->connected)
        libxl__watched_report(s, d, LIBXL_EVENT_TYPE_DEVICE_CONNECTED, NULL);
    d->connected = state == XenbusStateConnected;
    if (open && !(theirs && *theirs))
        d->failed = false;
    if (!goes && !d->failed) {
        if (theirs && *theirs)
            libxl__watched_failed(s, d, "the backend says: ", theirs);
        else if (!open && value && guests && *guests)
            libxl__watched_failed(s, d, "the guest's driver says: ", guests);
        else if (!value && d->missing)
            libxl__watched_failed(s, d, "the backend's nodes were removed", "");
    }
    /*
     * A toolstack may have removed the device after its node in the toolstack's tree was read and before the
     * backend's nodes were read. So all nodes are read once more before the device is reported as failed.
     */
    d->missing = !value && d->was_online;
    if (d->missing)
        libxl__watched_mark(d);
    d->was_online = online && !goes;
}

/*
 * Handles the values that were read for one device. Frees the device if it is gone, unless a watch has marked the
 * device since its nodes were read: the device may have been added again.
 */
static int look_at(struct device_events *s, struct watched_device *d)
{
    libxl__device now = d->device;
    const char *path = libxl__xs_value(d->path);
    const bool exists = path && (now.cls->without_tree || libxl__device_parse_backend(&now, path));
    if (d->domain && !d->domain->gone && exists && now.backend_domid == d->device.backend_domid &&
        strcmp(now.backend_kind, d->device.backend_kind) == 0) {
        compare(s, d);
        return 0;
    }
    if (d->domain) {
        libxl__watched_report(s, d, LIBXL_EVENT_TYPE_DEVICE_GONE, NULL);
        libxl__watched_disconnect(d);
    }
    d->device = now;
    const int rc = exists ? follow(s, d) : ERROR_NOTFOUND;
    if (rc)
        libxl__watched_disconnect(d);
    if (rc == ERROR_NOTFOUND && !d->marked)
        libxl__watched_forget(d);
    return rc == ERROR_NOTFOUND ? 0 : rc;
}

static int devices_read(struct device_events *s)
{
    struct watched_device *d;
    const int lost = libxl__xs_rc(s->batch);
    int rc = 0;
    while ((d = TAILQ_FIRST(&s->reading))) {
        TAILQ_REMOVE(&s->reading, d, queue_link);
        d->reading = false;
        d->marked |= lost != 0;
        if (d->marked)
            TAILQ_INSERT_TAIL(&s->marked, d, queue_link);
        if (!lost && !rc)
            rc = look_at(s, d);
    }
    libxl__xs_batch_free(s->batch);
    s->batch = NULL;
    return lost ? lost : rc;
}

/* ---- watch: the phase that follows the devices */

static int step(libxl__ao *ao, struct device_events *s)
{
    int rc = s->relisting.paused ? 0 : libxl__watched_models_step(ao, s);
    rc = rc == LIBXL__AO_WAIT ? 0 : rc;
    while (!rc && !s->relisting.paused) {
        if (s->batch)
            rc = libxl__xs_done(s->batch) ? devices_read(s) : LIBXL__AO_WAIT;
        if (!rc)
            rc = list_step(s);
        if (!rc && TAILQ_EMPTY(&s->marked))
            return s->only.follower.phase == LIBXL__DOMAIN_GONE && LIST_EMPTY(&s->all)
                       ? ERROR_DOMAIN_DESTROYED
                       : LIBXL__AO_WAIT;
        if (!rc)
            rc = read_devices(ao, s);
    }
    return rc ? rc : LIBXL__AO_WAIT;
}

static int watch_poll(libxl__ao *ao, struct device_events *s)
{
    int rc;
    do {
        rc = step(ao, s);
        if (rc == LIBXL__AO_WAIT || rc == ERROR_DOMAIN_DESTROYED)
            return rc;
        end_listing(s);
        libxl__relisting_pause(ao, &s->relisting, rc);
    } while (!s->relisting.paused);
    return LIBXL__AO_WAIT;
}

static void stop(libxl_ctx *ctx, libxl__source *source)
{
    struct device_events *s = LIBXL__CONTAINER(source, struct device_events, source);
    struct watched_device *d;
    libxl__watched_end(s);
    libxl__relisting_close(ctx, &s->relisting);
    libxl__timer_stop(ctx, &s->rest);
    libxl__watched_models_close(s);
    while ((d = LIST_FIRST(&s->all)))
        libxl__watched_forget(d);
    libxl__index_clear(&s->devices);
    libxl__index_clear(&s->domains);
    libxl__gc_end(&s->sweep_memory);
    free(s->domids);
}

static int watch_start(libxl__ao *ao, struct device_events *s)
{
    xc_domaininfo_t info;
    s->ao = ao;
    LIST_INIT(&s->all);
    TAILQ_INIT(&s->marked);
    TAILQ_INIT(&s->reading);
    TAILQ_INIT(&s->resting);
    libxl__watched_models_open(s);
    libxl__index_open(&s->devices, libxl__watched_key, 1, &s->index_steps);
    libxl__index_open(&s->domains, libxl__watched_domain_key, 1, &s->index_steps);
    s->relisting = (libxl__relisting){.what = "following devices", .source = &s->source, .lost = report_loss};
    libxl__source_attach(ao, &s->source, stop);
    int rc = libxl__relisting_open(ao->ctx, &s->relisting);
    if (!rc)
        rc = libxl__watched_reserve_rests(s);
    if (!rc && only_domid(s) != LIBXL_DOMID_ALL) {
        rc = libxl__hv_info(ao, only_domid(s), &info);
        if (!rc)
            rc = libxl__domain_source_start(ao, &s->only, &info);
    }
    if (!rc)
        rc = libxl__watched_models_start(s);
    if (!rc)
        rc = libxl__watched_begin(s, only_domid(s));
    libxl__source_fire(&s->source); /* wakes the operation, which starts the listing */
    return rc ? rc : LIBXL__AO_WAIT;
}

#include "_libxl_phases_device_events.h"

/* ---- enabling and disabling the generator */

static int check_domain(libxl_ctx *ctx, uint32_t domid)
{
    xc_domaininfo_t info;
    if (domid == LIBXL_DOMID_ALL)
        return 0;
    const int count = xc_domain_getinfolist(libxl__xch(ctx), domid, 1, &info);
    if (count < 0 && errno != ESRCH)
        return libxl__refuse(libxl__errno_rc(LIBXL__CALL_DOMAIN, errno), "asking about domain %u: %m", domid);
    if (count != 1 || info.domain != domid)
        return libxl__refuse(ERROR_DOMAIN_NOTFOUND, "domid: there is no domain %u", domid);
    return 0;
}

static int enable_locked(libxl_ctx *ctx, libxl__operation_generator *evgen, uint32_t domid,
                         libxl_ev_user user)
{
    int rc = check_domain(ctx, domid);
    if (!rc)
        rc = libxl__operation_generator_create(ctx, evgen, &libxl__operations[LIBXL__OP_DEVICE_EVENTS], domid,
                                               user, ENABLING);
    if (rc)
        return rc;
    libxl__device_events_args *args = libxl__ao_args(evgen->ao);
    args->in.domid = domid;
    return libxl__operation_generator_start(ctx, evgen, ENABLING);
}

int libxl_evenable_devices(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user,
                           libxl_evgen_devices **evgen_out)
{
    if (!evgen_out)
        return libxl__refuse(ERROR_INVAL, "evgen_out: NULL");
    *evgen_out = NULL;
    int rc = domid == LIBXL_DOMID_ALL ? 0 : libxl__hv_check_domid(domid);
    if (rc)
        return rc;
    libxl_evgen_devices *evgen = calloc(1, sizeof(*evgen));
    if (!evgen)
        return libxl__refuse_in(ERROR_NOMEM, ENABLING);
    libxl__ctx_lock(ctx);
    rc = enable_locked(ctx, &evgen->common, domid, user);
    if (rc)
        free(evgen);
    else
        *evgen_out = evgen;
    libxl__ctx_leave(ctx);
    return rc;
}

void libxl_evdisable_devices(libxl_ctx *ctx, libxl_evgen_devices *evgen)
{
    libxl__operation_generator_disable(ctx, evgen ? &evgen->common : NULL);
}
