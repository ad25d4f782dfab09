/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_resume lets a suspended domain run again. domain_keep_suspended ends a save, and leaves the domain suspended.
 *
 * xenstored reports the stop of a domain once. When the domain runs again, xenstored needs the request XS_RESUME
 * (Xen's docs/misc/xenstore.txt). Without this request it would not report the next stop.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "qmp.h"
#include "recover.h"
#include "resume.h"

#include <errno.h>

typedef struct resuming {
    libxl__resume resume;
    libxl__qmp qmp; /* sends `cont` to QEMU */
    libxl__xs_batch *batch;
    libxl__xs_request *mark;
} domain_resume_state, domain_keep_suspended_state;

static const libxl__domain_resume_args *args_of(libxl__ao *ao)
{
    return libxl__ao_args(ao);
}

/* ---- check: checks that the domain is not being saved */

static int check_start(libxl__ao *ao, struct resuming *s)
{
    xc_domaininfo_t info;
    int rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (!rc && info.domain == 0)
        rc = libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 is not a guest");
    if (!rc && libxl__is_claimed(ao))
        rc = libxl__ao_fail(ao, ERROR_BUSY, "domid: domain %u is being saved or suspended", info.domain);
    if (rc)
        return rc;
    s->batch = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->batch)
        return ERROR_NOMEM;
    s->mark = libxl__xs_read(s->batch, LIBXL__SAVE_MARK, ao->subject.number);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Returns whether another operation still uses the mark of the save (save_mark.h). The mark of another process is in
 * use until that process has saved the domain. The mark of a save of this process is not checked here, because
 * check_start finds the save in the context's list of recoveries. But a migration of this process may belong to
 * another context, so the mark of a migration is checked. Such a mark is not in use if this operation is nested,
 * because a migration itself starts this operation to let its guest run.
 */
static bool is_busy(const libxl__ao *ao, const libxl__save_mark *found)
{
    const bool migrates = found->stage == LIBXL__SAVE_SENT || found->stage == LIBXL__SAVE_GIVEN;
    if (found->mark.left)
        return false;
    return found->mark.own ? migrates && ao->notify_target != LIBXL__AO_PARENT
                           : found->stage != LIBXL__SAVE_SAVED;
}

static int fail_moved(libxl__ao *ao)
{
    return libxl__ao_fail(ao, ERROR_INVAL, "domid: the guest of domain %u runs on another machine",
                          ao->subject.number);
}

static int check_poll(libxl__ao *ao, struct resuming *s)
{
    libxl__save_mark found;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    const bool marked = libxl__save_mark_read(ao->ctx, libxl__xs_value(s->mark), &found);
    const bool busy = marked && is_busy(ao, &found);
    libxl__xs_batch_free(s->batch);
    s->batch = NULL;
    if (marked && found.stage == LIBXL__SAVE_MOVED)
        return fail_moved(ao);
    return busy ? libxl__ao_fail(ao, ERROR_BUSY, "domid: domain %u is being saved by process %u",
                                 ao->subject.number, found.mark.pid)
                : 0;
}

/* ---- model: the QEMU of an HVM domain goes on; a save has stopped it */

static int model_poll(libxl__ao *ao, struct resuming *s)
{
    return libxl__qmp_poll(ao, &s->qmp);
}

static int model_start(libxl__ao *ao, struct resuming *s)
{
    xc_domaininfo_t info;
    int rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (rc || libxl__hv_type(&info) != LIBXL_DOMAIN_TYPE_HVM)
        return rc;
    rc = libxl__qmp_add(ao, &s->qmp, "cont", NULL, -1);
    return rc ? rc : libxl__qmp_start(ao, &s->qmp, ao->subject.number);
}

/* ---- resume: a worker resumes the domain */

static int resume_start(libxl__ao *ao, struct resuming *s)
{
    const libxl__domain_resume_args *args = args_of(ao);
    xc_domaininfo_t info;
    int rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (!rc && !args->in.suspend_cancel && info.flags & XEN_DOMINF_hvm_guest)
        rc = libxl__ao_fail(ao, ERROR_INVAL, "suspend_cancel: must be 1, because domain %u is not a PV guest",
                            info.domain);
    if (!rc)
        rc = libxl__resume_reserve(ao, &s->resume);
    if (rc)
        return rc;
    s->resume.domid = ao->subject.number;
    s->resume.cancelled = args->in.suspend_cancel;
    s->resume.suspended = true;
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
    if (!s->resume.resumed)
        return libxl__ao_fail(ao, ERROR_NOT_READY, "domid: domain %u is not suspended", ao->subject.number);
    return 0;
}

/* ---- tell: sends xenstored the request XS_RESUME, and removes the mark of a save */

static int tell_start(libxl__ao *ao, struct resuming *s)
{
    libxl__domains_look_soon(ao->ctx);
    s->batch = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->batch)
        return ERROR_NOMEM;
    libxl__save_mark_remove(s->batch, ao->subject.number);
    libxl__xs_resume(s->batch);
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int tell_poll(libxl__ao *ao, struct resuming *s)
{
    (void)ao;
    return libxl__xs_done(s->batch) ? libxl__xs_result(s->batch) : LIBXL__AO_WAIT;
}

/* The requests to xenstored were already sent, so a stop request does nothing. */
static void tell_stop(libxl__ao *ao, struct resuming *s)
{
    (void)ao, (void)s;
}

/* ---- unmark: removes the mark of a save */

static int unmark_start(libxl__ao *ao, struct resuming *s)
{
    const uint32_t domid = ao->subject.number;
    s->batch = libxl__xs_batch_new(ao, domid);
    if (!s->batch)
        return ERROR_NOMEM;
    libxl__save_mark_remove(s->batch, domid);
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int unmark_poll(libxl__ao *ao, struct resuming *s)
{
    return tell_poll(ao, s);
}

#include "_libxl_phases_domain_keep_suspended.h"
#include "_libxl_phases_domain_resume.h"
