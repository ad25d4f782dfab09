/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a domain in the hypervisor and loads a kernel into it. A build blocks for a long time, so it is a job for a
 * worker.
 */
#ifndef LIBXL__BUILD_H
#define LIBXL__BUILD_H

#include <stdatomic.h>

#include <xenctrl.h>

#include "ao.h"
#include "worker.h"

struct libxl__boot_loader;

/* What the job does. A build without a boot loader has one job, which does all. */
typedef enum libxl__build_step {
    LIBXL__BUILD_ALL, /* makes the domain and fills its memory. With a boot loader: fills the memory of the domain that the
                           step MAKE has made, with the kernel that the boot loader has chosen */
    LIBXL__BUILD_MAKE,  /* makes the domain without memory, and what its boot loader needs */
    LIBXL__BUILD_CLEAN, /* removes what MAKE has made for the boot loader; cannot fail */
} libxl__build_step;

/*
 * A domain that is being built. Embed this in the operation's state; zero-initialise it and set the inputs. While the
 * job is under way the operation may only set `cancel`, and read `made` and `domid` if it has set `announce`.
 */
typedef struct libxl__build {
    libxl__job job;
    libxl__build_step step;
    atomic_bool cancel; /* the operation sets it to end the build, with ABORTED, at its next step */
    /* Inputs. The operation keeps the data behind the pointers valid until the job is done. */
    const libxl_domain_config *config;
    libxl_uuid uuid;
    uint64_t target_kb, max_kb;
    bool
        announce; /* the operation is woken when the domain was made, and may read `made` and `domid` from then on */
    struct libxl__boot_loader *loader; /* NULL: the configuration has no boot loader */
    /* Results. They are valid once libxl__build_done returns true. */
    bool made; /* the hypervisor has made the domain `domid`; also set if something later has failed */
    uint32_t domid;
    unsigned long store_gfn, console_gfn;
    uint32_t store_port, console_port;
    int rc;              /* 0, ABORTED, KERNEL, NO_MEMORY_FOR_GUEST, NI, PERMISSION, NOMEM or FAIL */
    const char *message; /* why rc is not 0, in the operation's gc; NULL: there was no memory for it */
} libxl__build;

/* Called once, while the context is made. */
void libxl__build_open(libxl_ctx *ctx);

/*
 * Submits the job. The operation is woken when the job is done. Call this with the context locked. Errors: FAIL,
 * recorded in ao.
 */
int libxl__build_start(libxl__ao *ao, libxl__build *build, libxl__build_step step);
/* Keeps a worker for the step CLEAN until libxl__build_release, so that its start cannot fail. Errors: FAIL, recorded in ao. */
int libxl__build_reserve(libxl__ao *ao);
void libxl__build_release(libxl_ctx *ctx);
/* Returns whether the job that was started last is done. Call this with the context locked. */
bool libxl__build_done(const libxl__build *build);

#endif
