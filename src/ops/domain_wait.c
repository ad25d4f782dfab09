/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing beyond its operation. Waiting for a domain to stop, or to be gone, whoever brings it about.
 */
#include "ops.h"

enum { START, WATCHING };

int libxl__domain_wait_shutdown_body(libxl__ao *ao, libxl__domain_wait_shutdown_args *args)
{
    libxl__domain_source *domain = libxl__ao_state(ao, sizeof(*domain));
    if (!domain)
        return ERROR_NOMEM;
    if (ao->step == START) {
        xc_domaininfo_t info;
        int rc = libxl__hv_info(ao, args->in.domid, &info);
        if (!rc)
            rc = libxl__domain_source_start(ao, domain, &info);
        ao->step = WATCHING;
        return rc ? rc : LIBXL__AO_WAIT;
    }
    if (domain->follower.was_shutdown) {
        *args->out.reason = libxl__hv_shutdown_reason(domain->follower.code);
        return 0;
    }
    if (domain->follower.phase < LIBXL__DOMAIN_DYING)
        return LIBXL__AO_WAIT;
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domid: domain %u was destroyed", args->in.domid);
}

int libxl__domain_wait_gone_body(libxl__ao *ao, libxl__domain_wait_gone_args *args)
{
    libxl__domain_source *domain = libxl__ao_state(ao, sizeof(*domain));
    if (!domain)
        return ERROR_NOMEM;
    if (ao->step == START) {
        if (args->in.domid == 0)
            return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 never goes");
        xc_domaininfo_t info;
        int rc = libxl__hv_look(ao, args->in.domid, &info);
        if (rc == ERROR_DOMAIN_NOTFOUND)
            return 0;
        if (!rc)
            rc = libxl__domain_source_start(ao, domain, &info);
        ao->step = WATCHING;
        return rc ? rc : LIBXL__AO_WAIT;
    }
    return domain->follower.phase == LIBXL__DOMAIN_GONE ? 0 : LIBXL__AO_WAIT;
}
