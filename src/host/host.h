/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's resources for devices of domains, apart from Xen: files and loop devices, network interfaces,
 * and hotplug scripts. This layer knows no xenstore and no domain.
 *
 * Calls that can block run on workers, in a separate lane. Examples are opening a file on a network file
 * system, and opening or closing a block device. The context's lock guards all data that these calls do not
 * use.
 */
#ifndef LIBXL__HOST_H
#define LIBXL__HOST_H

#include "ao.h"
#include "host_lock.h"
#include "worker.h"

struct libxl__links;

struct libxl__host {
    libxl__lane lane;               /* the lane for the calls that can block */
    libxl__block_queue block_queue; /* the queue for the lock of the block scripts */
    struct libxl__links *links;     /* the state of host_link.c; NULL until an operation needs it */
};

/*
 * Called once, while the context is created, before other threads use the context. Opens no descriptor.
 * Errors: NOMEM.
 */
int libxl__host_open(libxl_ctx *ctx);
/*
 * Frees the state of this layer. Called once, while the context is freed, after the context's workers have
 * ended.
 */
void libxl__host_close(libxl_ctx *ctx);

/*
 * Translates the errno of a failed system call on a file, device or interface that the application has named.
 * Returns INVAL (the name is wrong), BUSY (the named thing is in use), PERMISSION, NOMEM, or FAIL for any
 * other errno. Needs no lock.
 */
int libxl__host_errno_rc(int errnoval);

#endif
