/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Destroys a domain in the hypervisor. The hypercall blocks until the domain's memory is freed, so it is a
 * job for a worker.
 */
#ifndef LIBXL__DESTROY_H
#define LIBXL__DESTROY_H

#include "ao.h"
#include "reserved_worker.h"

/* The destruction of one domain. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__hv_destroy {
    libxl__reserved_worker worker;
    libxl__job job;
    uint32_t domid;
    libxl_uuid uuid;
    /*
     * Valid once the job is done: 0, or the hypercall's errno. ESRCH: no domain with this domid and UUID
     * exists any more.
     */
    int errnoval;
} libxl__hv_destroy;

/* Opens the lane of the destructions. Called once, while the context is made. */
void libxl__hv_destroy_open(libxl_ctx *ctx);

/* Call the following functions with the context locked. */

/*
 * Reserves a worker, so that libxl__hv_destroy_start cannot fail. The worker is released when the operation
 * ends. Returns 0 or FAIL, recorded in ao.
 */
int libxl__hv_destroy_reserve(libxl__ao *ao, libxl__hv_destroy *destroy);
/*
 * Submits a job that destroys the domain, if the domain still has this UUID. The operation is woken when the
 * job is done.
 */
void libxl__hv_destroy_start(libxl__ao *ao, libxl__hv_destroy *destroy, uint32_t domid,
                             const libxl_uuid *uuid);
/* Returns whether the job is done. destroy->errnoval is valid once this function has returned true. */
bool libxl__hv_destroy_done(const libxl__hv_destroy *destroy);

#endif
