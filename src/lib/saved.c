/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl's function that restores a domain. Owns nothing. Any thread may call it, without the context's lock. */
#include "ops.h"

int libxl_domain_create_restore(libxl_ctx *ctx, libxl_domain_config *d_config, uint32_t *domid,
                                int restore_fd, int send_back_fd, const libxl_domain_restore_params *params,
                                const libxl_asyncop_how *ao_how,
                                const libxl_asyncprogress_how *aop_console_how)
{
    if (params && params->checkpointed_stream)
        return libxl__refuse(ERROR_NI, "params.checkpointed_stream: checkpoints are not implemented");
    if (params && params->stream_version != 2)
        return libxl__refuse(ERROR_NI, "params.stream_version: %u is not implemented; 2 is",
                             params->stream_version);
    /*
     * xl passes a descriptor of the migration's connection. libxl writes to it only for checkpoints, which this
     * library does not have.
     */
    (void)send_back_fd;
    return libxl_domain_restore(ctx, restore_fd, d_config, NULL, domid, ao_how, aop_console_how);
}

int libxl_domain_remus_start(libxl_ctx *ctx, libxl_domain_remus_info *info, uint32_t domid, int send_fd,
                             int recv_fd, const libxl_asyncop_how *ao_how)
{
    (void)ctx;
    (void)info;
    (void)send_fd;
    (void)recv_fd;
    (void)ao_how;
    return libxl__refuse(ERROR_NI, "libxl_domain_remus_start, domain %u: replication is not implemented",
                         domid);
}
