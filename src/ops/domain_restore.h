/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What domain_restore adds to the phases of making.h. Call all functions with the context locked. */
#ifndef LIBXL__DOMAIN_RESTORE_H
#define LIBXL__DOMAIN_RESTORE_H

#include "ops.h"

/* Returns whether the operation is domain_restore or domain_restore_incoming, which have the same inputs. */
bool libxl__restores(const libxl__ao *ao);
/* Returns whether the operation is domain_restore_incoming. */
bool libxl__is_incoming(const libxl__ao *ao);

/*
 * The end of the name of a domain that another machine sends, until the guest belongs to this machine. xl uses the
 * same text.
 */
#define LIBXL__INCOMING "--incoming"

/*
 * For domain_restore_incoming: adds LIBXL__INCOMING to the configuration's name, and stores the former name in
 * *name_out, in the operation's memory. Does nothing for another operation. Errors: NOMEM.
 */
int libxl__incoming_rename(libxl__ao *ao, libxl_domain_config *config, const char **name_out);

/*
 * For a domain_restore whose configuration is in the stream: if the application has given the input `allowed`, checks
 * the configuration against it. Does nothing for another operation. Errors: those of libxl__received_check.
 */
int libxl__restore_check_allowed(libxl__ao *ao, const libxl_domain_config *config);

#endif
