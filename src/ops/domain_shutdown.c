/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing beyond its operation. Asking a guest to stop: the toolstack writes control/shutdown, the
 * guest acknowledges by emptying or removing it, and in its own time shuts down (xen/io/xs_wire.h has no word
 * for it; the protocol is docs/misc/xenstore-paths.pandoc of Xen, ~/control/shutdown).
 *
 * The node belongs to the guest: what it holds is compared, never used.
 */
#include "ops.h"

#include <string.h>

enum { PATIENCE_SECONDS = 60, WITHDRAWAL_SECONDS = 5 };
enum { START, WRITING, ASKED, ACKNOWLEDGED, WITHDRAWING };

struct ask {
    libxl__domain_source domain;
    libxl__await acknowledged;
    libxl__xs_batch *writing; /* the request, or its withdrawal */
    int rc;                   /* what to say after withdrawing */
};

/* Emptied or removed. Anything else is a request that waits: ours, or one that another toolstack has put in
 * its place. */
static bool acknowledged(const libxl__await *await, const char *value)
{
    (void)await;
    return !value || !*value;
}

static int start(libxl__ao *ao, struct ask *s, uint32_t domid, const char *request)
{
    xc_domaininfo_t info;
    char path[64];
    if (domid == 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 is not a guest");
    int rc = libxl__hv_info(ao, domid, &info);
    if (rc)
        return rc;
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    s->writing = libxl__xs_batch_new(ao, domid);
    if (!s->writing)
        return ERROR_NOMEM;
    /* In a transaction, so that a domain that dies meanwhile gets no new tree. */
    libxl__xs_require(s->writing, ERROR_DOMAIN_DESTROYED, NULL, "/local/domain/%u/domid", domid);
    libxl__xs_write(s->writing, LIBXL__XS_GUESTS, request, "%s", path);
    rc = libxl__domain_source_start(ao, &s->domain, &info);
    if (!rc)
        rc = libxl__await_start(ao, &s->acknowledged, path, acknowledged, NULL,
                                LIBXL__SECONDS(PATIENCE_SECONDS));
    return rc ? rc
              : libxl__xs_run(s->writing, LIBXL__XS_TRANSACTION); /* last: what comes after may not fail */
}

/* Takes the request back, then says rc. */
static int withdraw(libxl__ao *ao, struct ask *s, uint32_t domid, const char *request, int rc)
{
    s->rc = rc;
    ao->step = WITHDRAWING;
    libxl__xs_batch_free(s->writing); /* under way: it is not committed, or before our transaction begins */
    s->writing = libxl__xs_batch_new(ao, domid);
    if (!s->writing)
        return rc;
    libxl__xs_require(s->writing, rc, request, "/local/domain/%u/control/shutdown", domid);
    libxl__xs_write(s->writing, LIBXL__XS_GUESTS, "", "/local/domain/%u/control/shutdown", domid);
    /* A xenstored that does not answer must not keep us. */
    if (libxl__await_limit(ao, &s->acknowledged, LIBXL__SECONDS(WITHDRAWAL_SECONDS)))
        return rc;
    return libxl__xs_run(s->writing, LIBXL__XS_TRANSACTION) ? rc : LIBXL__AO_WAIT;
}

/* Whatever the steps wait for: the domain's end decides. One that has stopped and is being destroyed has
 * stopped. */
static int look_at_domain(libxl__ao *ao, const struct ask *s, uint32_t domid)
{
    if (s->domain.follower.was_shutdown)
        return 0;
    if (s->domain.follower.phase < LIBXL__DOMAIN_DYING)
        return LIBXL__AO_WAIT;
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domid: domain %u was destroyed", domid);
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
    if (ao->step == WITHDRAWING)
        return libxl__xs_done(s->writing) || s->acknowledged.late ? s->rc : LIBXL__AO_WAIT;

    rc = look_at_domain(ao, s, domid);
    if (rc != LIBXL__AO_WAIT)
        return rc;
    if (ao->stop)
        return ao->step == ACKNOWLEDGED ? ao->stop : withdraw(ao, s, domid, request, ao->stop);

    switch (ao->step) {
    case WRITING:
        if (!libxl__xs_done(s->writing))
            return LIBXL__AO_WAIT;
        rc = libxl__xs_result(s->writing);
        if (rc)
            return rc;
        libxl__xs_batch_free(s->writing);
        s->writing = NULL;
        libxl__await_look(&s->acknowledged); /* from now on the node tells something */
        ao->step = ASKED;
        __attribute__((fallthrough));
    case ASKED:
        rc = libxl__await_step(ao, &s->acknowledged);
        if (rc == ERROR_TIMEDOUT)
            return withdraw(ao, s, domid, request, ERROR_GUEST_TIMEDOUT);
        if (rc)
            return rc;
        ao->step = ACKNOWLEDGED;
        __attribute__((fallthrough));
    case ACKNOWLEDGED: return LIBXL__AO_WAIT; /* for the domain */
    }
    return ERROR_BADFAIL;
}

int libxl__domain_shutdown_body(libxl__ao *ao, libxl__domain_shutdown_args *args)
{
    return ask(ao, args->in.domid, "poweroff");
}

int libxl__domain_reboot_body(libxl__ao *ao, libxl__domain_reboot_args *args)
{
    return ask(ao, args->in.domid, "reboot");
}
