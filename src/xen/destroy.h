/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Destroys a domain in the hypervisor. The hypercall blocks while the domain's memory is freed, so a worker makes it
 * as a job.
 */
#ifndef LIBXL__DESTROY_H
#define LIBXL__DESTROY_H

#include "ao.h"
#include "worker.h"

/* A domain that is being destroyed. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__hv_destroy {
    libxl__source source; /* attached while a worker is reserved */
    libxl__job job;
    uint32_t domid;
    libxl_uuid uuid;
    int errnoval; /* result: 0, or the hypercall's errno. ESRCH: no domain has this domid and uuid any more */
} libxl__hv_destroy;

/* Called once, while the context is made. */
void libxl__hv_destroy_open(libxl_ctx *ctx);

/* Call all of these with the context locked. */

/*
 * Reserves a worker for the domain's destruction, so that no call of libxl__hv_destroy_start fails. The worker is
 * released when the operation ends. Errors: FAIL, recorded in ao.
 */
int libxl__hv_destroy_reserve(libxl__ao *ao, libxl__hv_destroy *destroy);
/*
 * Submits the job. The job destroys the domain if it still has this UUID. The operation is woken when the job is
 * done.
 */
void libxl__hv_destroy_start(libxl__ao *ao, libxl__hv_destroy *destroy, uint32_t domid,
                             const libxl_uuid *uuid);
/* Returns whether the job is done. `errnoval` is valid then. */
bool libxl__hv_destroy_done(const libxl__hv_destroy *destroy);

#endif
