/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Event generators for ejected media. Each runs a hidden operation in the background until the generator is disabled.
 *
 * A guest ejects a medium by writing "eject" into its frontend's node. The operation then empties the node and
 * reports the event. The guest may write any value, so the operation does nothing with the value except comparing it
 * with "eject".
 *
 * Owns: the generators, which are also in the context's list (generators.h). The context's lock guards them.
 */
#include "generators.h"
#include "ops.h"
#include "vdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENABLING "enabling disk_eject events" /* the beginning of error messages */

struct libxl__evgen_disk_eject {
    libxl__operation_generator common;
};

/* ---- the operation's state, and the report that a guest has ejected a medium */

typedef struct eject {
    libxl__await ejected;
    libxl__xs_batch *emptying;
    libxl__xs_request *backend; /* reads the path of the backend */
    /*
     * A source that is attached while the connection to xenstored is lost. It fires when the connection is up
     * again.
     */
    libxl__source reconnection;
    libxl__xs_observer observer;
    bool connected; /* the connection to xenstored is up again */
    char path[96];
} disk_eject_state;

static int vdev_number(libxl__ao *ao)
{
    const libxl__disk_eject_args *args = libxl__ao_args(ao);
    return libxl__vdev_number(args->in.vdev);
}

/*
 * Fills in the description of the drive, which is empty now. `path` is the path of the backend, which a toolstack has
 * written, or NULL. Returns whether there was memory.
 */
static bool describe_drive(libxl_device_disk *disk, const char *vdev, const char *path)
{
    unsigned domid;
    char kind[16];
    disk->format = LIBXL_DISK_FORMAT_EMPTY;
    disk->is_cdrom = disk->removable = 1;
    if (path && sscanf(path, "/local/domain/%u/backend/%15[a-z0-9]/", &domid, kind) == 2) {
        disk->backend_domid = domid;
        disk->backend = !strcmp(kind, "qdisk") ? LIBXL_DISK_BACKEND_QDISK : LIBXL_DISK_BACKEND_PHY;
    }
    disk->vdev = strdup(vdev);
    disk->pdev_path = strdup("");
    return disk->vdev && disk->pdev_path;
}

static void report_eject(libxl__ao *ao, const char *backend)
{
    const libxl__disk_eject_args *args = libxl__ao_args(ao);
    libxl_ctx *ctx = ao->ctx;
    libxl_event *event = libxl__event_new(ctx, LIBXL_EVENT_TYPE_DISK_EJECT, ao->subject.number,
                                          libxl__generator_of_operation(ao)->user);
    if (event)
        event->u.disk_eject.vdev = strdup(args->in.vdev);
    if (event)
        libxl_device_disk_init(&event->u.disk_eject.disk);
    if (!event || !event->u.disk_eject.vdev ||
        !describe_drive(&event->u.disk_eject.disk, args->in.vdev, backend)) {
        if (event)
            libxl__event_discard(ctx, event);
        libxl__event_missed(ctx, LIBXL_EVENT_TYPE_DISK_EJECT);
        return;
    }
    event->domuuid = ao->subject.uuid;
    libxl__event_occurred(ctx, event);
}

static int empty_node(libxl__ao *ao, struct eject *s)
{
    s->emptying = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->emptying)
        return ERROR_NOMEM;
    libxl__xs_require_domain(s->emptying, &ao->subject.uuid);
    s->backend =
        libxl__xs_read(s->emptying, "/libxl/%u/device/vbd/%d/backend", ao->subject.number, vdev_number(ao));
    libxl__xs_require(s->emptying, ERROR_NOTFOUND, "eject", "%s", s->path);
    libxl__xs_write(s->emptying, LIBXL__XS_GUESTS, "", "%s", s->path);
    const int rc = libxl__xs_run(s->emptying, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Called when the request to empty the node has ended. Reports the event. If the node does not contain
 * "eject" any more, another client has changed the node. The event is still reported, because the guest has
 * ejected the medium.
 */
static int node_emptied(libxl__ao *ao, struct eject *s)
{
    const int rc = libxl__xs_rc(s->emptying);
    if (!rc || rc == ERROR_NOTFOUND)
        report_eject(ao, libxl__xs_value(s->backend));
    libxl__xs_batch_free(s->emptying);
    s->emptying = NULL;
    if (rc == ERROR_DOMAIN_DESTROYED)
        return rc; /* the domain is gone, so no event can follow */
    if (rc && rc != ERROR_NOTFOUND)
        libxl__event_missed(ao->ctx, LIBXL_EVENT_TYPE_DISK_EJECT);
    libxl__await_again(&s->ejected);
    return 0;
}

/* ---- after the connection to xenstored was lost */

static void connected(libxl_ctx *ctx, libxl__xs_observer *observer, bool again)
{
    (void)ctx;
    (void)again;
    struct eject *s = LIBXL__CONTAINER(observer, struct eject, observer);
    s->connected = true;
    libxl__source_fire(&s->reconnection);
}

static void stop_observing(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__xs_unobserve(&LIBXL__CONTAINER(source, struct eject, reconnection)->observer);
}

/* Waits until the connection is up again. If the connection is up already, does not wait. */
static int wait_for_connection(libxl__ao *ao, struct eject *s)
{
    libxl__ao_forget_failure(ao);
    libxl__source_stop(ao->ctx, &s->ejected.source);
    libxl__xs_batch_free(s->ejected.reading);
    s->ejected.reading = NULL;
    s->connected = libxl__xs_link_is_up(ao->ctx);
    s->observer = (libxl__xs_observer){.connected = connected};
    libxl__xs_observe(ao->ctx, &s->observer);
    libxl__source_attach(ao, &s->reconnection, stop_observing);
    if (s->connected)
        libxl__source_fire(&s->reconnection);
    return LIBXL__AO_WAIT;
}

static int watch_again(libxl__ao *ao, struct eject *s)
{
    libxl__source_stop(ao->ctx, &s->reconnection);
    libxl__event_missed(ao->ctx, LIBXL_EVENT_TYPE_DISK_EJECT);
    const int rc = libxl__await_start(ao, &s->ejected, s->path, libxl__await_equal, "eject");
    return rc ? rc : LIBXL__AO_WAIT;
}

/* ---- watch: the guest's node is watched */

static int watch_start(libxl__ao *ao, struct eject *s)
{
    xc_domaininfo_t info;
    /* This call sets ao->subject.uuid. Its error is ignored: without a domain, the watch below ends the operation. */
    (void)libxl__hv_look(ao, ao->subject.number, &info);
    snprintf(s->path, sizeof(s->path), "/local/domain/%u/device/vbd/%d/eject", ao->subject.number,
             vdev_number(ao));
    const int rc = libxl__await_start(ao, &s->ejected, s->path, libxl__await_equal, "eject");
    return rc ? rc : LIBXL__AO_WAIT;
}

static int step(libxl__ao *ao, struct eject *s)
{
    if (s->reconnection.ao)
        return s->connected ? watch_again(ao, s) : LIBXL__AO_WAIT;
    if (s->emptying && !libxl__xs_done(s->emptying))
        return LIBXL__AO_WAIT;
    int rc = s->emptying ? node_emptied(ao, s) : 0;
    if (!rc)
        rc = libxl__await_step(ao, &s->ejected);
    return rc ? rc : empty_node(ao, s);
}

/* Polls the phase. The phase ends only when it fails or when the domain is gone. */
static int watch_poll(libxl__ao *ao, struct eject *s)
{
    const int rc = step(ao, s);
    return rc == ERROR_NO_XENSTORE ? wait_for_connection(ao, s) : rc;
}

#include "_libxl_phases_disk_eject.h"

/* ---- enabling and disabling the generator */

/* Enables the generator. Sets *vdev to NULL if the operation becomes the owner of *vdev. */
static int enable_locked(libxl_ctx *ctx, libxl__operation_generator *evgen, uint32_t domid,
                         libxl_ev_user user, char **vdev)
{
    const int rc = libxl__operation_generator_create(ctx, evgen, &libxl__operations[LIBXL__OP_DISK_EJECT],
                                                     domid, user, ENABLING);
    if (rc)
        return rc;
    libxl__disk_eject_args *args = libxl__ao_args(evgen->ao);
    args->in.domid = domid;
    args->in.vdev = *vdev;
    *vdev = NULL;
    return libxl__operation_generator_start(ctx, evgen, ENABLING);
}

int libxl_evenable_disk_eject(libxl_ctx *ctx, uint32_t domid, const char *vdev, libxl_ev_user user,
                              libxl_evgen_disk_eject **evgen_out)
{
    if (!evgen_out)
        return libxl__refuse(ERROR_INVAL, "evgen_out: NULL");
    *evgen_out = NULL;
    int rc = libxl__hv_check_domid(domid);
    if (rc)
        return rc;
    if (!vdev || libxl__vdev_number(vdev) < 0)
        return libxl__refuse(ERROR_INVAL, "vdev: not the name of a virtual disk");
    libxl_evgen_disk_eject *evgen = calloc(1, sizeof(*evgen));
    char *copy = evgen ? strdup(vdev) : NULL;
    if (!copy) {
        free(evgen);
        return libxl__refuse_in(ERROR_NOMEM, ENABLING);
    }
    libxl__ctx_lock(ctx);
    rc = enable_locked(ctx, &evgen->common, domid, user, &copy);
    if (rc) {
        free(copy);
        free(evgen);
    } else {
        *evgen_out = evgen;
    }
    libxl__ctx_leave(ctx);
    return rc;
}

void libxl_evdisable_disk_eject(libxl_ctx *ctx, libxl_evgen_disk_eject *evgen)
{
    libxl__operation_generator_disable(ctx, evgen ? &evgen->common : NULL);
}
