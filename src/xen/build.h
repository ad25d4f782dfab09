/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making a domain in the hypervisor and building it from a kernel. This takes long and blocks, so a worker does it as a job.
 */
#ifndef LIBXL__BUILD_H
#define LIBXL__BUILD_H

#include <stdatomic.h>

#include <xenctrl.h>

#include "ao.h"
#include "worker.h"

/*
 * A domain that is being built. Embed this in the operation's state; zero-initialise it and set the inputs. While the
 * job is under way the operation may only set `cancel`.
 */
typedef struct libxl__build {
    libxl__job job;
    atomic_bool cancel; /* set by the operation: the build ends with ABORTED at its next step */
    /* Inputs; the operation keeps what they point to until the job is done. */
    const libxl_domain_config *config;
    libxl_uuid uuid;
    uint64_t target_kb, max_kb;
    /* Results, valid once libxl__build_done. */
    bool made; /* the hypervisor has made the domain `domid`; also set if a later step has failed */
    uint32_t domid;
    unsigned long store_gfn, console_gfn;
    uint32_t store_port, console_port;
    int rc;              /* 0, ABORTED, KERNEL, NO_MEMORY_FOR_GUEST, NI, PERMISSION, NOMEM or FAIL */
    const char *message; /* why rc is not 0, in the operation's gc; NULL: there was no memory for it */
} libxl__build;

/* Called once, while the context is made. */
void libxl__build_open(libxl_ctx *ctx);

/* With the context locked. Submits the job, which wakes the operation when it is done. Errors: FAIL, recorded in ao. */
int libxl__build_start(libxl__ao *ao, libxl__build *build);
/* With the context locked. Whether the job is done. */
bool libxl__build_done(const libxl__build *build);

#endif
