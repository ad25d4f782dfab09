/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of domain_create_new that have files of their own. Call them with the context locked. */
#ifndef LIBXL__CREATE_H
#define LIBXL__CREATE_H

#include "ops.h"

/*
 * Checks the configuration, and sets the memory sizes that the builder is to use. Errors: INVAL, NI, with a message in ao that
 * begins with the field's path.
 */
int libxl__create_check(libxl__ao *ao, const libxl_domain_config *config, libxl__build *build);

/* Adds the requests that write the nodes of a domain that was built. */
void libxl__create_nodes(libxl__xs_batch *batch, const libxl__build *build,
                         const libxl_domain_config *config);

#endif
