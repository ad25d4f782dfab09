/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making a domain in the hypervisor, and destroying one: the calls that block, as jobs. */
#ifndef LIBXL__BUILD_H
#define LIBXL__BUILD_H

#include <stdatomic.h>

#include <xenctrl.h>

#include "ao.h"
#include "worker.h"

/* A domain that is being built. The operation's, zeroed; not touched by it while the job is under way. */
typedef struct libxl__build {
    libxl__job job;
    atomic_bool cancel; /* set by the operation: stop at the next step */
    /* in; they stay the operation's */
    const libxl_domain_config *config;
    libxl_uuid uuid;
    uint64_t target_kb, max_kb;
    /* out */
    bool made; /* the hypervisor has a domain `domid`, also if building it failed */
    uint32_t domid;
    unsigned long store_gfn, console_gfn;
    uint32_t store_port, console_port;
    int rc;
    const char *message; /* in the operation's gc; NULL: there was no memory for it */
} libxl__build;

/* Locked. Sets the job going. When it is done: rc is 0, ABORTED, KERNEL, NO_MEMORY_FOR_GUEST, NI, PERMISSION
 * or FAIL. */
int libxl__build_start(libxl__ao *ao, libxl__build *build);
bool libxl__build_done(const libxl__build *build);

/* A domain that is being destroyed in the hypervisor. The operation's, zeroed. */
typedef struct libxl__hv_destroy {
    libxl__job job;
    uint32_t domid;
    libxl_uuid uuid;
    int errnoval; /* out: 0, or why not; ESRCH: it is gone, whoever has its domid now */
} libxl__hv_destroy;

/* Locked, these three. It is prepared, so that starting it cannot fail; then started or given up. Errors: FAIL. */
int libxl__hv_destroy_prepare(libxl__ao *ao, libxl__hv_destroy *destroy, uint32_t domid,
                              const libxl_uuid *uuid);
void libxl__hv_destroy_start(libxl__ao *ao, libxl__hv_destroy *destroy);
void libxl__hv_destroy_give_up(libxl__ao *ao);
bool libxl__hv_destroy_done(const libxl__hv_destroy *destroy);

/* src/xen/build_memory.c: a PVH guest's memory map and ACPI tables. Not locked, on the worker. 0, or an
 * errno. */
struct xc_dom_image;
int libxl__build_pvh_memory(xc_interface *xch, struct xc_dom_image *dom, uint32_t domid, uint64_t target_kb,
                            uint64_t max_kb, int vcpus);

#endif
