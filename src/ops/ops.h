/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What operation bodies share. */
#ifndef LIBXL__OPS_H
#define LIBXL__OPS_H

#include "_libxl_operations_internal.h"
#include "build.h"
#include "xen.h"

/* ---- taking a domain down (domain_teardown.c): by domain_destroy, and by domain_create_new for what it has
 * made */

typedef struct libxl__teardown {
    int step;
    libxl__domain_source domain;
    libxl__hv_destroy destroy;
    libxl__xs_batch *cleaning;
    bool cleaned; /* nothing is left to be done but to wait */
    int rc;
} libxl__teardown; /* the operation's, zeroed */

/*
 * Called each time the body is, with the same `info`: destroys the domain in the hypervisor, removes its
 * xenstore nodes, waits until it is gone. LIBXL__AO_WAIT, or 0 or an error, which is noted in ao.
 */
int libxl__teardown_step(libxl__ao *ao, libxl__teardown *teardown, const xc_domaininfo_t *info);

/* ---- names (domain_name.c): the names of all domains, read at once */

typedef struct libxl__names {
    xc_domaininfo_t *list; /* in the operation's memory */
    uint32_t count;
    libxl__xs_batch *reading;
    libxl__xs_request **names;
} libxl__names; /* the operation's, zeroed */

/* Sets the reading going. 0, or an error, which is noted in ao. */
int libxl__names_start(libxl__ao *ao, libxl__names *names);
/* After reading is done: finds the living domain of this name; LIBXL_DOMID_INVALID: none. */
int libxl__names_find(libxl__names *names, const char *name, uint32_t *domid_out);

#endif
