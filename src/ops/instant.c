/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bodies of the instant operations. Each operation makes a few hypercalls, and completes before its
 * initiator returns. A synchronous call does not take the context's lock (ao.h). This file owns nothing.
 */
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
    if (!rc) {
        libxl__hv_dominfo(&info, args->out.info);
        args->out.info->ssid_label = libxl__hv_label(ao->ctx, info.ssidref);
    }
    return rc;
}

int libxl__domain_check_uuid_body(libxl__ao *ao, libxl__domain_check_uuid_args *args)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_look(ao, args->in.domid, &info);
    if (rc == ERROR_DOMAIN_NOTFOUND)
        return libxl__ao_fail(ao, ERROR_DOMAIN_GONE, "domid: there is no domain %u", args->in.domid);
    if (!rc && memcmp(info.handle, args->in.uuid.uuid, sizeof(info.handle)) != 0)
        return libxl__ao_fail(ao, ERROR_DOMAIN_GONE, "domid: another domain is number %u", args->in.domid);
    return rc;
}

/* Appends a page's domains to the list. Returns 0, or -1 if there is no memory. */
static int add_page(libxl_ctx *ctx, libxl_dominfo_list *list, const xc_domaininfo_t *page, int count,
                    int *room)
{
    if (list->num_domains + count > *room) {
        *room = *room ? 2 * *room : LIBXL__HV_PAGE;
        libxl_dominfo *larger = realloc(list->domains, (size_t)*room * sizeof(*larger));
        if (!larger)
            return -1;
        list->domains = larger;
    }
    for (int i = 0; i < count; i++) {
        libxl_dominfo *info = &list->domains[list->num_domains++];
        libxl__hv_dominfo(&page[i], info);
        info->ssid_label = libxl__hv_label(ctx, page[i].ssidref);
    }
    return 0;
}

int libxl__domain_list_body(libxl__ao *ao, libxl__domain_list_args *args)
{
    libxl_dominfo_list *out = args->out.list;
    xc_domaininfo_t page[LIBXL__HV_PAGE];
    uint32_t first = 0;
    int got, room = 0;
    libxl_dominfo_list_init(out);
    do {
        got = libxl__hv_list_page(ao->ctx, &first, page);
        int rc = 0;
        if (got < 0)
            rc = libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "listing the domains: %s",
                                strerror(errno));
        else if (add_page(ao->ctx, out, page, got, &room))
            rc = libxl__ao_fail(ao, ERROR_NOMEM, "listing %d domains and more", out->num_domains);
        if (rc) {
            libxl_dominfo_list_dispose(out);
            return rc;
        }
    } while (got == LIBXL__HV_PAGE);
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
