/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the link between a nested operation and its parent. The context's lock guards the link. A nested
 * operation counts as a job of its parent until it has ended or was detached. So the libxl__nested, which is
 * in the parent's memory, is valid as long as the nested operation refers to it.
 */
#include "libxl_internal.h"

#include <assert.h>

static void unlink_child(libxl__nested *nested)
{
    libxl__ao *parent = nested->child->parent;
    nested->child = NULL;
    libxl__ao_job_ended(parent);
}

/*
 * Lets the child continue in the background. If the parent has failed, adds to the parent's message that the child
 * continues.
 */
static void detach_child(libxl__nested *nested)
{
    libxl__ao *child = nested->child;
    libxl__ao_fail_also(child->parent, "%s goes on in the background", child->cls->name);
    unlink_child(nested);
    child->notify_target = LIBXL__AO_NOBODY;
    child->handle = NULL;
}

static void discard_child(libxl__nested *nested)
{
    libxl__ao *child = nested->child;
    unlink_child(nested);
    libxl__ao_discard(child);
}

static void nested_stop(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__nested *nested = (libxl__nested *)source;
    if (!nested->child)
        return;
    if (!nested->started)
        discard_child(nested);
    else if (nested->outlives)
        detach_child(nested);
    else
        libxl__ao_request_stop(nested->child, ERROR_ABORTED);
}

libxl__ao *libxl__nested_create(libxl__ao *parent, libxl__nested *nested, const libxl__ao_class *cls)
{
    libxl__ao *child = libxl__ao_create_nested(parent, nested, cls);
    if (!child)
        return NULL;
    *nested = (libxl__nested){.child = child};
    libxl__source_attach(parent, &nested->source, nested_stop);
    parent->jobs++;
    return child;
}

void libxl__nested_start(libxl__nested *nested)
{
    nested->started = true;
    libxl__ao_start_internal(nested->child);
}

void libxl__nested_tell(libxl__ao *child)
{
    if (child->notify_target == LIBXL__AO_PARENT && child->nested->source.ao)
        libxl__source_fire(&child->nested->source);
}

/*
 * Records the child's failure as the parent's failure, unless the parent has failed before. During an undo,
 * adds the child's message to the parent's message.
 */
static void note_failure(const libxl__nested *nested, const libxl__ao *child)
{
    const char *message = child->message ? child->message : libxl__error_words(child->rc);
    if (child->parent->phase.undoing)
        libxl__ao_fail_also(child->parent, "%s", message);
    else if (nested->group)
        libxl__ao_fail(child->parent, child->rc, "%s[%u]: %s", nested->group->name, nested->index, message);
    else
        libxl__ao_fail(child->parent, child->rc, "%s", message);
}

void libxl__nested_ended(libxl__ao *child)
{
    libxl__nested *nested = child->nested;
    assert(nested->child == child);
    nested->done = true;
    nested->rc = child->rc;
    if (child->rc)
        note_failure(nested, child);
    if (nested->group)
        libxl__group_member_ended(nested);
    if (nested->source.ao)
        libxl__source_fire(&nested->source);
    unlink_child(nested);
    libxl__ao_destroy(child->ctx, child);
}
