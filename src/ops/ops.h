/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What operation bodies share. */
#ifndef LIBXL__OPS_H
#define LIBXL__OPS_H

#include "_libxl_operations_internal.h"
#include "build.h"
#include "xen.h"

/* ---- taking a domain down (domain_teardown.c): for domain_destroy, and for what domain_create_new has made
 */

typedef struct libxl__teardown_args {
    uint32_t domid;
    libxl_uuid uuid; /* another domain behind the same domid is left alone */
} libxl__teardown_args;

/*
 * Destroys the domain in the hypervisor, removes its xenstore nodes, waits until it is gone; done when
 * nested->done. It goes on if the operation ends before it. Errors: NOMEM.
 */
int libxl__teardown_start(libxl__ao *ao, libxl__nested *nested, uint32_t domid, const libxl_uuid *uuid);

#endif
