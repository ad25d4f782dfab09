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

enum { PATIENCE_SECONDS = 60 };

struct ask {
    libxl__domain_source domain;
    libxl__watch_source node;
    libxl__alarm patience;
    libxl__xs_batch *writing, *reading, *withdrawing;
    libxl__xs_request *value;
    int rc; /* what to say after withdrawing */
};

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
    libxl__xs_require(s->writing, ERROR_DOMAIN_DESTROYED, "/local/domain/%u/domid", domid);
    libxl__xs_write(s->writing, LIBXL__XS_GUESTS, request, "%s", path);
    rc = libxl__domain_source_start(ao, &s->domain, &info);
    if (!rc)
        rc = libxl__watch_start(ao, &s->node, path); /* before the change that it is to see */
    if (!rc)
        rc = libxl__xs_run(s->writing, LIBXL__XS_TRANSACTION);
    if (!rc)
        rc = libxl__alarm_set(ao, &s->patience, LIBXL__SECONDS(PATIENCE_SECONDS));
    return rc;
}

static int read_node(libxl__ao *ao, struct ask *s, uint32_t domid)
{
    libxl__xs_batch_free(s->reading);
    s->reading = libxl__xs_batch_new(ao, domid);
    if (!s->reading)
        return ERROR_NOMEM;
    s->value = libxl__xs_read(s->reading, "/local/domain/%u/control/shutdown", domid);
    return libxl__xs_run(s->reading, LIBXL__XS_ONE_BY_ONE);
}

static int withdraw(libxl__ao *ao, struct ask *s, uint32_t domid, int rc)
{
    s->rc = rc;
    s->withdrawing = libxl__xs_batch_new(ao, domid);
    if (!s->withdrawing)
        return ERROR_NOMEM;
    libxl__xs_require(s->withdrawing, rc, "/local/domain/%u/domid", domid);
    libxl__xs_write(s->withdrawing, LIBXL__XS_GUESTS, "", "/local/domain/%u/control/shutdown", domid);
    return libxl__xs_run(s->withdrawing, LIBXL__XS_TRANSACTION);
}

/* Whatever the steps wait for: the domain's end decides. */
static int look_at_domain(libxl__ao *ao, const struct ask *s, uint32_t domid)
{
    switch (s->domain.follower.phase) {
    case LIBXL__DOMAIN_RUNNING: return LIBXL__AO_WAIT;
    case LIBXL__DOMAIN_SHUTDOWN: return 0;
    case LIBXL__DOMAIN_DYING:
    case LIBXL__DOMAIN_GONE: break;
    }
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domid: domain %u was destroyed", domid);
}

static int ask(libxl__ao *ao, uint32_t domid, const char *request)
{
    enum { START, WRITING, ASKED, READING, ACKNOWLEDGED, WITHDRAWING };
    struct ask *s = libxl__ao_state(ao, sizeof(*s));
    if (!s)
        return ERROR_NOMEM;
    if (ao->step == START) {
        libxl__ao_unwinds(ao);
        int rc = start(ao, s, domid, request);
        if (rc)
            return rc;
        ao->step = WRITING;
        return LIBXL__AO_WAIT;
    }
    if (ao->step == WITHDRAWING)
        return libxl__xs_done(s->withdrawing) ? s->rc : LIBXL__AO_WAIT;

    int rc = look_at_domain(ao, s, domid);
    if (rc != LIBXL__AO_WAIT)
        return rc;
    if (ao->stop && ao->step == ACKNOWLEDGED)
        return ao->stop;
    if (ao->stop || (s->patience.source.fired && ao->step != ACKNOWLEDGED)) {
        rc = ao->stop ? ao->stop
                      : libxl__ao_fail(ao, ERROR_GUEST_TIMEDOUT,
                                       "domid: domain %u did not acknowledge within %d s", domid,
                                       PATIENCE_SECONDS);
        int error = withdraw(ao, s, domid, rc);
        ao->step = WITHDRAWING;
        return error ? error : LIBXL__AO_WAIT;
    }

    switch (ao->step) {
    case WRITING:
        if (!libxl__xs_done(s->writing))
            return LIBXL__AO_WAIT;
        rc = libxl__xs_result(s->writing);
        if (rc)
            return rc;
        ao->step = ASKED;
        s->node.source.fired = true; /* it may have been acknowledged already */
        __attribute__((fallthrough));
    case ASKED:
        if (!s->node.source.fired)
            return LIBXL__AO_WAIT;
        s->node.source.fired = false;
        rc = read_node(ao, s, domid);
        if (rc)
            return rc;
        ao->step = READING;
        return LIBXL__AO_WAIT;
    case READING:
        if (!libxl__xs_done(s->reading))
            return LIBXL__AO_WAIT;
        rc = libxl__xs_result(s->reading);
        if (rc)
            return rc;
        const char *value = libxl__xs_value(s->value);
        if (value && strcmp(value, request) == 0) {
            ao->step = ASKED;
            if (s->node.source.fired)
                libxl__ao_wake(ao); /* it changed while we were reading */
            return LIBXL__AO_WAIT;
        }
        ao->step = ACKNOWLEDGED;
        return LIBXL__AO_WAIT;
    case ACKNOWLEDGED: return LIBXL__AO_WAIT;
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
