/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_model: the nested operation that starts the QEMU of a domain. It does nothing if the QEMU runs
 * already.
 *
 * Owns: the QEMU that it has started, until it completes with success. After that QEMU belongs to the domain,
 * and the domain's teardown ends QEMU. The caller holds the context's lock.
 */
#include "device_model.h"

#include "host.h"
#include "qemu_configure.h"

#include <errno.h>
#include <string.h>

#define PATIENCE LIBXL__SECONDS(10)

typedef struct device_model {
    libxl__qemu_start qemu;
    libxl__qemu_configure configure;
    libxl__alarm patience; /* the limit for the end of a QEMU that has closed its connection */
    bool has_ended;        /* QEMU has ended during the phase `configure` */
    /* A source that never fires. Its stop function is called when the operation ends. */
    libxl__source end;
    LIST_ENTRY(device_model) link; /* the entry in the context's list of running device_model operations */
    TAILQ_HEAD(, libxl__device_model) waiting;
} device_model_state;

bool libxl__device_model_serves(const libxl__device *device)
{
    static const char *const kinds[] = {"qdisk", "9pfs", "vkbd", "vfb", "qusb", "console"};
    for (size_t i = 0; !device->backend_domid && i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(device->backend_kind, kinds[i]) == 0)
            return true;
    return false;
}

/* ---- following the QEMU that serves a device */

void libxl__device_model_follow(libxl__ao *ao, libxl__device_model_follower *follower, uint32_t domid,
                                pid_t pid)
{
    if (libxl__qemu_search_start(ao, &follower->search, domid, pid) != LIBXL__AO_WAIT)
        libxl__ao_forget_failure(ao);
    else
        follower->state = LIBXL__MODEL_SOUGHT;
}

bool libxl__device_model_is_sought(const libxl__device_model_follower *follower)
{
    return follower->state == LIBXL__MODEL_SOUGHT && !libxl__qemu_search_done(&follower->search);
}

/* Called when the job that looks for QEMU's process has ended. Starts to follow the process if it was found. */
static void found(libxl__ao *ao, libxl__device_model_follower *follower)
{
    const int error = follower->search.job->errnoval;
    const int pidfd = libxl__qemu_search_take(ao->ctx, &follower->search);
    follower->state = pidfd < 0 && error == ESRCH ? LIBXL__MODEL_ENDED : LIBXL__MODEL_UNKNOWN;
    if (pidfd < 0)
        return;
    if (libxl__process_follow(ao, &follower->process, pidfd))
        libxl__ao_forget_failure(ao);
    else
        follower->state = LIBXL__MODEL_RUNNING;
}

bool libxl__device_model_has_ended(libxl__ao *ao, libxl__device_model_follower *follower)
{
    if (follower->state == LIBXL__MODEL_SOUGHT && !libxl__device_model_is_sought(follower))
        found(ao, follower);
    if (follower->state == LIBXL__MODEL_RUNNING && !follower->process.running)
        follower->state = LIBXL__MODEL_ENDED;
    return follower->state == LIBXL__MODEL_ENDED;
}

/* ---- start: QEMU is started */

/* Called when the operation has ended. Wakes the operations that wait for this operation. */
static void ended(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    struct device_model *s = LIBXL__CONTAINER(source, struct device_model, end);
    libxl__device_model *model;
    LIST_REMOVE(s, link);
    while ((model = TAILQ_FIRST(&s->waiting))) {
        TAILQ_REMOVE(&s->waiting, model, link);
        model->other = NULL;
        libxl__source_fire(&model->source);
    }
}

static int start_start(libxl__ao *ao, struct device_model *s)
{
    TAILQ_INIT(&s->waiting);
    LIST_INSERT_HEAD(&ao->ctx->xen->device_models, s, link);
    libxl__source_attach(ao, &s->end, ended);
    const libxl__device_model_args *args = libxl__ao_args(ao);
    s->qemu.domid = ao->subject.number;
    s->qemu.server = args->in.server;
    s->qemu.uuid = &ao->subject.uuid;
    return libxl__qemu_start_begin(ao, &s->qemu);
}

static int start_poll(libxl__ao *ao, struct device_model *s)
{
    return libxl__qemu_start_poll(ao, &s->qemu);
}

static int start_undo(libxl__ao *ao, struct device_model *s)
{
    return libxl__qemu_start_undo(ao, &s->qemu);
}

/* ---- configure: QEMU gets its passwords by QMP, and the machine of an HVM domain runs */

/*
 * If QEMU closes the connection, it is about to end. The phase then waits until QEMU has ended, and fails
 * with the last lines of QEMU's log.
 */
static int configure_poll(libxl__ao *ao, struct device_model *s)
{
    if (s->has_ended)
        return libxl__qemu_start_poll(ao, &s->qemu);
    const bool broken = libxl__qmp_is_broken(&s->configure.qmp);
    if (broken && s->qemu.process.running && !s->patience.rang)
        return s->patience.source.ao || !libxl__alarm_set(ao, &s->patience, PATIENCE) ? LIBXL__AO_WAIT
                                                                                      : ERROR_NOMEM;
    if (!broken || s->qemu.process.running)
        return libxl__qemu_configure_poll(ao, &s->configure);
    s->has_ended = true;
    return libxl__qemu_start_explain(ao, &s->qemu);
}

static int configure_start(libxl__ao *ao, struct device_model *s)
{
    if (!s->qemu.launched || !s->qemu.config)
        return 0;
    s->configure.domid = s->qemu.domid;
    s->configure.uuid = &ao->subject.uuid;
    s->configure.config = s->qemu.config;
    s->configure.restores = s->qemu.saved;
    return libxl__qemu_configure_start(ao, &s->configure);
}

#include "_libxl_phases_device_model.h"

/* ---- functions for the operations that need a QEMU */

static void stop_waiting(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__device_model *model = LIBXL__CONTAINER(source, libxl__device_model, source);
    if (model->other)
        TAILQ_REMOVE(&model->other->waiting, model, link);
    model->other = NULL;
}

static struct device_model *find(libxl_ctx *ctx, uint32_t domid)
{
    struct device_model *s;
    LIST_FOREACH (s, &ctx->xen->device_models, link)
        if (s->qemu.domid == domid)
            return s;
    return NULL;
}

/* If another operation is starting the domain's QEMU, waits for that operation. Otherwise starts QEMU. */
static int start_or_wait(libxl__ao *parent, libxl__device_model *model)
{
    model->other = find(parent->ctx, model->domid);
    if (model->other) {
        TAILQ_INSERT_TAIL(&model->other->waiting, model, link);
        return LIBXL__AO_WAIT;
    }
    libxl__ao *child =
        libxl__nested_create(parent, &model->starter, &libxl__operations[LIBXL__OP_DEVICE_MODEL]);
    if (!child)
        return ERROR_NOMEM;
    libxl__device_model_args *args = libxl__ao_args(child);
    struct device_model *s = libxl__ao_state(child);
    child->subject = (libxl__subject){.number = model->domid, .uuid = model->uuid};
    args->in.domid = model->domid;
    args->in.server = model->server;
    s->qemu.config = model->config;
    s->qemu.saved = model->saved;
    libxl__nested_start(&model->starter);
    return libxl__device_model_poll(parent, model);
}

int libxl__device_model_start(libxl__ao *parent, libxl__device_model *model, uint32_t domid,
                              const libxl_uuid *uuid, const libxl_domain_config *config)
{
    model->domid = domid;
    model->uuid = *uuid;
    model->config = config;
    libxl__source_attach(parent, &model->source, stop_waiting);
    return start_or_wait(parent, model);
}

int libxl__device_model_poll(libxl__ao *parent, libxl__device_model *model)
{
    if (model->starter.started)
        return model->starter.done ? model->starter.rc : LIBXL__AO_WAIT;
    return model->other ? LIBXL__AO_WAIT : start_or_wait(parent, model);
}

void libxl__device_model_stop(libxl__device_model *model)
{
    if (model->starter.started && !model->starter.done)
        libxl__ao_request_stop(model->starter.child, ERROR_ABORTED);
}
