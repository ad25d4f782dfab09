/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_shutdown and domain_reboot: requests to a guest, which it acknowledges.
 *
 * The toolstack writes the request to ~/control/shutdown. The guest acknowledges it by emptying or removing the node, and
 * stops later (Xen's docs/misc/xenstore-paths.pandoc, ~/control/shutdown). A guest that stops or reboots without an
 * acknowledgement has carried the request out as well. The node belongs to the guest: its value is only compared.
 *
 * Owns: nothing beyond the operation. Locks: the context's lock, held by the caller.
 */
#include "ops.h"

typedef struct ask {
    libxl__domain_source domain;
    libxl__await acknowledged;
    libxl__xs_batch *request; /* or what confirms the acknowledgement */
    libxl__xs_batch *withdrawal;
    libxl__xs_request *present; /* the node's value when the withdrawal reads it */
    bool written;               /* xenstored has confirmed the request */
} domain_shutdown_state, domain_reboot_state;

static const char *request_of(const libxl__ao *ao)
{
    return ao->cls == &libxl__operations[LIBXL__OP_DOMAIN_REBOOT] ? "reboot" : "poweroff";
}

static int destroyed(libxl__ao *ao)
{
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domid: domain %u was destroyed", ao->subject.number);
}

/* Whether the domain has stopped, or why it never will. Returns LIBXL__AO_WAIT while it runs. */
static int check_domain(libxl__ao *ao, const struct ask *s)
{
    if (s->domain.follower.was_shutdown)
        return 0;
    if (s->domain.follower.phase < LIBXL__DOMAIN_DYING)
        return LIBXL__AO_WAIT;
    return destroyed(ao);
}

/*
 * Writes `to`, if the node holds `from` (NULL: whatever it holds); *present_out is what it holds then. The transaction changes
 * nothing if the domain has died, or if its domid is another domain's.
 */
static libxl__xs_batch *prepare_write(libxl__ao *ao, const char *from, const char *to,
                                      libxl__xs_request **present_out)
{
    const uint32_t domid = ao->subject.number;
    libxl__xs_batch *batch = libxl__xs_batch_new(ao, domid);
    if (!batch)
        return NULL;
    libxl__xs_require_domain(batch, &ao->subject.uuid);
    if (present_out)
        *present_out = libxl__xs_read(batch, "/local/domain/%u/control/shutdown", domid);
    if (from)
        libxl__xs_require(batch, ERROR_NOT_READY, from, "/local/domain/%u/control/shutdown", domid);
    libxl__xs_write(batch, LIBXL__XS_GUESTS, to, "/local/domain/%u/control/shutdown", domid);
    return batch;
}

/* ---- request: the request is written */

static int request_start(libxl__ao *ao, struct ask *s)
{
    const uint32_t domid = ao->subject.number;
    xc_domaininfo_t info;
    if (domid == 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 is not a guest");
    int rc = libxl__hv_info(ao, domid, &info);
    if (rc)
        return rc;
    s->request = prepare_write(ao, NULL, request_of(ao), NULL);
    if (!s->request)
        return ERROR_NOMEM;
    rc = libxl__domain_source_start(ao, &s->domain, &info);
    if (!rc)
        rc = libxl__xs_run(s->request, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int request_poll(libxl__ao *ao, struct ask *s)
{
    int rc = check_domain(ao, s);
    if (rc < 0)
        return rc;
    if (!libxl__xs_done(s->request))
        return LIBXL__AO_WAIT;
    rc = libxl__xs_rc(s->request);
    s->written = !rc;
    rc = rc == ERROR_DOMAIN_DESTROYED ? destroyed(ao) : libxl__xs_result(s->request);
    libxl__xs_batch_free(s->request);
    s->request = NULL;
    return rc;
}

/* Returns 0 if there is nothing to withdraw, LIBXL__AO_WAIT, or an error. */
static int begin_withdrawal(libxl__ao *ao, struct ask *s)
{
    if (!s->written && (!s->request || libxl__xs_take_back(s->request)))
        return 0;
    libxl__xs_batch_free(
        s->request); /* its transaction is given up, or ends before the withdrawal's begins */
    s->request = NULL;
    s->withdrawal = prepare_write(ao, request_of(ao), "", &s->present);
    const int rc = s->withdrawal ? libxl__xs_run(s->withdrawal, LIBXL__XS_TRANSACTION) : ERROR_NOMEM;
    return rc ? rc : LIBXL__AO_WAIT;
}

/* The guest empties or removes the node. Any other value is another toolstack's request. */
static bool is_acknowledged(const struct ask *s)
{
    const char *value = libxl__xs_value(s->present);
    return !value || !*value;
}

/* Withdraws the request, unless the guest has acknowledged it or another toolstack has written one of its own. */
static int request_undo(libxl__ao *ao, struct ask *s)
{
    if (s->domain.follower.phase >= LIBXL__DOMAIN_DYING)
        return 0;
    if (s->domain.follower.was_shutdown)
        return LIBXL__AO_CARRIED_OUT;
    if (!s->withdrawal)
        return begin_withdrawal(ao, s);
    if (!libxl__xs_done(s->withdrawal)) {
        if (libxl__xs_advances(s->withdrawal)) /* thousands may be withdrawn at once */
            libxl__phase_extend(ao);
        return LIBXL__AO_WAIT;
    }
    const int rc = libxl__xs_rc(s->withdrawal);
    if (rc == ERROR_NOT_READY)
        return s->written && is_acknowledged(s) ? LIBXL__AO_CARRIED_OUT : 0;
    return rc == ERROR_DOMAIN_DESTROYED ? 0 : rc;
}

/* ---- acknowledge: the guest empties the node, or stops */

static int acknowledge_start(libxl__ao *ao, struct ask *s)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", ao->subject.number);
    const int rc = libxl__await_start(ao, &s->acknowledged, path, libxl__await_empty, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int acknowledge_poll(libxl__ao *ao, struct ask *s)
{
    const int rc = check_domain(ao, s);
    return rc == LIBXL__AO_WAIT ? libxl__await_step(ao, &s->acknowledged) : rc;
}

/* ---- confirm: a node that is missing may have been removed with the domain's whole tree, by a destruction */

static int confirm_start(libxl__ao *ao, struct ask *s)
{
    if (!s->acknowledged.missing || s->domain.follower.was_shutdown)
        return 0;
    s->request = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->request)
        return ERROR_NOMEM;
    libxl__xs_require_domain(s->request, &ao->subject.uuid);
    const int rc = libxl__xs_run(s->request, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int confirm_poll(libxl__ao *ao, struct ask *s)
{
    const int rc = check_domain(ao, s);
    if (rc != LIBXL__AO_WAIT || !libxl__xs_done(s->request))
        return rc;
    return libxl__xs_rc(s->request) == ERROR_DOMAIN_DESTROYED ? destroyed(ao) : libxl__xs_result(s->request);
}

#include "_libxl_phases_domain_reboot.h"
#include "_libxl_phases_domain_shutdown.h"
