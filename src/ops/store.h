/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that the operations store_* share. Call all functions with the context locked. */
#ifndef LIBXL__STORE_H
#define LIBXL__STORE_H

#include "ops.h"

/*
 * Checks the operation's path, and makes it the subject of the operation's messages. Errors: INVAL, recorded
 * in ao.
 */
int libxl__store_check_path(libxl__ao *ao, const char *path);
/* Records in ao that the node does not exist. Returns NOTFOUND. */
int libxl__store_missing(libxl__ao *ao, const char *path);
/* Makes a batch for nodes that the application has named. Returns NULL if there is no memory. */
libxl__xs_batch *libxl__store_batch(libxl__ao *ao);

/*
 * Convert permissions between libxl_store_permission and xenstored's text (xs.h). The text is in ao's memory;
 * *size_out is its size in octets. Errors: NOMEM; of the first function also INVAL, recorded in ao.
 */
int libxl__store_permissions_read(libxl__ao *ao, const char *text, size_t size, libxl_store_permissions *out);
const char *libxl__store_permissions_text(libxl__ao *ao, const libxl_store_permissions *permissions,
                                          size_t *size_out);

#endif
