/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing except the operation's state. The caller holds the context's lock. */
#include "withdrawal.h"

/* Returns a batch for the withdrawal. NULL: another operation uses the spare batch. */
static libxl__xs_batch *make_batch(libxl__ao *ao, libxl__withdrawal *w)
{
    const uint32_t domid = ao->subject.number;
    libxl__xs_batch *batch = w->out_of_memory ? NULL : libxl__xs_batch_new(ao, domid);
    w->out_of_memory = !batch;
    return batch ? batch : libxl__xs_spare_get(ao, &w->turn, domid);
}

/* Starts to empty the node. Does nothing until the spare batch is free, if the withdrawal must use it. */
static void begin(libxl__ao *ao, libxl__withdrawal *w, const char *name, const char *request)
{
    const uint32_t domid = ao->subject.number;
    libxl__xs_batch *batch = make_batch(ao, w);
    if (!batch)
        return;
    libxl__xs_require_domain(batch, &ao->subject.uuid);
    w->unanswered = libxl__xs_require(batch, ERROR_NOT_READY, request, LIBXL__CONTROL_NODE, domid, name);
    libxl__xs_write(batch, LIBXL__XS_GUESTS, "", LIBXL__CONTROL_NODE, domid, name);
    libxl__xs_run_anyway(batch, LIBXL__XS_TRANSACTION);
    w->batch = batch;
}

/* A withdrawal that fails with NOMEM is repeated with the spare batch. */
static int withdraw(libxl__ao *ao, libxl__withdrawal *w, const char *name, const char *request)
{
    for (;;) {
        if (!w->batch)
            begin(ao, w, name, request);
        if (!w->batch || !libxl__xs_done(w->batch))
            return LIBXL__AO_WAIT;
        const int rc = libxl__xs_rc(w->batch);
        if (rc != ERROR_NOMEM || w->out_of_memory)
            return rc;
        libxl__xs_batch_free(w->batch);
        w->batch = NULL;
        w->out_of_memory = true;
    }
}

/*
 * Returns whether the withdrawal has made progress since the last call. While the withdrawal waits for the spare
 * batch, progress of the queue for this batch counts.
 */
static bool has_advanced(libxl__ao *ao, libxl__withdrawal *w, bool is_new)
{
    if (w->batch)
        return libxl__xs_advances(w->batch) || is_new;
    return libxl__xs_spare_advances(ao->ctx, &w->turn);
}

int libxl__withdrawal_step(libxl__ao *ao, libxl__withdrawal *withdrawal, const char *name,
                           const char *request)
{
    const bool began = withdrawal->batch;
    const int rc = withdraw(ao, withdrawal, name, request);
    /*
     * Thousands of requests may be withdrawn at the same time, so the queue may be long. The limit is extended while
     * the queue makes progress.
     */
    if (rc == LIBXL__AO_WAIT && has_advanced(ao, withdrawal, !began))
        libxl__phase_extend(ao);
    return rc;
}

bool libxl__withdrawal_was_answered(const libxl__withdrawal *withdrawal)
{
    return libxl__xs_vacant(withdrawal->unanswered);
}
