/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_events_handler: serves the backends of this domain, which is a driver domain.
 *
 * One watch on the folder of all backends reports changes. The path of a watch event names the backend, which is then
 * marked. The nodes of the marked backends are read together. A nested operation backend_connect or backend_release
 * then works on a single backend. So a slow script delays no other backend. If a backend is removed while it is being
 * connected, the connection is aborted.
 *
 * The operation makes no hypercall, because a driver domain has no right to ask about other domains.
 *
 * Owns: the structures of the backends, and their nested operations, until the operation ends. The caller holds the
 * context's lock.
 */
#include "backends_served.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

/* ---- self: reads the number of this domain */

static int self_start(libxl__ao *ao, struct device_events_handler *s)
{
    s->ao = ao;
    s->batch = libxl__xs_batch_new(ao, 0);
    if (!s->batch)
        return ERROR_NOMEM;
    s->number = libxl__xs_read(s->batch, "domid");
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int self_poll(libxl__ao *ao, struct device_events_handler *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    const char *value = libxl__xs_value(s->number);
    char *rest = NULL;
    const unsigned long number = value ? strtoul(value, &rest, 10) : 0;
    if (!value || rest == value || *rest || number >= LIBXL__DOMID_FIRST_RESERVED)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "the node domid does not have the number of this domain");
    s->self = (uint32_t)number;
    libxl__xs_batch_free(s->batch);
    s->batch = NULL;
    return 0;
}

/* ---- starting and ending the nested operation of a backend */

/* Starts the nested operation. If it fails at once, take_results() finds the error. */
static void start_work(struct served_backend *b, int state)
{
    struct device_events_handler *s = b->handler;
    b->state = state;
    b->told = false;
    b->renewed = false;
    TAILQ_INSERT_TAIL(&s->working, b, working_link);
    s->working_count++;
    libxl__nested_start(&b->work);
}

static libxl__ao *make_work(struct served_backend *b, int operation)
{
    b->work = (libxl__nested){0};
    libxl__ao *child = libxl__nested_create(b->handler->ao, &b->work, &libxl__operations[operation]);
    if (child)
        child->subject.number = b->domid;
    return child;
}

/* Frees the nested operation, which has ended or was never started. */
static void end_work(struct served_backend *b)
{
    libxl__source_stop(b->handler->ao->ctx, &b->work.source);
}

/* Sets the inputs that backend_connect and backend_release have in common. */
#define FILL(b, args)                                                                                        \
    ((args)->in.domid = (b)->domid, (args)->in.devid = (b)->devid, (args)->in.server = (b)->handler->self,   \
     (args)->in.kind = strdup((b)->kind))

static int connect_backend(struct served_backend *b)
{
    libxl__ao *child = make_work(b, LIBXL__OP_BACKEND_CONNECT);
    if (!child)
        return ERROR_NOMEM;
    libxl__backend_connect_args *args = libxl__ao_args(child);
    args->in.again = b->state == LIBXL__BACKEND_FAILED;
    libxl__backend_connect_keeps(child, &b->kept);
    if (!FILL(b, args)) {
        end_work(b);
        return ERROR_NOMEM;
    }
    b->uses_model = libxl__backend_is_of_qemu(b->kind);
    start_work(b, LIBXL__BACKEND_CONNECTING);
    return 0;
}

/* Starts the nested operation that releases the backend. It continues in the background if this operation ends. */
static int release_backend(struct served_backend *b)
{
    libxl__ao *child = make_work(b, LIBXL__OP_BACKEND_RELEASE);
    if (!child)
        return ERROR_NOMEM;
    libxl__backend_release_args *args = libxl__ao_args(child);
    args->in.ends_model = libxl__backend_is_of_qemu(b->kind) && !libxl__served_has_model(b);
    if (!FILL(b, args) || libxl__backend_release_uses(child, &b->kept)) {
        end_work(b);
        return ERROR_NOMEM;
    }
    b->work.outlives = true;
    b->uses_model = false;
    b->ends_model = args->in.ends_model;
    start_work(b, LIBXL__BACKEND_RELEASING);
    return 0;
}

/*
 * Called when the nested operation of a backend has ended. Marks the first backend in the queue `waiting`. The
 * handler then reads that backend's nodes again. `all` true: marks all backends in the queue, because several may
 * have waited for the end of a QEMU.
 */
static void let_waiting_go(struct device_events_handler *s, bool all)
{
    struct served_backend *b;
    while ((b = TAILQ_FIRST(&s->waiting))) {
        libxl__served_wait_no_more(b);
        libxl__served_mark(b);
        if (!all)
            return;
    }
}

static int state_after(const struct served_backend *b)
{
    if (b->work.rc)
        return LIBXL__BACKEND_FAILED;
    return b->state == LIBXL__BACKEND_CONNECTING ? LIBXL__BACKEND_CONNECTED : LIBXL__BACKEND_NEW;
}

/* Takes the results of the nested operations that have ended. */
static void take_results(libxl__ao *ao, struct device_events_handler *s)
{
    struct served_backend *b, *next;
    for (b = TAILQ_FIRST(&s->working); b; b = next) {
        next = TAILQ_NEXT(b, working_link);
        if (!b->work.done)
            continue;
        TAILQ_REMOVE(&s->working, b, working_link);
        s->working_count--;
        end_work(b);
        if (b->work.rc)
            libxl__ao_forget_failure(ao); /* the nested operation has logged its failure */
        b->held = b->state == LIBXL__BACKEND_RELEASING && b->work.rc;
        if (b->state == LIBXL__BACKEND_RELEASING && !b->held)
            libxl__backend_forget_kept(&b->kept);
        b->state = state_after(b);
        /*
         * If a connection has ended with ABORTED, the backend's nodes had changed, so the handler works on the
         * backend again. A connection that has failed with another error has itself changed nodes of the backend.
         * These changes must not lead to a further attempt.
         */
        b->told =
            (b->told && (b->state != LIBXL__BACKEND_FAILED || b->renewed)) || b->work.rc == ERROR_ABORTED;
        libxl__served_mark(b);
        let_waiting_go(s, b->ends_model);
        b->ends_model = false;
    }
}

/* ---- reading the marked backends, and deciding what is done with each */

/* Starts to read the nodes of the marked backends, 32 at most. */
static int read_backends(libxl__ao *ao, struct device_events_handler *s)
{
    struct served_backend *b;
    s->batch = libxl__xs_batch_new(ao, 0);
    if (!s->batch)
        return ERROR_NOMEM;
    for (int i = 0; i < LIBXL__BACKENDS_READ_AT_ONCE && (b = TAILQ_FIRST(&s->marked)); i++) {
        TAILQ_REMOVE(&s->marked, b, queue_link);
        TAILQ_INSERT_TAIL(&s->reading, b, queue_link);
        b->marked = false;
        b->reading = true;
#define NODE(key) libxl__xs_read(s->batch, LIBXL__BACKEND "/" key, s->self, b->kind, b->domid, b->devid)
        b->state_node = NODE("state");
        b->online_node = NODE("online");
        b->status_node = NODE("hotplug-status");
#undef NODE
    }
    libxl__xs_run_anyway(s->batch, LIBXL__XS_ONE_BY_ONE);
    return 0;
}

static bool is(const libxl__xs_request *node, const char *wanted)
{
    const char *value = libxl__xs_value(node);
    return value && strcmp(value, wanted) == 0;
}

/* Returns whether the backend must be connected. Call this after the backend's nodes were read. */
static bool must_connect(const struct served_backend *b, int state)
{
    const bool open = state >= XenbusStateInitialising && state <= XenbusStateConnected;
    if (!open || !is(b->online_node, "1") || !libxl__backend_class(b->kind))
        return false;
    if (b->state != LIBXL__BACKEND_CONNECTED)
        return true;
    /*
     * The state Initialising, or a backend that waits for its script, shows that the device was replaced by a new
     * device with the same number, or that the guest was started again.
     */
    return b->told && (state == XenbusStateInitialising ||
                       (state == XenbusStateInitWait && !libxl__backend_is_of_qemu(b->kind) &&
                        !is(b->status_node, "connected")));
}

static int begin_work(struct served_backend *b, bool release)
{
    if (b->handler->working_count == LIBXL__BACKENDS_AT_ONCE || libxl__served_ends_model(b)) {
        libxl__served_wait(b);
        return 0;
    }
    return release ? release_backend(b) : connect_backend(b);
}

/*
 * Decides what is done with a backend whose nodes were read. Frees a backend that is gone, unless a watch has marked
 * the backend since its nodes were read: the backend may have been made again. A backend on which a nested operation
 * works is marked when that nested operation ends. Errors: NOMEM.
 */
static int look_at(struct served_backend *b)
{
    const char *value = libxl__xs_value(b->state_node);
    const int state = libxl__device_state(value);
    const bool ends = !value || (state == XenbusStateClosed && is(b->online_node, "0"));
    libxl__served_wait_no_more(b);
    b->known = true;
    if (b->state == LIBXL__BACKEND_CONNECTING && ends && b->work.child)
        libxl__ao_request_stop(b->work.child, ERROR_ABORTED);
    if (b->state >= LIBXL__BACKEND_CONNECTING)
        return 0;
    /*
     * A process that served this domain before may have started a QEMU for this backend. So the release of another
     * backend must not end the guest's QEMU.
     */
    b->uses_model |= !ends && libxl__backend_is_of_qemu(b->kind);
    if (!value && b->state == LIBXL__BACKEND_NEW && !b->uses_model) {
        if (!b->marked)
            libxl__served_forget(b);
        return 0;
    }
    if (b->state == LIBXL__BACKEND_FAILED && !b->told && (!ends || b->held))
        return 0;
    if (!ends && !must_connect(b, state) &&
        !(b->state == LIBXL__BACKEND_FAILED && libxl__backend_keeps(&b->kept)))
        return 0;
    if (ends && libxl__served_has_unknown(b)) {
        libxl__served_mark(b);
        return 0;
    }
    /* Before a backend is connected, the resources of a former device or of an unfinished connection are released. */
    return begin_work(b, ends || libxl__backend_keeps(&b->kept));
}

static int backends_read(struct device_events_handler *s)
{
    struct served_backend *b;
    const int lost = libxl__xs_rc(s->batch);
    int rc = 0;
    while ((b = TAILQ_FIRST(&s->reading))) {
        TAILQ_REMOVE(&s->reading, b, queue_link);
        b->reading = false;
        b->marked |= lost != 0;
        if (b->marked)
            TAILQ_INSERT_TAIL(&s->marked, b, queue_link);
        if (!lost && !rc)
            rc = look_at(b);
    }
    libxl__xs_batch_free(s->batch);
    s->batch = NULL;
    return lost ? lost : rc;
}

/* ---- serve: the phase that reads the marked backends and starts their nested operations */

static int step(libxl__ao *ao, struct device_events_handler *s)
{
    int rc = 0;
    take_results(ao, s);
    while (!rc && !s->relisting.paused) {
        if (s->relisting.list_again) {
            s->relisting.list_again = false;
            rc = libxl__served_list(s);
        }
        if (!rc && s->batch)
            rc = libxl__xs_done(s->batch) ? backends_read(s) : LIBXL__AO_WAIT;
        if (!rc)
            rc = libxl__served_list_step(s);
        if (!rc && TAILQ_EMPTY(&s->marked))
            return LIBXL__AO_WAIT;
        if (!rc)
            rc = read_backends(ao, s);
    }
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Asks the nested operations that connect backends to stop. The nested operations that release backends continue. */
static void serve_stop(libxl__ao *ao, struct device_events_handler *s)
{
    struct served_backend *b;
    (void)ao;
    TAILQ_FOREACH (b, &s->working, working_link)
        if (b->state == LIBXL__BACKEND_CONNECTING && b->work.child)
            libxl__ao_request_stop(b->work.child, ERROR_ABORTED);
}

/*
 * Returns whether a backend is being connected. This operation must wait for such a backend before it ends. It does
 * not wait for a backend that is being released.
 */
static bool is_connecting(const struct device_events_handler *s)
{
    const struct served_backend *b;
    TAILQ_FOREACH (b, &s->working, working_link)
        if (b->state == LIBXL__BACKEND_CONNECTING)
            return true;
    return false;
}

static int serve_poll(libxl__ao *ao, struct device_events_handler *s)
{
    if (ao->stop) {
        take_results(ao, s);
        return is_connecting(s) ? LIBXL__AO_WAIT : ao->stop;
    }
    if (!s->self)
        return LIBXL__AO_WAIT;
    do {
        const int rc = step(ao, s);
        if (rc == LIBXL__AO_WAIT)
            return rc;
        libxl__relisting_pause(ao, &s->relisting, rc);
    } while (!s->relisting.paused);
    return LIBXL__AO_WAIT;
}

static void changed(libxl_ctx *ctx, void *user, bool failed)
{
    struct device_events_handler *s = user;
    if (!failed)
        libxl__served_changed(s, ctx->xen->watches.event_path);
}

static void stop(libxl_ctx *ctx, libxl__source *source)
{
    struct device_events_handler *s = LIBXL__CONTAINER(source, struct device_events_handler, source);
    struct served_backend *b;
    libxl__watch_remove(ctx, s->watch);
    libxl__relisting_close(ctx, &s->relisting);
    libxl__served_list_end(s);
    while ((b = LIST_FIRST(&s->all)))
        libxl__served_forget(b);
    libxl__index_clear(&s->index);
}

static int serve_start(libxl__ao *ao, struct device_events_handler *s)
{
    char path[48];
    LIST_INIT(&s->all);
    TAILQ_INIT(&s->marked);
    TAILQ_INIT(&s->reading);
    TAILQ_INIT(&s->working);
    TAILQ_INIT(&s->waiting);
    STAILQ_INIT(&s->folders);
    libxl__index_open(&s->index, libxl__served_key, 1, &s->index_steps);
    s->relisting = (libxl__relisting){.what = "serving backends", .source = &s->source};
    libxl__source_attach(ao, &s->source, stop);
    int rc = libxl__relisting_open(ao->ctx, &s->relisting);
    if (rc)
        return rc;
    if (!s->self) {
        libxl__ao_log(ao, XTL_WARN, -1, "domain 0 serves its backends itself, so nothing is done here");
        return LIBXL__AO_WAIT;
    }
    snprintf(path, sizeof(path), "/local/domain/%u/backend", s->self);
    rc = libxl__watch_add(ao->ctx, path, changed, s, true, &s->watch);
    libxl__source_fire(&s->source); /* wakes the operation, which starts the listing */
    return rc ? rc : LIBXL__AO_WAIT;
}

#include "_libxl_phases_device_events_handler.h"
