/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks which objects of this machine the configuration of a received domain names. Call this with the context
 * locked.
 */
#ifndef LIBXL__RECEIVED_ALLOWED_H
#define LIBXL__RECEIVED_ALLOWED_H

#include "ao.h"

/*
 * Checks a configuration that another machine has sent, before its defaults are set. Errors: INVAL, recorded in ao
 * with the path of the member that is not allowed; NOMEM.
 */
int libxl__received_check(libxl__ao *ao, const libxl_domain_config *config,
                          const libxl_received_allowed *allowed);

#endif
