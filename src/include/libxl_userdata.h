/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions for userdata, which toolstacks keep for a domain. Included by libxl.h.
 *
 * Userdata is stored in files until the domain is gone. `userdata_userid` names the data: at most 64
 * characters of printable ASCII without '/'. libxl's own libxl.h has a list of names that are in use. The
 * data with the name "libxl-json" is the domain's configuration, which libxl_retrieve_domain_configuration
 * reads.
 *
 * These functions are synchronous. They read and write files in the calling thread. If another program is
 * changing userdata of the same domain, the functions wait up to 10 s until that program has ended its
 * change. Any thread may call them. Errors: DOMAIN_NOTFOUND, INVAL (the name is wrong), LOCK_FAIL (the other
 * program has not ended within 10 s), PERMISSION, NOMEM, FAIL.
 */
#ifndef LIBXL_USERDATA_H
#define LIBXL_USERDATA_H

/* Stores the data. Replaces earlier data of this name. If `datalen` is 0, removes the data. */
int libxl_userdata_store(libxl_ctx *ctx, uint32_t domid, const char *userdata_userid, const uint8_t *data,
                         int datalen);
/*
 * Reads the data. Stores the data in *data_r and its length in *datalen_r. The caller frees *data_r with
 * free(). If there is no data, *data_r is NULL and *datalen_r is 0. Both pointers may be NULL. After an
 * error, neither is set.
 */
int libxl_userdata_retrieve(libxl_ctx *ctx, uint32_t domid, const char *userdata_userid, uint8_t **data_r,
                            int *datalen_r);
/* Removes the data. Missing data is not an error. */
int libxl_userdata_unlink(libxl_ctx *ctx, uint32_t domid, const char *userdata_userid);

#endif /* LIBXL_USERDATA_H */
