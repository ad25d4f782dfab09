/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QEMUs that a generator of device events follows. Watches report the domains whose QEMU may have changed. The
 * generator then reads the nodes of these domains, and passes each node to the QEMU (watched_model.h).
 *
 * Owns: a struct watched_model for each domain with a QEMU, until the node or the domain is gone, or the operation ends.
 * The caller holds the context's lock.
 */
#include "watched_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The number of nodes that are read in one batch. */
enum { AT_ONCE = 32 };

const uint64_t *libxl__watched_model_key(const libxl__index_link *link)
{
    return &LIBXL__CONTAINER(link, struct watched_model, link)->key;
}

static int read_nodes(libxl__ao *ao, struct device_events *s)
{
    struct watched_model *m;
    s->models.batch = libxl__xs_batch_new(ao, 0);
    if (!s->models.batch)
        return ERROR_NOMEM;
    for (int i = 0; i < AT_ONCE && (m = TAILQ_FIRST(&s->models.marked)); i++) {
        TAILQ_REMOVE(&s->models.marked, m, queue_link);
        TAILQ_INSERT_TAIL(&s->models.reading, m, queue_link);
        m->marked = false;
        m->reading = true;
        m->node = libxl__xs_read(s->models.batch, LIBXL__QEMU_PID, m->domid);
        m->folder = libxl__xs_read(s->models.batch, LIBXL__QEMU_NODES, m->domid);
        m->name = libxl__xs_read(s->models.batch, "/local/domain/%u/name", m->domid);
    }
    libxl__xs_run_anyway(s->models.batch, LIBXL__XS_ONE_BY_ONE);
    return 0;
}

static int nodes_read(struct device_events *s)
{
    struct watched_model *m;
    const int lost = libxl__xs_rc(s->models.batch);
    int rc = 0;
    while ((m = TAILQ_FIRST(&s->models.reading))) {
        TAILQ_REMOVE(&s->models.reading, m, queue_link);
        m->reading = false;
        m->marked |= lost != 0;
        if (m->marked)
            TAILQ_INSERT_TAIL(&s->models.marked, m, queue_link);
        const int one = lost ? 0 : libxl__watched_model_look(m, libxl__xs_value(m->node));
        rc = rc ? rc : one;
    }
    libxl__xs_batch_free(s->models.batch);
    s->models.batch = NULL;
    return lost ? lost : rc;
}

/* Marks the QEMU of a domain. Returns 0 or NOMEM. */
static int mark_domain(struct device_events *s, uint32_t domid)
{
    const uint64_t key = domid;
    libxl__index_link *link = libxl__index_find(&s->models.index, &key);
    struct watched_model *m = link ? LIBXL__CONTAINER(link, struct watched_model, link) : NULL;
    if (!m) {
        m = calloc(1, sizeof(*m));
        if (!m)
            return ERROR_NOMEM;
        m->events = s;
        m->key = m->domid = domid;
        libxl__index_add(&s->models.index, &m->link);
        LIST_INSERT_HEAD(&s->models.all, m, all_link);
    }
    libxl__watched_model_mark(m);
    return 0;
}

int libxl__watched_models_list(struct device_events *s)
{
    const xc_domaininfo_t *list;
    const uint32_t only = s->ao->subject.number;
    if (only != LIBXL_DOMID_ALL)
        return mark_domain(s, only);
    const int count = libxl__hv_list(s->ao->ctx, &list);
    int rc = count < 0 ? libxl__errno_rc(LIBXL__CALL_HOST, errno) : 0;
    for (int i = 0; i < count && !rc; i++)
        rc = list[i].domain ? mark_domain(s, list[i].domain) : 0;
    return rc;
}

int libxl__watched_models_step(libxl__ao *ao, struct device_events *s)
{
    struct watched_model *m;
    /* The operation is woken when any of its jobs has finished, so all jobs are checked. */
    LIST_FOREACH (m, &s->models.all, all_link)
        if (m->job && m->job->qemu.job.state == LIBXL__JOB_DONE)
            libxl__watched_model_mark(m);
    int rc = 0;
    while (!rc) {
        if (s->models.batch)
            rc = libxl__xs_done(s->models.batch) ? nodes_read(s) : LIBXL__AO_WAIT;
        if (!rc && TAILQ_EMPTY(&s->models.marked))
            return LIBXL__AO_WAIT;
        if (!rc)
            rc = read_nodes(ao, s);
    }
    return rc;
}

/*
 * Called by the watch on the folder of all QEMUs, or on the folder of one domain's QEMU. A QEMU that has started
 * writes the node `state`. By then the toolstack has written QEMU's process id.
 */
static void nodes_changed(libxl_ctx *ctx, void *user, bool failed)
{
    struct device_events *s = user;
    const char *path = ctx->xen->watches.event_path;
    uint32_t domid = s->ao->subject.number;
    const bool one =
        domid != LIBXL_DOMID_ALL || (path && sscanf(path, "/local/domain/0/device-model/%u", &domid) == 1);
    if (!failed && one && domid && domid < LIBXL__DOMID_FIRST_RESERVED && mark_domain(s, domid))
        libxl__event_missed(ctx, LIBXL_EVENT_TYPE_DEVICE_MODEL_ENDED);
}

int libxl__watched_models_start(struct device_events *s)
{
    char path[64] = "/local/domain/0/device-model";
    const uint32_t only = s->ao->subject.number;
    if (only != LIBXL_DOMID_ALL)
        snprintf(path, sizeof(path), LIBXL__QEMU_PID, only);
    return libxl__watch_add(s->ao->ctx, path, nodes_changed, s, true, &s->models.watch);
}

void libxl__watched_models_open(struct device_events *s)
{
    LIST_INIT(&s->models.all);
    TAILQ_INIT(&s->models.marked);
    TAILQ_INIT(&s->models.reading);
    libxl__index_open(&s->models.index, libxl__watched_model_key, 1, &s->index_steps);
}

void libxl__watched_models_close(struct device_events *s)
{
    struct watched_model *m;
    libxl__watch_remove(s->ao->ctx, s->models.watch);
    while ((m = LIST_FIRST(&s->models.all)))
        libxl__watched_model_forget(m);
    libxl__index_clear(&s->models.index);
}
