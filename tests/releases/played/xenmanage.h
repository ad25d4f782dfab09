/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of libxenmanage's header that the library uses. Xen has libxenmanage since 4.21, and Debian does
 * not have that release. The names, types and numbers are those of Xen's public header
 * tools/include/xenmanage.h.
 */
#ifndef XENMANAGE_H
#define XENMANAGE_H

#include <stdint.h>

struct xentoollog_logger;
typedef struct xenmanage_handle xenmanage_handle;

#define XENMANAGE_GETDOMSTATE_STATE_EXIST 0x0001

/* Returns NULL on an error. */
xenmanage_handle *xenmanage_open(struct xentoollog_logger *logger, unsigned int open_flags);
int xenmanage_close(xenmanage_handle *handle);
/* Stores the domain's values at the pointers that are not NULL. Returns 0, or -1 with errno. */
int xenmanage_get_domain_info(xenmanage_handle *handle, unsigned int domid, unsigned int *state,
                              unsigned int *caps, uint64_t *unique_id);

#endif
