/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the handle of libxenmanage (domain_ids.h), from its first use until the context is freed. The context's lock
 * guards it.
 */
#include "release.h"
#include "xen.h"

#if LIBXL__HAS_XENMANAGE
/* Returns the handle, or NULL. Opens the handle at the first call. */
static struct xenmanage_handle *open_handle(libxl_ctx *ctx)
{
    libxl__domain_ids *ids = &ctx->xen->domain_ids;
    if (!ids->handle && !ids->failed) {
        ids->handle = xenmanage_open(libxl__xen_logger(ctx), 0);
        ids->failed = !ids->handle;
    }
    return ids->handle;
}

uint64_t libxl__domain_unique_id(libxl_ctx *ctx, uint32_t domid)
{
    struct xenmanage_handle *handle = open_handle(ctx);
    unsigned state = 0;
    uint64_t id = 0;
    if (!handle || xenmanage_get_domain_info(handle, domid, &state, NULL, &id))
        return 0;
    return state & XENMANAGE_GETDOMSTATE_STATE_EXIST ? id : 0;
}

void libxl__domain_ids_close(libxl_ctx *ctx)
{
    if (ctx->xen->domain_ids.handle)
        xenmanage_close(ctx->xen->domain_ids.handle);
}
#else
uint64_t libxl__domain_unique_id(libxl_ctx *ctx, uint32_t domid)
{
    (void)ctx, (void)domid;
    return 0;
}

void libxl__domain_ids_close(libxl_ctx *ctx)
{
    (void)ctx;
}
#endif
