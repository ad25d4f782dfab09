/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions for synchronous queries of domains and the host. Each runs an operation of this library.
 * Owns the version information that libxl_get_version_info returns, which is freed with the context. Any
 * thread may call these functions, without the context's lock.
 */
#include "ops.h"

#include <stdlib.h>

#include <libxl_utils.h>

int libxl_domain_info(libxl_ctx *ctx, libxl_dominfo *info_out, uint32_t domid)
{
    libxl_dominfo unused;
    int rc = libxl_domain_get_info(ctx, domid, info_out ? info_out : &unused, NULL);
    if (!rc && !info_out)
        libxl_dominfo_dispose(&unused);
    return rc;
}

int libxl_name_to_domid(libxl_ctx *ctx, const char *name, uint32_t *domid)
{
    libxl_domid found;
    const int rc = libxl_domain_find(ctx, name, &found, NULL);
    if (!rc)
        *domid = found; /* *domid changes only on success, as in libxl */
    /* As in libxl, a name that no domain has gives INVAL. libxl_error_message has the reason. */
    return rc == ERROR_NOTFOUND ? ERROR_INVAL : rc;
}

char *libxl_domid_to_name(libxl_ctx *ctx, uint32_t domid)
{
    char *name;
    return libxl_domain_get_name(ctx, domid, &name, NULL) ? NULL : name;
}

int libxl_get_physinfo(libxl_ctx *ctx, libxl_physinfo *physinfo)
{
    return libxl_host_info(ctx, physinfo, NULL);
}

const libxl_version_info *libxl_get_version_info(libxl_ctx *ctx)
{
    libxl_version_info *fresh = calloc(1, sizeof(*fresh));
    if (!fresh || libxl_host_version(ctx, fresh, NULL)) {
        free(fresh);
        return NULL;
    }
    libxl__ctx_lock(ctx);
    libxl_version_info *kept = ctx->xen->version;
    if (!kept)
        ctx->xen->version = fresh;
    libxl__ctx_unlock(ctx);
    if (!kept)
        return fresh;
    libxl_version_info_dispose(fresh);
    free(fresh);
    return kept;
}
