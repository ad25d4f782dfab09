/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing beyond its operation. Taking a domain down, and the operation that does just that.
 *
 * Paths are built from the domid and from the uuid that the hypervisor has, never from values read in
 * xenstore.
 */
#include "ops.h"

#include <errno.h>
#include <string.h>

static int clean_xenstore(libxl__ao *ao, libxl__teardown *t, const xc_domaininfo_t *info)
{
    const unsigned domid = info->domain;
    libxl_uuid uuid;
    memcpy(uuid.uuid, info->handle, sizeof(uuid.uuid));
    t->cleaning = libxl__xs_batch_new(ao, domid);
    if (!t->cleaning)
        return ERROR_NOMEM;
    libxl__xs_remove(t->cleaning, "/local/domain/%u", domid);
    libxl__xs_remove(t->cleaning, "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(uuid));
    libxl__xs_remove(t->cleaning, "/libxl/%u", domid);
    return libxl__xs_run(t->cleaning, LIBXL__XS_ONE_BY_ONE);
}

int libxl__teardown_step(libxl__ao *ao, libxl__teardown *t, const xc_domaininfo_t *info)
{
    enum { START, DESTROYED, CLEANED, GONE };
    switch (t->step) {
    case START: {
        int rc = libxl__domain_source_start(ao, &t->domain, info);
        if (!rc)
            rc = libxl__hv_destroy_start(ao, &t->destroy, info->domain);
        if (rc)
            return rc;
        t->step = DESTROYED;
        return LIBXL__AO_WAIT;
    }
    case DESTROYED: {
        if (!libxl__hv_destroy_done(&t->destroy))
            return LIBXL__AO_WAIT;
        libxl__domains_look_soon(ao->ctx);
        /* ESRCH: somebody else was faster, which is as good. */
        if (t->destroy.errnoval && t->destroy.errnoval != ESRCH)
            return libxl__ao_fail(ao, libxl__errno_rc(t->destroy.errnoval), "destroying domain %u: %s",
                                  (unsigned)info->domain, strerror(t->destroy.errnoval));
        int rc = clean_xenstore(ao, t, info);
        if (rc)
            return rc;
        t->step = CLEANED;
        return LIBXL__AO_WAIT;
    }
    case CLEANED:
        if (!libxl__xs_done(t->cleaning))
            return LIBXL__AO_WAIT;
        t->rc = libxl__xs_result(t->cleaning);
        t->cleaned = true;
        t->step = GONE;
        __attribute__((fallthrough));
    case GONE: return t->domain.follower.phase == LIBXL__DOMAIN_GONE ? t->rc : LIBXL__AO_WAIT;
    }
    return ERROR_BADFAIL;
}

struct destroy {
    xc_domaininfo_t info;
    libxl__teardown teardown;
};

int libxl__domain_destroy_body(libxl__ao *ao, libxl__domain_destroy_args *args)
{
    struct destroy *s = libxl__ao_state(ao, sizeof(*s));
    if (!s)
        return ERROR_NOMEM;
    if (ao->step == 0) {
        if (args->in.domid == 0)
            return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 cannot be destroyed");
        int rc = libxl__hv_info(ao, args->in.domid, &s->info);
        if (rc)
            return rc;
        libxl__ao_unwinds(ao);
        ao->step = 1;
    }
    int rc = libxl__teardown_step(ao, &s->teardown, &s->info);
    /* Who gives it up is not kept waiting for the end; but nobody else would remove the nodes. */
    return rc == LIBXL__AO_WAIT && ao->stop && s->teardown.cleaned ? ao->stop : rc;
}
