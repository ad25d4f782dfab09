/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_utils: names for domids, and small helpers.
 *
 * Any thread may call these functions. They wait for xenstored's answer, and meanwhile do the library's work:
 * callbacks and event hooks may run on the calling thread, as in any synchronous call.
 */
#ifndef LIBXL_UTILS_H
#define LIBXL_UTILS_H

#include <libxl.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Finds a domain by its name. Returns 0 and stores the number in *domid. On an error *domid is unchanged:
 * INVAL if no domain has this name, as in libxl; otherwise an error of libxl_domain_find.
 */
int libxl_name_to_domid(libxl_ctx *ctx, const char *name, uint32_t *domid);

/*
 * Returns a domain's name, which the caller frees with free(). Returns NULL if there is no such domain, and
 * on any error.
 */
char *libxl_domid_to_name(libxl_ctx *ctx, uint32_t domid);

/* Fills an object with zero octets. */
#define LIBXL_FILLZERO(object) (memset(&(object), 0, sizeof((object))))

#ifdef __cplusplus
}
#endif

#endif /* LIBXL_UTILS_H */
