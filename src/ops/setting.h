/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions for a phase that writes a domain's nodes in one transaction. The phase can be stopped until the
 * transaction is sent. Embed a libxl__setting in the operation's state; zero-initialise it. Call all
 * functions with the context locked.
 *
 * Debian's libxl gives a domain that it preserves another UUID in the `vm` node only (docs/limits.md). The
 * transaction is made for the operation's UUID, and fails if the `vm` node names another one. Then this file reads
 * the node, and checks whether the hypervisor still has the operation's domain. If so, the transaction is made again
 * for the UUID of the node. If not, another domain has the domid.
 */
#ifndef LIBXL__SETTING_H
#define LIBXL__SETTING_H

#include "ops.h"

typedef struct libxl__setting libxl__setting;
/* Adds the requests to setting->batch. */
typedef void libxl__setting_fill(libxl__ao *ao, libxl__setting *setting);

struct libxl__setting {
    libxl__xs_batch *batch;
    libxl__setting_fill *fill; /* NULL: the caller has made the batch, which is not made again */
    /* /vm/UUID: the directory that the `vm` node names. Empty: domain 0, which has no UUID. */
    char vm[LIBXL_UUID_FMTLEN + 5];
    libxl__xs_request *node; /* the request that reads the `vm` node; NULL: the batch does not read it */
    bool again;              /* the transaction is made for the second time */
    bool taken_back;         /* the operation was asked to stop before the transaction was sent */
    bool written;            /* xenstored has committed the transaction */
};

/*
 * Makes the batch, and runs it. Its first requests check that the operation's domain has its nodes. `fill` adds
 * further requests. It may be called twice, each time with a new batch. Call this at the end of the phase's start,
 * and return the function's result: AO_WAIT, or NOMEM.
 */
int libxl__setting_start(libxl__ao *ao, libxl__setting *setting, libxl__setting_fill *fill);
/*
 * Call this from the phase's poll, and return the function's result. Errors: DOMAIN_DESTROYED, those of
 * libxl__xs_result, or the reason of the stop request.
 */
int libxl__setting_poll(libxl__ao *ao, libxl__setting *setting);
/* Call this from the phase's stop. If the transaction has not been sent, takes it back. */
void libxl__setting_stop(libxl__setting *setting);

#endif
