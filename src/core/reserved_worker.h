/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker that an operation reserves until it ends. While the worker is reserved, a job of the operation can be
 * submitted to the worker's lane without a failure, for example in an undo.
 */
#ifndef LIBXL__RESERVED_WORKER_H
#define LIBXL__RESERVED_WORKER_H

#include "ao.h"
#include "worker.h"

/* A reserved worker. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__reserved_worker {
    libxl__source source; /* attached while the worker is reserved; never fires */
    libxl__lane *lane;    /* the lane of the worker */
} libxl__reserved_worker;

/*
 * Reserves a worker of the lane until the operation ends. Does nothing if the worker is reserved already. Call it with
 * the context locked. Returns 0, or FAIL if no thread can be started. The error is recorded in ao.
 */
int libxl__worker_reserve(libxl__ao *ao, libxl__reserved_worker *worker, libxl__lane *lane);

#endif
