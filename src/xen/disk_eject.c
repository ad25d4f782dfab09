/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the event generators for ejected media: each is an operation of the library's own that runs until it
 * is disabled. Guarded by the context's lock.
 *
 * A guest ejects by writing "eject" into its frontend's node; we empty the node and tell. The value is the
 * guest's: it is compared, nothing else.
 */
#include "generators.h"
#include "vdev.h"
#include "xen.h"

#include <stdlib.h>
#include <string.h>

struct libxl__evgen_disk_eject {
    libxl__generator generator;
    libxl__ao *ao;
    uint32_t domid;
    int number;
    libxl_ev_user user;
    char *vdev;
};

struct args {
    libxl_evgen_disk_eject *evgen;
};

struct state {
    libxl__await ejected;
    libxl__xs_batch *emptying;
};

static void tell(const libxl__ao *ao, const libxl_evgen_disk_eject *evgen)
{
    libxl_ctx *ctx = ao->ctx;
    libxl_event *event = libxl__event_new(ctx, LIBXL_EVENT_TYPE_DISK_EJECT, evgen->domid, evgen->user);
    char *vdev = strdup(evgen->vdev);
    if (!event || !vdev) {
        free(vdev);
        if (event)
            libxl__event_discard(ctx, event);
        libxl__event_missed(ctx, LIBXL_EVENT_TYPE_DISK_EJECT);
        return;
    }
    event->domuuid = ao->subject.uuid;
    event->u.disk_eject.vdev = vdev;
    libxl__event_occurred(ctx, event);
}

static int empty_node(libxl__ao *ao, struct state *s, const char *path)
{
    const uint32_t domid = ao->subject.number;
    libxl__xs_batch_free(s->emptying);
    s->emptying = libxl__xs_batch_new(ao, domid);
    if (!s->emptying)
        return ERROR_NOMEM;
    libxl__xs_require_domain(s->emptying, &ao->subject.uuid);
    libxl__xs_require(s->emptying, ERROR_NOTFOUND, "eject", "%s", path);
    libxl__xs_write(s->emptying, LIBXL__XS_GUESTS, "", "%s", path);
    return libxl__xs_run(s->emptying, LIBXL__XS_TRANSACTION);
}

static int body(libxl__ao *ao, void *p)
{
    enum { START, WATCHING, EMPTYING };
    const libxl_evgen_disk_eject *evgen = ((struct args *)p)->evgen;
    struct state *s = libxl__ao_state(ao, sizeof(*s));
    xc_domaininfo_t info;
    char path[96];
    int rc;
    if (!s)
        return ERROR_NOMEM;
    snprintf(path, sizeof(path), "/local/domain/%u/device/vbd/%d/eject", evgen->domid, evgen->number);
    switch (ao->step) {
    case START:
        (void)libxl__hv_look(ao, ao->subject.number, &info); /* for its identity; it need not be there */
        rc = libxl__await_start(ao, &s->ejected, path, libxl__await_equal, "eject", 0);
        ao->step = WATCHING;
        return rc ? rc : LIBXL__AO_WAIT;
    case WATCHING:
        rc = libxl__await_step(ao, &s->ejected);
        if (rc)
            return rc;
        rc = empty_node(ao, s, path);
        ao->step = EMPTYING;
        return rc ? rc : LIBXL__AO_WAIT;
    case EMPTYING:
        if (!libxl__xs_done(s->emptying))
            return LIBXL__AO_WAIT;
        rc = libxl__xs_result(s->emptying);
        if (rc == ERROR_DOMAIN_DESTROYED)
            return rc; /* there will be no event any more */
        if (!rc ||
            rc ==
                ERROR_NOTFOUND) /* NOTFOUND: somebody else has emptied it; the guest has ejected all the same */
            tell(ao, evgen);
        else
            libxl__event_missed(ao->ctx, LIBXL_EVENT_TYPE_DISK_EJECT);
        libxl__await_again(&s->ejected);
        ao->step = WATCHING;
        libxl__ao_wake(ao);
        return LIBXL__AO_WAIT;
    }
    return ERROR_BADFAIL;
}

static const libxl__ao_class eject_class = {
    .name = "disk_eject", .body = body, .args_size = sizeof(struct args), .slow = true};

static void close_evgen(libxl_ctx *ctx, libxl__generator *generator)
{
    libxl_evgen_disk_eject *evgen = LIBXL__CONTAINER(generator, libxl_evgen_disk_eject, generator);
    (void)ctx;
    free(evgen->vdev);
    free(evgen);
}

static int enable_locked(libxl_ctx *ctx, libxl_evgen_disk_eject *evgen)
{
    int rc = libxl__hooks_need_loop(ctx);
    if (rc || ctx->closing)
        return rc ? rc : ERROR_CLOSED;
    evgen->ao = libxl__ao_create_background(ctx, &eject_class, evgen->domid, &evgen->ao);
    if (!evgen->ao)
        return ERROR_NOMEM;
    ((struct args *)libxl__ao_args(evgen->ao))->evgen = evgen;
    libxl__generator_add(ctx, &evgen->generator, close_evgen);
    libxl__ao_start_nested(evgen->ao);
    if (evgen->ao)
        return 0;
    libxl__generator_remove(ctx, &evgen->generator); /* it has ended at once: nothing can be watched */
    return ERROR_NO_XENSTORE;
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
    int number = vdev ? libxl__vdev_number(vdev) : -1;
    if (number < 0)
        return libxl__refuse(ERROR_INVAL, "vdev: not the name of a virtual disk");
    libxl_evgen_disk_eject *evgen = calloc(1, sizeof(*evgen));
    if (!evgen)
        return libxl__refuse(ERROR_NOMEM, "%s", libxl_error_describe(ERROR_NOMEM));
    *evgen = (libxl_evgen_disk_eject){.domid = domid, .number = number, .user = user, .vdev = strdup(vdev)};
    libxl__ctx_lock(ctx);
    rc = evgen->vdev ? enable_locked(ctx, evgen) : ERROR_NOMEM;
    if (rc) {
        free(evgen->vdev);
        free(evgen);
        libxl__error_message_set(rc, NULL);
    } else {
        *evgen_out = evgen;
    }
    libxl__ctx_leave(ctx);
    return rc;
}

void libxl_evdisable_disk_eject(libxl_ctx *ctx, libxl_evgen_disk_eject *evgen)
{
    if (!evgen)
        return;
    libxl__ctx_lock(ctx);
    if (evgen->ao)
        libxl__ao_request_stop(evgen->ao, ERROR_ABORTED);
    libxl__aos_run(ctx); /* its end: nothing of it waits for a job */
    libxl__generator_remove(ctx, &evgen->generator);
    close_evgen(ctx, &evgen->generator);
    libxl__ctx_leave(ctx);
}
