/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions for the resources that the processors of a socket share (libxl_host.h). Each runs an
 * operation of this library. Owns nothing: arrays belong to the caller. Any thread may call these functions, without
 * the context's lock. As in libxl, the error is FAIL if the host does not have the feature.
 */
#include "ops.h"

#include <stdlib.h>

static int of_psr(int rc)
{
    return rc == ERROR_NI ? ERROR_FAIL : rc;
}

int libxl_psr_cmt_attach(libxl_ctx *ctx, uint32_t domid)
{
    return of_psr(libxl_domain_psr_attach(ctx, domid, NULL));
}

int libxl_psr_cmt_detach(libxl_ctx *ctx, uint32_t domid)
{
    return of_psr(libxl_domain_psr_detach(ctx, domid, NULL));
}

int libxl_psr_cmt_domain_attached(libxl_ctx *ctx, uint32_t domid)
{
    bool attached;
    return !libxl_domain_psr_attached(ctx, domid, &attached, NULL) && attached;
}

int libxl_psr_cmt_enabled(libxl_ctx *ctx)
{
    libxl_psr_cmt_info info;
    return !libxl_host_psr_cmt(ctx, &info, NULL);
}

int libxl_psr_cmt_get_total_rmid(libxl_ctx *ctx, uint32_t *total_rmid)
{
    libxl_psr_cmt_info info;
    const int rc = of_psr(libxl_host_psr_cmt(ctx, &info, NULL));
    if (!rc)
        *total_rmid = info.total_rmid;
    return rc;
}

int libxl_psr_cmt_type_supported(libxl_ctx *ctx, libxl_psr_cmt_type type)
{
    libxl_psr_cmt_info info;
    return !libxl_host_psr_cmt(ctx, &info, NULL) && info.types >> ((unsigned)type - 1) & 1;
}

int libxl_psr_cmt_get_l3_cache_size(libxl_ctx *ctx, uint32_t socketid, uint32_t *l3_cache_size)
{
    return of_psr(libxl_host_psr_cache_size(ctx, socketid, l3_cache_size, NULL));
}

int libxl_psr_cmt_get_sample(libxl_ctx *ctx, uint32_t domid, libxl_psr_cmt_type type, uint64_t scope,
                             uint64_t *sample_r, uint64_t *tsc_r)
{
    libxl_psr_sample sample;
    const int rc = of_psr(libxl_domain_psr_sample(ctx, domid, type, (uint32_t)scope, &sample, NULL));
    if (rc)
        return rc;
    *sample_r = sample.value;
    if (tsc_r)
        *tsc_r = sample.tsc;
    return 0;
}

int libxl_psr_cmt_get_cache_occupancy(libxl_ctx *ctx, uint32_t domid, uint32_t socketid,
                                      uint32_t *l3_cache_occupancy)
{
    uint64_t octets;
    const int rc =
        libxl_psr_cmt_get_sample(ctx, domid, LIBXL_PSR_CMT_TYPE_CACHE_OCCUPANCY, socketid, &octets, NULL);
    if (!rc)
        *l3_cache_occupancy = (uint32_t)(octets / 1024);
    return rc;
}

int libxl_psr_set_val(libxl_ctx *ctx, uint32_t domid, libxl_psr_type type, libxl_bitmap *target_map,
                      uint64_t val)
{
    return of_psr(libxl_domain_psr_set(ctx, domid, type, target_map, val, NULL));
}

int libxl_psr_get_val(libxl_ctx *ctx, uint32_t domid, libxl_psr_type type, unsigned int target, uint64_t *val)
{
    return of_psr(libxl_domain_psr_get(ctx, domid, type, target, val, NULL));
}

int libxl_psr_cat_set_cbm(libxl_ctx *ctx, uint32_t domid, libxl_psr_cbm_type type, libxl_bitmap *target_map,
                          uint64_t cbm)
{
    return libxl_psr_set_val(ctx, domid, type, target_map, cbm);
}

int libxl_psr_cat_get_cbm(libxl_ctx *ctx, uint32_t domid, libxl_psr_cbm_type type, uint32_t target,
                          uint64_t *cbm_r)
{
    return libxl_psr_get_val(ctx, domid, type, target, cbm_r);
}

/* ---- what the sockets can do */

int libxl_psr_get_hw_info(libxl_ctx *ctx, libxl_psr_feat_type type, unsigned int lvl, unsigned int *nr,
                          libxl_psr_hw_info **info)
{
    libxl_psr_hw_info_list list;
    const int rc = of_psr(libxl_host_psr_hw_info(ctx, type, lvl, &list, NULL));
    if (rc)
        return rc;
    *nr = (unsigned)list.num_sockets;
    *info = list.sockets;
    return 0;
}

int libxl_psr_cat_get_info(libxl_ctx *ctx, libxl_psr_cat_info **info, unsigned int *nr, unsigned int lvl)
{
    libxl_psr_hw_info *found;
    const int rc = libxl_psr_get_hw_info(ctx, LIBXL_PSR_FEAT_TYPE_CAT, lvl, nr, &found);
    if (rc)
        return rc;
    libxl_psr_cat_info *list = calloc(*nr + 1, sizeof(*list));
    for (unsigned i = 0; list && i < *nr; i++)
        list[i] = (libxl_psr_cat_info){.id = found[i].id,
                                       .cos_max = found[i].u.cat.cos_max,
                                       .cbm_len = found[i].u.cat.cbm_len,
                                       .cdp_enabled = found[i].u.cat.cdp_enabled};
    libxl_psr_hw_info_list_free(found, *nr);
    if (!list)
        return libxl__refuse_in(ERROR_NOMEM, "libxl_psr_cat_get_info");
    *info = list;
    return 0;
}

int libxl_psr_cat_get_l3_info(libxl_ctx *ctx, libxl_psr_cat_info **info, int *nr)
{
    unsigned count;
    const int rc = libxl_psr_cat_get_info(ctx, info, &count, 3);
    if (!rc)
        *nr = (int)count;
    return rc;
}

void libxl_psr_cat_info_list_free(libxl_psr_cat_info *list, int nr)
{
    for (int i = 0; i < nr; i++)
        libxl_psr_cat_info_dispose(&list[i]);
    free(list);
}
