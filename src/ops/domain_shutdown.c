/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing beyond its operation. Asking a guest to stop: the toolstack writes control/shutdown, the
 * guest acknowledges by emptying or removing it, and in its own time shuts down (xen/io/xs_wire.h has no word
 * for it; the protocol is docs/misc/xenstore-paths.pandoc of Xen, ~/control/shutdown).
 *
 * The node belongs to the guest: what it holds is compared, never used.
 */
#include "ops.h"

enum { PATIENCE_SECONDS = 60, WITHDRAWAL_SECONDS = 5 };
/* CANCELLING: as WITHDRAWING, but it is not known whether the guest has had the request. */
enum { START, WRITING, ASKED, CANCELLING, WITHDRAWING, ACKNOWLEDGED };

struct ask {
    libxl__domain_source domain;
    libxl__alarm patience;
    libxl__xs_batch *writing; /* the request, or its withdrawal */
};
_Static_assert(sizeof(libxl__ao) + LIBXL__AO_ALIGN(sizeof(libxl__domain_shutdown_args)) +
                       sizeof(struct ask) <=
                   LIBXL__AO_RECORD,
               "a host has thousands: each is to fit in its record");

static int destroyed(libxl__ao *ao, uint32_t domid)
{
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domid: domain %u was destroyed", domid);
}

/* What xenstored has said. */
static int result(libxl__ao *ao, struct ask *s, uint32_t domid)
{
    return libxl__xs_rc(s->writing) == ERROR_DOMAIN_DESTROYED ? destroyed(ao, domid)
                                                              : libxl__xs_result(s->writing);
}

/* That the guest has acknowledged is worth nothing until its time is up: nobody watches the node, which would cost
 * xenstored a look at the watch at every change of any node. */
static int start(libxl__ao *ao, struct ask *s, uint32_t domid, const char *request)
{
    xc_domaininfo_t info;
    if (domid == 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 is not a guest");
    int rc = libxl__hv_info(ao, domid, &info);
    if (rc)
        return rc;
    s->writing = libxl__xs_batch_new(ao, domid);
    if (!s->writing)
        return ERROR_NOMEM;
    /* In a transaction, so that a domain that dies meanwhile gets no new tree, nor another its request. */
    libxl__xs_require_domain(s->writing, &ao->subject.uuid);
    libxl__xs_write(s->writing, LIBXL__XS_GUESTS, request, "/local/domain/%u/control/shutdown", domid);
    rc = libxl__domain_source_start(ao, &s->domain, &info);
    if (!rc)
        rc = libxl__alarm_set(ao, &s->patience, LIBXL__SECONDS(PATIENCE_SECONDS));
    return rc ? rc
              : libxl__xs_run(s->writing, LIBXL__XS_TRANSACTION); /* last: what comes after may not fail */
}

/* What is said if the guest has not acknowledged: why the request was withdrawn. */
static int unanswered(libxl__ao *ao, uint32_t domid)
{
    if (ao->stop)
        return ao->stop;
    return libxl__ao_fail(ao, ERROR_GUEST_TIMEDOUT, "domid: domain %u has not acknowledged in %d s", domid,
                          PATIENCE_SECONDS);
}

/* Takes the request back, unless the guest has emptied or removed it, or another toolstack put its own in its place.
 * Another domain's is another's. */
static int withdraw(libxl__ao *ao, struct ask *s, uint32_t domid, const char *request)
{
    if (ao->step == WRITING && libxl__xs_take_back(s->writing))
        return unanswered(ao, domid);
    ao->step = ao->step == ASKED ? WITHDRAWING : CANCELLING;
    libxl__xs_batch_free(s->writing); /* it is not committed, or before our transaction begins */
    s->writing = libxl__xs_batch_new(ao, domid);
    if (!s->writing)
        return unanswered(ao, domid);
    libxl__xs_require_domain(s->writing, &ao->subject.uuid);
    libxl__xs_require(s->writing, ERROR_NOT_READY, request, "/local/domain/%u/control/shutdown", domid);
    libxl__xs_write(s->writing, LIBXL__XS_GUESTS, "", "/local/domain/%u/control/shutdown", domid);
    /* A xenstored that does not answer must not keep us. */
    if (libxl__alarm_set(ao, &s->patience, LIBXL__SECONDS(WITHDRAWAL_SECONDS)) ||
        libxl__xs_run(s->writing, LIBXL__XS_TRANSACTION))
        return unanswered(ao, domid);
    return LIBXL__AO_WAIT;
}

static int withdrawn(libxl__ao *ao, struct ask *s, uint32_t domid)
{
    if (!libxl__xs_done(s->writing) && !s->patience.rang)
        return LIBXL__AO_WAIT;
    /* Where thousands are withdrawn at once, it is not xenstored that keeps us. */
    if (!libxl__xs_done(s->writing) && libxl__xs_advances(s->writing) &&
        !libxl__alarm_set(ao, &s->patience, LIBXL__SECONDS(WITHDRAWAL_SECONDS)))
        return LIBXL__AO_WAIT;
    if (ao->stop || ao->step == CANCELLING || !libxl__xs_done(s->writing) || !libxl__xs_rc(s->writing))
        return unanswered(ao, domid);
    if (libxl__xs_rc(s->writing) != ERROR_NOT_READY)
        return result(ao, s, domid);
    ao->step = ACKNOWLEDGED;
    return LIBXL__AO_WAIT;
}

/* Whatever the steps wait for: the domain's end decides. One that has stopped and is being destroyed has
 * stopped. */
static int look_at_domain(libxl__ao *ao, const struct ask *s, uint32_t domid)
{
    if (s->domain.follower.was_shutdown)
        return 0;
    if (s->domain.follower.phase < LIBXL__DOMAIN_DYING)
        return LIBXL__AO_WAIT;
    return destroyed(ao, domid);
}

static int ask(libxl__ao *ao, uint32_t domid, const char *request)
{
    struct ask *s = libxl__ao_state(ao, sizeof(*s));
    int rc;
    if (!s)
        return ERROR_NOMEM;
    if (ao->step == START) {
        libxl__ao_unwinds(ao);
        rc = start(ao, s, domid, request);
        ao->step = WRITING;
        return rc ? rc : LIBXL__AO_WAIT;
    }
    rc = look_at_domain(ao, s, domid);
    if (rc != LIBXL__AO_WAIT)
        return rc;
    if (ao->step == CANCELLING || ao->step == WITHDRAWING)
        return withdrawn(ao, s, domid);
    if (ao->stop)
        return ao->step == ACKNOWLEDGED ? ao->stop : withdraw(ao, s, domid, request);

    if (s->patience.rang && ao->step != ACKNOWLEDGED) /* or xenstored has not answered, for so long */
        return withdraw(ao, s, domid, request);

    switch (ao->step) {
    case WRITING:
        if (!libxl__xs_done(s->writing))
            return LIBXL__AO_WAIT;
        rc = result(ao, s, domid);
        if (rc)
            return rc;
        libxl__xs_batch_free(s->writing);
        s->writing = NULL;
        ao->step = ASKED;
        return libxl__alarm_set(ao, &s->patience, LIBXL__SECONDS(PATIENCE_SECONDS)) ? ERROR_BADFAIL
                                                                                    : LIBXL__AO_WAIT;
    default: return LIBXL__AO_WAIT; /* for the guest, or its end */
    }
}

int libxl__domain_shutdown_body(libxl__ao *ao, libxl__domain_shutdown_args *args)
{
    return ask(ao, args->in.domid, "poweroff");
}

int libxl__domain_reboot_body(libxl__ao *ao, libxl__domain_reboot_args *args)
{
    return ask(ao, args->in.domid, "reboot");
}
