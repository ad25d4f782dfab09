/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: ctx->host, from libxl__host_open to libxl__host_close. The context's lock guards it. */
#include "host.h"
#include "host_link.h"
#include "libxl_internal.h"

#include <errno.h>
#include <stdlib.h>

/*
 * The number of workers. It is larger than the number of processors, because a file system that does not
 * answer blocks one worker for each of its files.
 */
enum { MOST_AT_ONCE = 8 };

int libxl__host_open(libxl_ctx *ctx)
{
    ctx->host = calloc(1, sizeof(*ctx->host));
    if (!ctx->host)
        return libxl__refuse_in(ERROR_NOMEM, "libxl_ctx_alloc");
    libxl__lane_open(ctx, &ctx->host->lane, "xl-host", MOST_AT_ONCE, false);
    libxl__block_queue_open(&ctx->host->block_queue);
    return 0;
}

void libxl__host_close(libxl_ctx *ctx)
{
    if (!ctx->host)
        return;
    libxl__links_close(ctx);
    free(ctx->host);
    ctx->host = NULL;
}

int libxl__host_errno_rc(int errnoval)
{
    switch (errnoval) {
    case 0: return 0;
    case EPERM:
    case EACCES: return ERROR_PERMISSION;
    case EROFS:
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENODEV:
    case ENXIO:
    case EINVAL: return ERROR_INVAL;
    case EBUSY:
    case EEXIST:
    case ETXTBSY: return ERROR_BUSY;
    case ENOMEM: return ERROR_NOMEM;
    default: return ERROR_FAIL;
    }
}
