/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: one reservation of a lane for each libxl__reserved_worker, until the operation ends. The context's lock
 * guards it.
 */
#include "reserved_worker.h"

static void release(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__lane_release(LIBXL__CONTAINER(source, libxl__reserved_worker, source)->lane);
}

int libxl__worker_reserve(libxl__ao *ao, libxl__reserved_worker *worker, libxl__lane *lane)
{
    if (worker->source.ao)
        return 0;
    const int rc = libxl__lane_reserve(ao, lane);
    if (rc)
        return rc;
    worker->lane = lane;
    libxl__source_attach(ao, &worker->source, release);
    return 0;
}
