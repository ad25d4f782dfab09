/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_wait_shutdown waits until a domain has shut down. domain_wait_gone waits until a domain is gone. Neither
 * operation changes anything.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "ops.h"

typedef libxl__domain_source domain_wait_shutdown_state, domain_wait_gone_state;

static int stopped_start(libxl__ao *ao, libxl__domain_source *domain)
{
    xc_domaininfo_t info;
    int rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (!rc)
        rc = libxl__domain_source_start(ao, domain, &info);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int stopped_poll(libxl__ao *ao, libxl__domain_source *domain)
{
    const libxl__domain_wait_shutdown_args *args = libxl__ao_args(ao);
    if (domain->follower.was_shutdown) {
        *args->out.reason = libxl__hv_shutdown_reason(domain->follower.code);
        return 0;
    }
    if (domain->follower.phase < LIBXL__DOMAIN_DYING) {
        const int rc = libxl__domain_source_check(ao);
        return rc ? rc : LIBXL__AO_WAIT;
    }
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domid: domain %u was destroyed", ao->subject.number);
}

static int gone_start(libxl__ao *ao, libxl__domain_source *domain)
{
    xc_domaininfo_t info;
    if (ao->subject.number == 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 is never gone");
    int rc = libxl__hv_look(ao, ao->subject.number, &info);
    if (rc == ERROR_DOMAIN_NOTFOUND)
        return 0;
    if (!rc)
        rc = libxl__domain_source_start(ao, domain, &info);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int gone_poll(libxl__ao *ao, libxl__domain_source *domain)
{
    if (domain->follower.phase == LIBXL__DOMAIN_GONE)
        return 0;
    const int rc = libxl__domain_source_check(ao);
    return rc ? rc : LIBXL__AO_WAIT;
}

#include "_libxl_phases_domain_wait_gone.h"
#include "_libxl_phases_domain_wait_shutdown.h"
