/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes, runs, ends and frees batches. Owns: the batches, with their requests, from libxl__xs_batch_new on.
 * The context's lock guards them. xs_requests.c adds the requests.
 *
 * A batch belongs to its operation until it is run. While it is running, it belongs to the transport.
 * Afterwards it belongs to the operation again. If the operation frees a running batch, the batch is detached
 * from the operation. libxl__xs_batch_ended then frees the batch.
 */
#include "store_path.h"
#include "xen.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- making and freeing batches */

/* Frees the memory of a batch. Must not use batch->ao, because the operation may have been freed already. */
static void free_memory(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    libxl__xs_request *request;
    STAILQ_FOREACH (request, &batch->requests, link)
        free(request->found);
    libxl__gc_end(&batch->gc);
    if (batch->spare)
        libxl__xs_spare_put(ctx);
    else
        free(batch);
}

static void release_reserve(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    if (batch->has_reserve)
        ctx->xen->transport->release(ctx, batch);
    batch->has_reserve = false;
}

/* Withdraws the batch if it is queued or deferred. Returns true if the batch is idle afterwards. */
static bool withdraw(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    if (batch->deferred)
        libxl__xs_link_forget(ctx, batch);
    else if (batch->state == LIBXL__XS_UNDER_WAY && ctx->xen->transport->withdraw(ctx, batch))
        batch->state = LIBXL__XS_IDLE;
    return batch->state == LIBXL__XS_IDLE;
}

/*
 * The stop function of the batch's source. Called when the operation ends or frees the batch. If the
 * transport is running the batch, libxl__xs_batch_ended frees the batch later.
 */
static void batch_stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__xs_batch *batch = (libxl__xs_batch *)source;
    release_reserve(ctx, batch);
    if (withdraw(ctx, batch) || libxl__xs_done(batch))
        free_memory(ctx, batch);
}

libxl__xs_batch *libxl__xs_batch_new(libxl__ao *ao, uint32_t domid)
{
    libxl__xs_batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        return NULL;
    batch->ao = ao;
    batch->domid = domid;
    STAILQ_INIT(&batch->requests);
    libxl__gc_begin(&batch->gc, batch->memory, sizeof(batch->memory));
    libxl__xs_batch_attach(batch);
    return batch;
}

void libxl__xs_batch_attach(libxl__xs_batch *batch)
{
    libxl__source_attach(batch->ao, &batch->source, batch_stop);
}

void libxl__xs_batch_free(libxl__xs_batch *batch)
{
    if (batch)
        libxl__source_stop(batch->ao->ctx, &batch->source);
}

void libxl__xs_for_application(libxl__xs_batch *batch)
{
    batch->for_application = true;
}

/* ---- functions for the transports */

void libxl__xs_failed(libxl__xs_batch *batch, const libxl__xs_request *request, int errnoval)
{
    if (batch->rc)
        return;
    const libxl__call call = batch->for_application ? LIBXL__CALL_ASK_NODE : LIBXL__CALL_ASK_STORE;
    /* A check has failed: its node is missing or has another value. */
    const bool unmet = request && request->rc && errnoval == ENOENT;
    batch->rc = unmet ? request->rc : libxl__errno_rc(call, errnoval);
    batch->contended = !request && errnoval == EAGAIN;
    const char *why = unmet                  ? "the node is not as it must be"
                      : errnoval == ENOTCONN ? LIBXL__XS_LOST
                      : batch->contended     ? "other clients change its nodes all the time"
                      : errnoval == ENOENT && batch->for_application ? "there is no such node"
                                                                     : strerror(errnoval);
    const char *path = request ? request->path : "transaction";
    batch->message = libxl__gc_printf(&batch->gc, "xenstore: %.*s%s: %s", LIBXL__STORE_PATH_SHOWN, path,
                                      strlen(path) > LIBXL__STORE_PATH_SHOWN ? "..." : "", why);
}

void libxl__xs_batch_ended(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    batch->state = LIBXL__XS_DONE;
    if (batch->source.ao)
        libxl__source_fire(&batch->source);
    else
        free_memory(ctx, batch);
}

/* ---- running batches */

/* Passes the batch to the transport. Returns 0 or an error, without a message. */
static int start(libxl__xs_batch *batch, libxl__xs_mode mode)
{
    if (batch->out_of_memory)
        return ERROR_NOMEM;
    libxl_ctx *ctx = batch->ao->ctx;
    release_reserve(ctx, batch);
    batch->mode = mode;
    batch->state = LIBXL__XS_UNDER_WAY;
    batch->repeats = 0;
    batch->ended_seen = ctx->xen->transactions.ended;
    int rc = ctx->xen->transport->run(ctx, batch);
    if (rc)
        batch->state = LIBXL__XS_IDLE;
    return rc;
}

/* Records an error that concerns the whole batch in ao. */
static int record_error(libxl__xs_batch *batch, int rc)
{
    return rc ? libxl__ao_fail(batch->ao, rc, "xenstore: %s", libxl_error_describe(rc)) : 0;
}

int libxl__xs_reserve(libxl__xs_batch *batch, uint32_t requests, size_t octets)
{
    libxl_ctx *ctx = batch->ao->ctx;
    /* The room that is needed to align a request, its path and its value. */
    const size_t slack = 4 * sizeof(void *);
    int rc = libxl__gc_reserve(&batch->gc, requests * (sizeof(libxl__xs_request) + slack) + octets);
    if (!rc)
        rc = ctx->xen->transport->reserve(ctx, batch, requests, octets);
    batch->has_reserve = !rc;
    return record_error(batch, rc);
}

int libxl__xs_run(libxl__xs_batch *batch, libxl__xs_mode mode)
{
    return record_error(batch, start(batch, mode));
}

static void end_unrun(libxl__xs_batch *batch, int rc)
{
    batch->rc = rc;
    batch->message = libxl__gc_printf(&batch->gc, "xenstore: %s", libxl_error_describe(rc));
    batch->state = LIBXL__XS_DONE;
}

void libxl__xs_run_anyway(libxl__xs_batch *batch, libxl__xs_mode mode)
{
    if (!batch->out_of_memory && libxl__xs_link_defer(batch->ao->ctx, batch)) {
        batch->mode = mode;
        return;
    }
    const int rc = start(batch, mode);
    if (rc)
        end_unrun(batch, rc);
}

void libxl__xs_run_deferred(libxl__xs_batch *batch, bool connected)
{
    const int rc = connected ? start(batch, batch->mode) : ERROR_NO_XENSTORE;
    if (!rc)
        return;
    end_unrun(batch, rc);
    libxl__source_fire(&batch->source);
}

bool libxl__xs_take_back(libxl__xs_batch *batch)
{
    libxl_ctx *ctx = batch->ao->ctx;
    return withdraw(ctx, batch) || ctx->xen->transport->uncommitted(batch);
}

bool libxl__xs_advances(libxl__xs_batch *batch)
{
    const libxl_ctx *ctx = batch->ao->ctx;
    const uint32_t before = batch->ended_seen;
    batch->ended_seen = ctx->xen->transactions.ended;
    return ctx->xen->transport->is_queued(ctx, batch) && batch->ended_seen != before;
}

bool libxl__xs_done(const libxl__xs_batch *batch)
{
    return batch->state == LIBXL__XS_DONE;
}

int libxl__xs_rc(const libxl__xs_batch *batch)
{
    assert(libxl__xs_done(batch));
    return batch->rc;
}

bool libxl__xs_is_contended(const libxl__xs_batch *batch)
{
    assert(libxl__xs_done(batch));
    return batch->contended;
}

int libxl__xs_result(libxl__xs_batch *batch)
{
    assert(libxl__xs_done(batch));
    if (!batch->rc)
        return 0;
    return libxl__ao_fail(batch->ao, batch->rc, "%s", batch->message ? batch->message : "xenstore");
}
