/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gathers statistics about all domains on a worker: memory, processor time, and the counters of their
 * devices. Call the functions with the context locked.
 */
#ifndef LIBXL__STATISTICS_H
#define LIBXL__STATISTICS_H

#include <stdatomic.h>

#include "ao.h"
#include "worker.h"

/*
 * A job that gathers statistics. Embed this in the operation's state; zero-initialise it and set the inputs.
 */
typedef struct libxl__statistics {
    libxl__job job;
    /* The operation sets this to stop the job. The job then ends at its next step. */
    atomic_bool cancel;
    /* The inputs: whether the statistics include each virtual processor, and each device. */
    bool vcpus, devices;
    /* The results are valid once the job is done. */
    /* The statistics; if errnoval is 0, the operation must dispose of the list. */
    libxl_domain_counters_list list;
    int errnoval; /* the result: 0, or the errno of the failure */
} libxl__statistics;

/* Opens the lane of these jobs. Called once, while the context is made. */
void libxl__statistics_open(libxl_ctx *ctx);
/* Submits the job. The operation is woken when the job is done. Errors: FAIL, recorded in ao. */
int libxl__statistics_start(libxl__ao *ao, libxl__statistics *statistics);

#endif
