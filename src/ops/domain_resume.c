/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_resume, and domain_recover, which a failed save runs. Both let a suspended domain run again.
 *
 * xenstored reports the stop of a domain once. So it must be told that the domain runs again (XS_RESUME,
 * Xen's docs/misc/xenstore.txt). Otherwise it would not report the next stop.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "ops.h"
#include "resume.h"

#include <errno.h>

typedef struct resuming {
    libxl__resume resume;
    libxl__xs_batch *told;
} domain_resume_state, domain_recover_state;

static const libxl__domain_resume_args *resume_of(libxl__ao *ao)
{
    return ao->cls == &libxl__operations[LIBXL__OP_DOMAIN_RESUME] ? libxl__ao_args(ao) : NULL;
}

static int resume_start(libxl__ao *ao, struct resuming *s)
{
    const libxl__domain_resume_args *args = resume_of(ao);
    const libxl__domain_recover_args *recover = libxl__ao_args(ao);
    xc_domaininfo_t info;
    int rc = args ? libxl__hv_info(ao, ao->subject.number, &info) : 0;
    if (!rc && args && info.domain == 0)
        rc = libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 is not a guest");
    if (!rc && args && !args->in.suspend_cancel && info.flags & XEN_DOMINF_hvm_guest)
        rc = libxl__ao_fail(ao, ERROR_INVAL, "suspend_cancel: must be 1, because domain %u is not a PV guest",
                            info.domain);
    if (!rc)
        rc = libxl__resume_reserve(ao, &s->resume);
    if (rc)
        return rc;
    s->resume.domid = ao->subject.number;
    s->resume.cancelled = !args || args->in.suspend_cancel;
    s->resume.saved = !args;
    s->resume.suspended = args || recover->in.suspended;
    libxl__resume_start(ao, &s->resume);
    return LIBXL__AO_WAIT;
}

static int resume_poll(libxl__ao *ao, struct resuming *s)
{
    if (!libxl__resume_done(&s->resume))
        return LIBXL__AO_WAIT;
    errno = s->resume.errnoval;
    if (errno)
        return libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "resuming", ao->subject.number);
    if (!s->resume.resumed && resume_of(ao))
        return libxl__ao_fail(ao, ERROR_NOT_READY, "domid: domain %u is not suspended", ao->subject.number);
    return 0;
}

static int tell_start(libxl__ao *ao, struct resuming *s)
{
    if (!s->resume.resumed)
        return 0;
    libxl__domains_look_soon(ao->ctx);
    s->told = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->told)
        return ERROR_NOMEM;
    libxl__xs_resume(s->told);
    const int rc = libxl__xs_run(s->told, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int tell_poll(libxl__ao *ao, struct resuming *s)
{
    (void)ao;
    return libxl__xs_done(s->told) ? libxl__xs_result(s->told) : LIBXL__AO_WAIT;
}

/* The request was sent already, so nothing has to be done. */
static void tell_stop(libxl__ao *ao, struct resuming *s)
{
    (void)ao, (void)s;
}

#include "_libxl_phases_domain_recover.h"
#include "_libxl_phases_domain_resume.h"
