/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions for the data that toolstacks keep for a domain. Included by libxl.h.
 *
 * Toolstacks keep data for a domain in files, until the domain is gone. `userdata_userid` names the data: at most 64
 * characters of printable ASCII without '/'. libxl.h of libxl has a list of names that are in use. "libxl-json" is the
 * domain's configuration; libxl_retrieve_domain_configuration reads it.
 *
 * These functions are synchronous. They read and write files in the calling thread, and wait up to 10 s for another
 * program that changes the same domain's data. Any thread may call them. Errors: DOMAIN_NOTFOUND; INVAL for a wrong name;
 * LOCK_FAIL if the other program does not end; PERMISSION, NOMEM, FAIL.
 */
#ifndef LIBXL_USERDATA_H
#define LIBXL_USERDATA_H

/* Stores the data, and replaces earlier data of this name. If `datalen` is 0, the data is removed. */
int libxl_userdata_store(libxl_ctx *ctx, uint32_t domid, const char *userdata_userid, const uint8_t *data,
                         int datalen);
/* Reads the data. The caller frees *data_r. If there is no data, *data_r and *datalen_r are 0. Both pointers may be
 * NULL. After an error, nothing is stored in them. */
int libxl_userdata_retrieve(libxl_ctx *ctx, uint32_t domid, const char *userdata_userid, uint8_t **data_r,
                            int *datalen_r);
/* Removes the data. Missing data is not an error. */
int libxl_userdata_unlink(libxl_ctx *ctx, uint32_t domid, const char *userdata_userid);

#endif /* LIBXL_USERDATA_H */
