/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hypervisor's unique numbers of domains. A later domain with the same domid and UUID has another number.
 * libxenmanage, which Xen has since 4.21, returns the number together with the state of the domain. Its hypercall has
 * the same form in all releases of Xen.
 */
#ifndef LIBXL__DOMAIN_IDS_H
#define LIBXL__DOMAIN_IDS_H

#include <libxl.h>

typedef struct libxl__domain_ids {
    struct xenmanage_handle *handle; /* the handle of libxenmanage; NULL: it is not open */
    bool failed;                     /* opening the handle has failed, so it is not tried again */
} libxl__domain_ids;

/*
 * Returns the unique number of the domain that has this domid now. Returns 0 if there is no such domain, or if the
 * hypervisor does not report the number. Without libxenmanage always returns 0. Opens libxenmanage at the first call.
 * Call it with the context locked.
 */
uint64_t libxl__domain_unique_id(libxl_ctx *ctx, uint32_t domid);
/* Closes libxenmanage. Called while the context is freed. */
void libxl__domain_ids_close(libxl_ctx *ctx);

#endif
