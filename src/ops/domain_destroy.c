/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_destroy: destroys a domain and waits until it is gone. A nested operation, domain_teardown, destroys
 * the domain. The nested operation continues if domain_destroy ends first.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "ops.h"

typedef libxl__nested domain_destroy_state;

static int teardown_start(libxl__ao *ao, libxl__nested *teardown)
{
    const uint32_t domid = ao->subject.number;
    xc_domaininfo_t info;
    if (domid == 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 cannot be destroyed");
    int rc = libxl__hv_info(ao, domid, &info);
    if (!rc)
        rc = libxl__teardown_reserve(ao, teardown, false);
    if (rc)
        return rc;
    libxl__teardown_start(teardown, domid, &ao->subject.uuid, &ao->subject.uuid);
    return LIBXL__AO_WAIT;
}

static int teardown_poll(libxl__ao *ao, libxl__nested *teardown)
{
    return libxl__teardown_poll(ao, teardown);
}

#include "_libxl_phases_domain_destroy.h"
