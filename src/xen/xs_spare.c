/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the spare batch of each context, from the first libxl__xs_spare_reserve until the context is freed,
 * and the queue of the operations that wait for it. The context's lock guards them.
 *
 * The memory for the batch's requests is allocated together with the batch and lies behind it. wire.c
 * reserves memory for the batch's messages. This reservation is made again each time that the batch has put
 * messages.
 */
#include "xen.h"

#include <stdlib.h>

enum {
    MESSAGES = LIBXL__XS_SPARE_REQUESTS + 2, /* includes the messages that start and end the transaction */
    /* The room that is needed to align a request, its path and its value. */
    SLACK = 4 * sizeof(void *),
    MEMORY = LIBXL__XS_SPARE_REQUESTS * (sizeof(libxl__xs_request) + SLACK) + LIBXL__XS_SPARE_OCTETS,
};

static libxl__xs_spare *spare_of(libxl_ctx *ctx)
{
    return &ctx->xen->spare;
}

/* Wakes the first operation in the queue, unless the batch is in use. */
static void call_next(libxl__xs_spare *spare)
{
    libxl__xs_turn *next = TAILQ_FIRST(&spare->waiting);
    if (next && !spare->in_use)
        libxl__source_fire(&next->source);
}

static void turn_stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__xs_turn *turn = (libxl__xs_turn *)source;
    TAILQ_REMOVE(&spare_of(ctx)->waiting, turn, link);
    turn->waits = false;
    call_next(spare_of(ctx));
}

static void wait_in_turn(libxl__ao *ao, libxl__xs_turn *turn)
{
    if (turn->waits)
        return;
    turn->waits = true;
    libxl__source_attach(ao, &turn->source, turn_stop);
    TAILQ_INSERT_TAIL(&spare_of(ao->ctx)->waiting, turn, link);
}

int libxl__xs_spare_reserve(libxl__ao *ao)
{
    libxl__xs_spare *spare = spare_of(ao->ctx);
    if (spare->batch)
        return 0;
    libxl__xs_batch *batch = calloc(1, sizeof(*batch) + MEMORY);
    int rc = ERROR_NOMEM;
    if (batch) {
        batch->spare = true;
        rc = ao->ctx->xen->transport->reserve(ao->ctx, batch, MESSAGES, LIBXL__XS_SPARE_OCTETS);
    }
    if (rc) {
        free(batch);
        return libxl__ao_fail(ao, rc, "xenstore: %s", libxl_error_describe(rc));
    }
    spare->batch = batch;
    return 0;
}

libxl__xs_batch *libxl__xs_spare_get(libxl__ao *ao, libxl__xs_turn *turn, uint32_t domid)
{
    libxl__xs_spare *spare = spare_of(ao->ctx);
    libxl__xs_batch *batch = spare->batch;
    const libxl__xs_turn *first = TAILQ_FIRST(&spare->waiting);
    if (spare->in_use || (first && first != turn)) {
        wait_in_turn(ao, turn);
        return NULL;
    }
    spare->in_use = true;
    libxl__source_stop(ao->ctx, &turn->source);
    *batch = (libxl__xs_batch){.ao = ao,
                               .domid = domid,
                               .spare = true,
                               .reserved = batch->reserved,
                               .reserved_octets = batch->reserved_octets};
    STAILQ_INIT(&batch->requests);
    libxl__gc_begin(&batch->gc, batch + 1, MEMORY);
    libxl__xs_batch_attach(batch);
    return batch;
}

void libxl__xs_spare_put(libxl_ctx *ctx)
{
    spare_of(ctx)->in_use = false;
    spare_of(ctx)->uses++;
    call_next(spare_of(ctx));
}

bool libxl__xs_spare_advances(libxl_ctx *ctx, libxl__xs_turn *turn)
{
    const uint32_t seen = turn->uses_seen;
    turn->uses_seen = spare_of(ctx)->uses;
    return turn->uses_seen != seen;
}

void libxl__xs_spare_leave(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    if (batch->spare)
        spare_of(ctx)->batch = NULL;
    batch->spare = false;
}

void libxl__xs_spare_open(libxl_ctx *ctx)
{
    TAILQ_INIT(&spare_of(ctx)->waiting);
}

void libxl__xs_spare_close(libxl_ctx *ctx)
{
    free(spare_of(ctx)->batch);
}
