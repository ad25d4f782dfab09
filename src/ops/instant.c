/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The operations that are one hypercall, or a few: each completes inside its initiator. */
#include "ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int libxl__domain_pause_body(libxl__ao *ao, libxl__domain_pause_args *args)
{
    return libxl__hv_pause(ao, args->in.domid);
}

int libxl__domain_unpause_body(libxl__ao *ao, libxl__domain_unpause_args *args)
{
    return libxl__hv_unpause(ao, args->in.domid);
}

int libxl__domain_get_info_body(libxl__ao *ao, libxl__domain_get_info_args *args)
{
    xc_domaininfo_t info;
    int rc = libxl__hv_info(ao, args->in.domid, &info);
    if (!rc)
        libxl__hv_dominfo(&info, args->out.info);
    return rc;
}

int libxl__domain_list_body(libxl__ao *ao, libxl__domain_list_args *args)
{
    libxl_dominfo_list *out = args->out.list;
    const xc_domaininfo_t *list;
    libxl_dominfo_list_init(out);
    int count = libxl__hv_list(ao->ctx, &list);
    if (count < 0)
        return libxl__ao_fail(ao, libxl__errno_rc(errno), "listing the domains: %s", strerror(errno));
    out->domains = calloc((size_t)count, sizeof(*out->domains));
    if (!out->domains)
        return libxl__ao_fail(ao, ERROR_NOMEM, "listing %d domains", count);
    out->num_domains = count;
    for (int i = 0; i < count; i++)
        libxl__hv_dominfo(&list[i], &out->domains[i]);
    return 0;
}

int libxl__host_info_body(libxl__ao *ao, libxl__host_info_args *args)
{
    return libxl__hv_physinfo(ao, args->out.info);
}

int libxl__host_version_body(libxl__ao *ao, libxl__host_version_args *args)
{
    return libxl__hv_version(ao, args->out.info);
}
