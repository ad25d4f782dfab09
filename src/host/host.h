/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host does beside Xen, for the devices of domains: files and loop devices, network interfaces, and hotplug
 * scripts. This layer knows no xenstore and no domain.
 *
 * Calls that can block (opening a file on a network file system, opening or closing a block device) run on workers,
 * in a lane of their own. The context's lock guards everything else.
 */
#ifndef LIBXL__HOST_H
#define LIBXL__HOST_H

#include "ao.h"
#include "worker.h"

struct libxl__links;

struct libxl__host {
    libxl__lane lane;           /* of the calls that can block */
    struct libxl__links *links; /* the netlink sockets; NULL until an operation needs one */
};

/* Called once, while the context is created, before other threads use it. Opens no descriptor. Errors: NOMEM. */
int libxl__host_open(libxl_ctx *ctx);
/* Called once, while the context is freed, after its workers have ended. */
void libxl__host_close(libxl_ctx *ctx);

/*
 * Returns the library's error for a failed system call on something of the host that the application named. INVAL: the
 * name is wrong. BUSY: it is in use. PERMISSION, NOMEM, otherwise FAIL. Needs no lock.
 */
int libxl__host_errno_rc(int errnoval);

#endif
