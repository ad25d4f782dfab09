/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the tie between a nested operation and its parent. Guarded by the context's lock. The parent counts
 * each nested operation among its jobs, so `nested`, which lies in the parent's memory, outlives the child.
 */
#include "libxl_internal.h"

#include <assert.h>

static void stop(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__nested *nested = (libxl__nested *)source;
    libxl__ao *child = nested->child;
    if (child && nested->outlives) {
        libxl__ao *parent = child->parent;
        child->notify_target = LIBXL__AO_NOBODY;
        child->handle = NULL;
        nested->child = NULL;
        libxl__ao_job_ended(parent);
    } else if (child) {
        libxl__ao_request_stop(child, ERROR_ABORTED);
    }
}

libxl__ao *libxl__nested_create(libxl__ao *parent, libxl__nested *nested, const libxl__ao_class *cls)
{
    libxl__ao *child = libxl__ao_create_nested(parent, nested, cls);
    if (!child)
        return NULL;
    *nested = (libxl__nested){.child = child};
    libxl__source_attach(parent, &nested->source, stop);
    parent->jobs++;
    return child;
}

void libxl__nested_start(libxl__nested *nested)
{
    libxl__ao_start_nested(nested->child);
}

void libxl__nested_ended(libxl__ao *child)
{
    libxl__nested *nested = child->nested;
    libxl__ao *parent = child->parent;
    assert(nested->child == child);
    nested->child = NULL;
    nested->done = true;
    nested->rc = child->rc;
    if (child->rc && child->message)
        libxl__ao_fail(parent, child->rc, "%s", child->message);
    libxl__ao__destroy(child->ctx, child);
    if (nested->source.ao)
        libxl__source_fire(&nested->source);
    libxl__ao_job_ended(parent);
}

/* Looks through those that have been started. */
static void count_done(libxl__gather *gather)
{
    gather->done = 0;
    for (uint32_t i = 0; i < gather->started; i++) {
        gather->done += gather->nested[i].done;
        if (gather->nested[i].done && !gather->rc)
            gather->rc = gather->nested[i].rc;
    }
}

int libxl__gather_step(libxl__ao *parent, libxl__gather *gather)
{
    if (!gather->count)
        return 0;
    if (!gather->nested)
        gather->nested = libxl__gc_alloc(&parent->gc, gather->count * sizeof(*gather->nested));
    if (!gather->nested)
        return ERROR_NOMEM;
    for (;;) {
        count_done(gather);
        bool more = !gather->rc && gather->started < gather->count;
        if (!more && gather->done == gather->started)
            return gather->rc;
        if (!more || gather->started - gather->done >= gather->at_once)
            return LIBXL__AO_WAIT;
        libxl__ao *child = libxl__nested_create(parent, &gather->nested[gather->started], gather->cls);
        if (!child) {
            gather->rc = ERROR_NOMEM;
            continue;
        }
        gather->fill(parent, gather->started, libxl__ao_args(child));
        libxl__nested_start(&gather->nested[gather->started++]);
    }
}
