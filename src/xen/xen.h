/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The context's connection to Xen: the handles to the hypervisor and to xenstored, and the state of
 * everything that uses them. open.c owns the whole structure. Each member belongs to the file that declares
 * its type. The context's lock guards the members, unless the member's header says otherwise. This header
 * includes every header of src/xen that operations need.
 */
#ifndef LIBXL__XEN_H
#define LIBXL__XEN_H

#include <stdatomic.h>

#include <xenctrl.h>

#include "await.h"
#include "creations.h"
#include "destroy.h"
#include "domain_ids.h"
#include "domains.h"
#include "errno_rc.h"
#include "evtchn.h"
#include "handles.h"
#include "hypervisor.h"
#include "libxl_internal.h"
#include "kept_names.h"
#include "marks.h"
#include "names.h"
#include "save_mark.h"
#include "admission.h"
#include "userdata.h"
#include "watch.h"
#include "xs.h"
#include "xs_directory.h"
#include "xs_link.h"
#include "xs_transport.h"

/* The operations of src/ops/device_model.c, each of which starts the QEMU of a domain. */
LIST_HEAD(libxl__device_models, device_model);

/* The recoveries of src/ops/domain_recover.c, one for each domain that is saved or recovered. */
LIST_HEAD(libxl__recoveries, recovering);

struct libxl__xen {
    struct libxl__device_models device_models;
    struct libxl__recoveries recoveries;
    libxl__handles handles;
    libxl__lane build_lane, destroy_lane, userdata_lane;
    libxl__lane statistics_lane, dump_lane, resume_lane;
    /* The lane for hypercalls that allocate or free much guest memory. */
    libxl__lane memory_lane;
    libxl__lane pci_lane;                 /* the lane for the jobs on PCI devices */
    libxl__lane usb_lane;                 /* the lane for the jobs on USB devices */
    const libxl__xs_transport *transport; /* the way to reach xenstored; NULL until it is open */
    libxl__xs_link link;
    /*
     * `wire`: the state of wire.c; NULL if libxenstore is used. `lib`: the state of xs_lib.c; NULL if
     * libxenstore is not used.
     */
    struct libxl__xs_wire *wire;
    struct libxl__xs_lib *lib;
    libxl__transactions transactions;
    libxl__xs_spare spare;
    struct libxl__domain_list {
        xc_domaininfo_t *infos;
        uint32_t count, room;
        /* The result of the last libxl__hv_list. The next call of libxl__hv_list uses the memory again. */
    } list;
    libxl__watches watches;
    libxl__domains domains;
    libxl__domain_ids domain_ids;
    libxl__kept_names kept_names;
    libxl__evtchns evtchns;
    libxl__marker marker;
    /* The hypervisor has no FLASK. This does not change while the machine runs. */
    atomic_bool no_flask;
    libxl__creations creations;
    /* Limits the creations that wait for xenconsoled at the same time. */
    libxl__admissions console_admissions;
    /* Limits the teardowns that remove the nodes of their domains at the same time. */
    libxl__admissions removal_admissions;
    /* The number of domains that this context has introduced to xenstored. */
    uint64_t introductions;
    /* The result of libxl_get_version_info, which belongs to the context; NULL until the first call. */
    libxl_version_info *version;
};

/*
 * Connects to Xen. Called while the context is made. Waits for xenstored unless `flags` contains
 * LIBXL_CTX_NO_WAIT. Call libxl__xen_close afterwards, also after an error. Errors, with a message:
 * NO_HYPERVISOR, NO_XENSTORE, PERMISSION, NOMEM, FAIL.
 */
int libxl__xen_open(libxl_ctx *ctx, unsigned flags);
/* Disconnects from Xen. Called while the context is freed, after its workers have ended. */
void libxl__xen_close(libxl_ctx *ctx);
/*
 * Adds the numbers that src/xen counts to *out, in which src/core has already stored its own numbers. Call this with
 * the context locked.
 */
void libxl__xen_count(libxl_ctx *ctx, libxl_counters *out);
/* Closes the child's copies of the descriptors. Called in the child of a fork. */
void libxl__xen_postfork(libxl_ctx *ctx);

/*
 * Returns the application's logger, or a logger that discards every message (logger.c). Never returns NULL,
 * because libxenctrl writes to stderr if its logger is NULL.
 */
xentoollog_logger *libxl__xen_logger(const libxl_ctx *ctx);

#endif
