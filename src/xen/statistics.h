/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks at what all domains have used and done, on a worker. Call the functions with the context locked.
 */
#ifndef LIBXL__STATISTICS_H
#define LIBXL__STATISTICS_H

#include <stdatomic.h>

#include "ao.h"
#include "worker.h"

/* A look. Embed this in the operation's state; zero-initialise it and set the inputs. */
typedef struct libxl__statistics {
    libxl__job job;
    atomic_bool cancel; /* the operation sets it to end the job at its next step */
    /* Inputs. */
    bool vcpus, devices;
    /* Results, once the job is done. */
    libxl_domain_counters_list list; /* the operation owns it, if errnoval is 0 */
    int errnoval;                    /* 0, or why the look has failed */
} libxl__statistics;

/* Called once, while the context is made. */
void libxl__statistics_open(libxl_ctx *ctx);
/* Submits the job. The operation is woken when it is done. Errors: FAIL, recorded in ao. */
int libxl__statistics_start(libxl__ao *ao, libxl__statistics *statistics);

#endif
