/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lets a suspended domain run again. For a PV guest this changes memory of the guest, so it is a job for a
 * worker.
 */
#ifndef LIBXL__RESUME_H
#define LIBXL__RESUME_H

#include "ao.h"
#include "reserved_worker.h"

/* The resumption of one domain. Embed this in the operation's state; zero-initialise it and set the inputs. */
typedef struct libxl__resume {
    libxl__reserved_worker worker;
    libxl__job job;
    /* Inputs. */
    uint32_t domid;
    /* True: the guest sees that its suspension was cancelled. False: the guest sees that it runs in a new domain. */
    bool cancelled;
    /* True: the job first ends log-dirty mode, in which a save may have left the domain. */
    bool saved;
    /* True: the job resumes the domain. False: the job only ends log-dirty mode. */
    bool suspended;
    /* Results, valid once the job is done. */
    bool resumed; /* the domain was suspended, and runs again */
    int errnoval; /* 0, or the errno of the hypercall that has failed */
} libxl__resume;

/* Opens the lane of these jobs. Called once, while the context is made. */
void libxl__resume_open(libxl_ctx *ctx);

/* Call the following functions with the context locked. */

/*
 * Reserves a worker, so that libxl__resume_start cannot fail. The worker is released when the operation ends.
 * Returns 0 or FAIL, recorded in ao.
 */
int libxl__resume_reserve(libxl__ao *ao, libxl__resume *resume);
/* Submits the job. A worker must be reserved. The operation is woken when the job is done. */
void libxl__resume_start(libxl__ao *ao, libxl__resume *resume);
/* Returns whether the job is done. */
bool libxl__resume_done(const libxl__resume *resume);

#endif
