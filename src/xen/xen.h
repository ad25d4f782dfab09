/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a context has of Xen: the hypervisor's handle, xenstore's, and what is followed there. */
#ifndef LIBXL__XEN_H
#define LIBXL__XEN_H

#include <xenctrl.h>

#include "await.h"
#include "destroy.h"
#include "domains.h"
#include "evtchn.h"
#include "handles.h"
#include "hypervisor.h"
#include "libxl_internal.h"
#include "names.h"
#include "watch.h"
#include "xs.h"
#include "xs_transport.h"

struct libxl__xen {
    libxl__handles handles;
    libxl__lane build_lane, destroy_lane;
    const libxl__xs_transport *transport;
    struct libxl__xs_wire *wire; /* one of these two: the transport's */
    struct libxl__xs_lib *lib;
    libxl__transactions transactions;
    struct libxl__domain_list {
        xc_domaininfo_t *infos;
        uint32_t count, room;
    } list; /* the last one; its memory is used again */
    libxl__watches watches;
    libxl__domains domains;
    libxl__names names;
    libxl__evtchns evtchns;
    LIST_HEAD(, libxl__evgen_disk_eject) disk_ejects;
    libxl_version_info *version; /* of libxl_get_version_info; NULL until asked for */
};

/* src/xen/disk_eject.c: frees those that are still enabled. */
void libxl__disk_ejects_close(libxl_ctx *ctx);

/* What opening something failed with: PERMISSION, FAIL and NOMEM for want of descriptors and memory, or `not_there`. */
int libxl__open_rc(int errnoval, int not_there);

/* What an errno of libxenctrl means. ESRCH: DOMAIN_NOTFOUND, EPERM and EACCES: PERMISSION, ... */
int libxl__errno_rc(int errnoval);

/* A logger that says nothing: libxenctrl would write to stderr if it were given none. */
extern xentoollog_logger libxl__silent_logger;

#endif
