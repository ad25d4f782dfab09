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

/* ---- names (domain_name.c): the names of all domains, read at once */

typedef struct libxl__names {
    uint32_t *domids; /* in the operation's memory */
    uint32_t count;
    libxl__xs_batch *reading;
    libxl__xs_request **names;
} libxl__names; /* the operation's, zeroed */

/* Sets the reading going. 0, or an error, which is noted in ao. */
int libxl__names_start(libxl__ao *ao, libxl__names *names);
/* After reading is done: finds the living domain of this name; LIBXL_DOMID_INVALID: none. */
int libxl__names_find(libxl__names *names, const char *name, uint32_t *domid_out);

#endif
