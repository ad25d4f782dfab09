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

/*
 * The parts of a build. Each part is a job. A build with a boot loader has three parts: first MAKE, then
 * ALL, then CLEAN. A build whose domain gets a UUID of the configuration has the parts MAKE and ALL. The
 * build of a soft reset has only the part RESET. Every other build has only the part ALL.
 */
typedef enum libxl__build_step {
    /*
     * Makes the domain, unless the part MAKE has made it. Then fills its memory. If there is a boot loader, the
     * kernel is the one that the boot loader has chosen.
     */
    LIBXL__BUILD_ALL,
    /* Makes the domain without vcpus and memory. Prepares the boot loader's files, if there is a boot loader. */
    LIBXL__BUILD_MAKE,
    LIBXL__BUILD_CLEAN, /* removes the boot loader's files; cannot fail */
    /*
     * Resets the domain `domid`, which has stopped, if it still has the UUID `handle`. The domain is paused afterwards,
     * and has new event channels for xenstored and the console.
     */
    LIBXL__BUILD_RESET,
} libxl__build_step;

/* Tables of an HVM domain's firmware in the guest's memory. */
typedef struct libxl__build_table {
    uint64_t address;
    uint32_t length; /* the length of the tables, in octets; 0: there are no tables */
} libxl__build_table;

/*
 * A domain that is being built. Embed this in the operation's state; zero-initialise it and set the inputs.
 * While the job is running, the operation may set `cancel`. It must not use any other member.
 */
typedef struct libxl__build {
    libxl__job job;
    libxl__build_step step;
    /* The operation sets this to stop the build. The build then ends at its next step, with ABORTED. */
    atomic_bool cancel;
    /* Inputs. The operation keeps the data behind the pointers valid until the job is done. */
    const libxl_domain_config *config;
    libxl_uuid uuid;
    /*
     * The UUID that the hypervisor has for the domain. A new domain is made with a random UUID, which is later
     * replaced by `uuid` (create_identity.h).
     */
    libxl_uuid handle;
    /*
     * The target and the maximum of the domain's memory, in KiB. `video_kb`: the part of both that belongs to an HVM
     * domain's graphics card; 0 for other domains.
     */
    uint64_t target_kb, max_kb, video_kb;
    /* The domain is made without a kernel, because a saved domain will be restored into it. */
    bool restores;
    /* The domain exists already, because it is reset. Its kernel is not loaded. */
    bool in_place;
    /* The state of the boot loader; NULL: the configuration has no boot loader. */
    struct libxl__boot_loader *loader;
    /*
     * The values of max_vcpus and poolid that are stored in the configuration; 0: the application has given no value.
     */
    int stored_max_vcpus;
    uint32_t stored_poolid;
    /* Results. They are valid once libxl__build_done returns true. */
    /*
     * The hypervisor has made the domain `domid`. Stays true if a later step of the build fails. A soft reset sets this
     * when it begins to take the domain apart.
     */
    bool made;
    uint32_t domid;
    unsigned long store_gfn, console_gfn;
    uint32_t store_port, console_port;
    libxl__build_table acpi, smbios; /* the tables of the configuration, for hvmloader */
    /* The result of the job: 0, ABORTED, KERNEL, NO_MEMORY_FOR_GUEST, NI, PERMISSION, NOMEM or FAIL. */
    int rc;
    /* The error message, in the operation's memory. NULL: rc is 0, or there was no memory for the message. */
    const char *message;
} libxl__build;

/*
 * Returns the memory that the guest itself has at the start, in KiB. An HVM guest that is populated on demand
 * gets 1 MiB less than its target, as in libxl.
 */
static inline uint64_t libxl__build_guest_kb(const libxl__build *build)
{
    const bool less = build->config->c_info.type == LIBXL_DOMAIN_TYPE_HVM && build->max_kb > build->target_kb;
    return build->target_kb - build->video_kb - (less ? 1024 : 0);
}

/*
 * Returns the memory that the hypervisor needs for the page tables of a PVH or HVM guest, in KiB. It is
 * b_info.shadow_memkb if this is set, otherwise the default of shadow_memory in xl.cfg(5).
 */
static inline uint64_t libxl__build_paging_kb(const libxl_domain_build_info *info, uint32_t vcpus,
                                              uint64_t max_kb)
{
    const uint64_t of_vcpu = 1024, of_mb = 8;
    return info->shadow_memkb != LIBXL_MEMKB_DEFAULT ? info->shadow_memkb
                                                     : vcpus * of_vcpu + (max_kb + 1023) / 1024 * of_mb;
}

/* Opens the lane of the builds. Called once, while the context is made. */
void libxl__build_open(libxl_ctx *ctx);

/*
 * Submits the job for the part `step`. The operation is woken when the job is done. Call this with the
 * context locked. Returns 0 if the job was submitted, otherwise FAIL, recorded in ao.
 */
int libxl__build_start(libxl__ao *ao, libxl__build *build, libxl__build_step step);
/*
 * Reserves a worker until libxl__build_release. While the worker is reserved, the part CLEAN can be started
 * without a failure. Returns 0, or FAIL, recorded in ao.
 */
int libxl__build_reserve(libxl__ao *ao);
void libxl__build_release(libxl_ctx *ctx);
/* Returns whether the job of the last libxl__build_start is done. Call this with the context locked. */
bool libxl__build_done(const libxl__build *build);

#endif
