/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_shutdown, domain_reboot, domain_suspend_only and domain_send_sysrq. Each sends a request to a guest and
 * waits for the guest's acknowledgement. domain_suspend_only then waits until the guest is suspended. If a guest has
 * published an event channel for suspending (suspend_channel.h), domain_suspend_only uses the channel for its
 * request.
 *
 * The toolstack writes the request to ~/control/shutdown or ~/control/sysrq. The guest acknowledges the
 * request by emptying or removing the node. It carries the request out later (Xen's
 * docs/misc/xenstore-paths.pandoc, ~/control/shutdown). A guest that stops or reboots without an
 * acknowledgement has also carried the request out. The guest may write any value to the node, so this file
 * only compares the value.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "recover.h"
#include "suspend_channel.h"
#include "withdrawal.h"

#include <string.h>

#include <xen/hvm/params.h>

/* The arguments of LIBXL__CONTROL_NODE for the node of the request. */
#define NODE_OF(ao) (ao)->subject.number, node_of(ao)

typedef struct ask {
    libxl__domain_source domain;
    libxl__await acknowledged; /* waits until the guest has emptied the node */
    libxl__xs_batch *request;  /* writes the request, and in the phase `confirm` checks the domain */
    libxl__withdrawal withdrawal;
    libxl__suspend_channel channel;
    libxl__nested recovery; /* domain_recover, for domain_suspend_only; reserved before the guest is asked */
    bool by_channel;        /* the guest is asked by its event channel */
    bool by_force;          /* the hypervisor suspends the guest without a request to the guest */
    bool forced;            /* the hypervisor has suspended the guest */
    bool may_suspend;       /* the operation has failed, and the guest may still suspend itself */
    bool said;              /* the message already says how the guest was asked */
    bool written;           /* xenstored has confirmed that it has written the request */
    bool withdraws;         /* the request may be in xenstore, so it must be withdrawn */
} domain_shutdown_state, domain_reboot_state, domain_suspend_only_state, domain_suspend_guest_state,
    domain_send_sysrq_state;

static const libxl__domain_send_sysrq_args *sysrq_of(libxl__ao *ao)
{
    return ao->cls == &libxl__operations[LIBXL__OP_DOMAIN_SEND_SYSRQ] ? libxl__ao_args(ao) : NULL;
}

static const char *node_of(libxl__ao *ao)
{
    return sysrq_of(ao) ? "sysrq" : "shutdown";
}

/* Returns whether the operation suspends the guest for a save. */
static bool saves(const libxl__ao *ao)
{
    return ao->cls == &libxl__operations[LIBXL__OP_DOMAIN_SUSPEND_GUEST];
}

static bool suspends(const libxl__ao *ao)
{
    return saves(ao) || ao->cls == &libxl__operations[LIBXL__OP_DOMAIN_SUSPEND_ONLY];
}

/*
 * Stores whether the guest may still suspend itself after a failure. If the parent is a save, also stores this for
 * the parent.
 */
static void note_may_suspend(libxl__ao *ao, struct ask *s, bool may)
{
    const libxl__domain_suspend_guest_args *args = libxl__ao_args(ao);
    s->may_suspend = may;
    if (saves(ao))
        *args->out.may_suspend = may;
}

static const char *request_of(libxl__ao *ao)
{
    const libxl__domain_send_sysrq_args *args = sysrq_of(ao);
    if (args)
        return args->in.sysrq;
    if (suspends(ao))
        return "suspend";
    return ao->cls == &libxl__operations[LIBXL__OP_DOMAIN_REBOOT] ? "reboot" : "poweroff";
}

static int destroyed(libxl__ao *ao)
{
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domid: domain %u was destroyed", ao->subject.number);
}

static bool is_suspended(const struct ask *s)
{
    return s->domain.follower.was_shutdown &&
           libxl__hv_shutdown_reason(s->domain.follower.code) == LIBXL_SHUTDOWN_REASON_SUSPEND;
}

/*
 * Returns 0 if the domain has stopped, LIBXL__AO_WAIT while it runs, or DOMAIN_DESTROYED if it was destroyed.
 * Returns NOT_READY if the guest was suspended although this operation has asked it to do something else.
 */
static int check_domain(libxl__ao *ao, const struct ask *s)
{
    if (is_suspended(s) && !suspends(ao))
        return libxl__ao_fail(ao, ERROR_NOT_READY, "domid: domain %u is suspended, and cannot answer",
                              ao->subject.number);
    if (s->domain.follower.was_shutdown)
        return 0;
    if (s->domain.follower.phase < LIBXL__DOMAIN_DYING)
        return LIBXL__AO_WAIT;
    return destroyed(ao);
}

/* Looks the domain up, and checks that a request can be sent to its guest. */
static int find(libxl__ao *ao, xc_domaininfo_t *info)
{
    const uint32_t domid = ao->subject.number;
    if (domid == 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 is not a guest");
    const int rc = libxl__hv_info(ao, domid, info);
    if (!rc && suspends(ao) && info->flags & XEN_DOMINF_shutdown)
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain %u does not run", domid);
    return rc;
}

/* ---- look: the guest's event channel is looked for */

/* Stores whether a guest has drivers for Xen. The drivers of an HVM guest set HVM_PARAM_CALLBACK_IRQ. */
static int look_for_drivers(libxl__ao *ao, const xc_domaininfo_t *info, bool *has_out)
{
    uint64_t irq = 0;
    *has_out = true;
    if (libxl__hv_type(info) != LIBXL_DOMAIN_TYPE_HVM)
        return 0;
    const int rc = libxl__hv_hvm_param(ao, ao->subject.number, HVM_PARAM_CALLBACK_IRQ, &irq);
    *has_out = irq != 0;
    return rc;
}

/*
 * An HVM guest without drivers for Xen cannot be asked to suspend itself, and a guest in ACPI sleep does not answer.
 * As with libxl, the hypervisor suspends such a guest at once, and the guest does not notice it. The guest can write
 * both HVM parameters that are read here.
 */
static int look_at_hvm(libxl__ao *ao, struct ask *s, const xc_domaininfo_t *info)
{
    bool drivers;
    uint64_t sleep = 0;
    if (!suspends(ao) || libxl__hv_type(info) != LIBXL_DOMAIN_TYPE_HVM)
        return 0;
    int rc = look_for_drivers(ao, info, &drivers);
    if (!rc)
        rc = libxl__hv_hvm_param(ao, ao->subject.number, HVM_PARAM_ACPI_S_STATE, &sleep);
    s->by_force = !rc && (!drivers || sleep);
    return rc;
}

static int look_start(libxl__ao *ao, struct ask *s)
{
    xc_domaininfo_t info;
    int rc = find(ao, &info);
    if (!rc)
        rc = look_at_hvm(ao, s, &info);
    if (!rc && !saves(ao))
        rc = libxl__recover_reserve(ao, &s->recovery);
    if (!rc && s->by_force)
        return 0;
    if (!rc)
        rc = libxl__suspend_channel_read(ao, &s->channel);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int look_poll(libxl__ao *ao, struct ask *s)
{
    const int rc = libxl__suspend_channel_bind(ao, &s->channel);
    s->by_channel = s->channel.bound;
    return rc;
}

/*
 * If the guest may still suspend itself after domain_suspend_only has failed, starts a recovery (recover.h). The
 * recovery waits until the guest has suspended itself, and then resumes it.
 */
static int look_undo(libxl__ao *ao, struct ask *s)
{
    if (!s->recovery.started && !s->may_suspend)
        return 0;
    if (!s->recovery.started)
        libxl__recover_start(&s->recovery, LIBXL__SAVE_ASKED, true, LIBXL__RECOVER_FOLLOWS);
    const int rc = libxl__recover_poll(ao, &s->recovery, false);
    return rc == ERROR_DOMAIN_NOTFOUND ? 0 : rc;
}

/* ---- request: the guest is asked */

static int request_start(libxl__ao *ao, struct ask *s)
{
    const uint32_t domid = ao->subject.number;
    xc_domaininfo_t info;
    if (sysrq_of(ao) && strlen(request_of(ao)) != 1)
        return libxl__ao_fail(ao, ERROR_INVAL, "sysrq: not one character");
    bool drivers = true;
    int rc = find(ao, &info);
    if (!rc && !suspends(ao) && !sysrq_of(ao))
        rc = look_for_drivers(ao, &info, &drivers);
    if (!rc && !drivers)
        rc = libxl__ao_fail(ao, ERROR_NOPARAVIRT, "domid: domain %u has no drivers for Xen that could answer",
                            domid);
    if (rc)
        return rc;
    rc = libxl__xs_spare_reserve(ao); /* The withdrawal uses the spare batch if there is no memory. */
    if (rc)
        return rc;
    s->request = libxl__xs_batch_new(ao, domid);
    if (!s->request)
        return ERROR_NOMEM;
    libxl__xs_require_domain(s->request, &ao->subject.uuid);
    if (!s->by_channel && !s->by_force)
        libxl__xs_write(s->request, LIBXL__XS_GUESTS, request_of(ao), LIBXL__CONTROL_NODE, NODE_OF(ao));
    if (saves(ao))
        libxl__save_mark_write(s->request, domid, LIBXL__SAVE_ASKED, false);
    rc = libxl__domain_source_start(ao, &s->domain, &info);
    if (!rc)
        rc = libxl__xs_run(s->request, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* The guest is suspended when the hypercall returns. */
static int force(libxl__ao *ao, struct ask *s)
{
    const int rc = libxl__hv_suspend(ao, ao->subject.number);
    s->forced = !rc;
    libxl__domains_look_soon(ao->ctx);
    return rc;
}

static int request_poll(libxl__ao *ao, struct ask *s)
{
    int rc = check_domain(ao, s);
    if (rc < 0)
        return rc;
    if (!libxl__xs_done(s->request))
        return LIBXL__AO_WAIT;
    rc = libxl__xs_rc(s->request);
    s->written = !rc && !s->by_channel && !s->by_force;
    rc = rc == ERROR_DOMAIN_DESTROYED ? destroyed(ao) : libxl__xs_result(s->request);
    libxl__xs_batch_free(s->request);
    s->request = NULL;
    if (!rc && s->by_force)
        return force(ao, s);
    return rc || !s->by_channel ? rc : libxl__suspend_channel_notify(ao, &s->channel);
}

/*
 * Frees the batch of the request. Returns whether the request may be in xenstore. If it returns false, the
 * request will not reach xenstore any more.
 */
static bool give_up_request(struct ask *s)
{
    s->withdraws = s->written || (s->request && !libxl__xs_take_back(s->request));
    /* xenstored ends an open transaction of this batch before it begins the transaction of the withdrawal. */
    libxl__xs_batch_free(s->request);
    s->request = NULL;
    return s->withdraws;
}

/* Called when a guest has not suspended itself in time. Adds to the message how the guest was asked. */
static void say_how_asked(libxl__ao *ao, struct ask *s)
{
    if (s->said || ao->rc != ERROR_GUEST_TIMEDOUT || !suspends(ao))
        return;
    s->said = true;
    if (s->by_channel)
        libxl__ao_fail_also(ao, "the guest was asked by its event channel for suspending it");
    else if (s->channel.unannounced)
        libxl__ao_fail_also(ao,
                            "the guest has not written 1 to control/feature-suspend, so it may not be able "
                            "to suspend itself");
}

/*
 * Returns the result of the undo for a domain that has stopped. If the operation has already completed for the
 * application with an error (libxl__phase_position.left), the guest must not stay suspended.
 */
static int undo_stopped(libxl__ao *ao, struct ask *s)
{
    if (suspends(ao) != is_suspended(s))
        return suspends(ao) ? 0 : LIBXL__AO_WAIT;
    if (!ao->phase.left || !suspends(ao))
        return LIBXL__AO_CARRIED_OUT;
    note_may_suspend(ao, s, true);
    return 0;
}

/*
 * Withdraws the request if the node still contains it. The node does not contain the request any more if the
 * guest has acknowledged it, or if another toolstack has written another request.
 */
static int request_undo(libxl__ao *ao, struct ask *s)
{
    note_may_suspend(ao, s, false);
    say_how_asked(ao, s);
    libxl__suspend_channel_step(ao, &s->channel);
    if (s->domain.follower.phase >= LIBXL__DOMAIN_DYING)
        return 0;
    const int stopped = s->domain.follower.was_shutdown ? undo_stopped(ao, s) : LIBXL__AO_WAIT;
    if (stopped != LIBXL__AO_WAIT)
        return stopped;
    if (s->channel.notified || s->forced) {
        note_may_suspend(ao, s, true);
        return LIBXL__AO_WAIT;
    }
    if ((!s->withdraws && !give_up_request(s)) || s->by_channel || s->by_force)
        return 0;
    const int rc = libxl__withdrawal_step(ao, &s->withdrawal, node_of(ao), request_of(ao));
    note_may_suspend(ao, s, rc && rc != ERROR_DOMAIN_DESTROYED);
    if (rc == ERROR_NOT_READY && s->written && libxl__withdrawal_was_answered(&s->withdrawal))
        /*
         * A guest that has acknowledged the request to suspend itself does so soon. The result must show whether it
         * did.
         */
        return suspends(ao) ? LIBXL__AO_WAIT : is_suspended(s) ? 0 : LIBXL__AO_CARRIED_OUT;
    if (rc == ERROR_NOT_READY)
        return 0;
    return rc == ERROR_DOMAIN_DESTROYED ? 0 : rc;
}

/* ---- acknowledge: waits until the guest empties the node, or stops */

static int acknowledge_start(libxl__ao *ao, struct ask *s)
{
    const libxl__domain_send_sysrq_args *args = sysrq_of(ao);
    char path[64];
    if ((args && !args->in.wait) || s->by_channel || s->by_force)
        return 0;
    snprintf(path, sizeof(path), LIBXL__CONTROL_NODE, NODE_OF(ao));
    const int rc = libxl__await_start(ao, &s->acknowledged, path, libxl__await_empty, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int acknowledge_poll(libxl__ao *ao, struct ask *s)
{
    const int rc = check_domain(ao, s);
    return rc == LIBXL__AO_WAIT ? libxl__await_step(ao, &s->acknowledged) : rc;
}

/* ---- confirm: if the node is missing, checks that it was not removed with the domain's whole tree */

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

/* ---- suspended: waits until a guest that was asked to suspend itself has done so */

static int suspended_poll(libxl__ao *ao, struct ask *s)
{
    libxl__suspend_channel_step(ao, &s->channel);
    const int rc = check_domain(ao, s);
    if (rc || is_suspended(s))
        return rc;
    return libxl__ao_fail(
        ao, ERROR_FAIL, "domid: domain %u has stopped with the reason '%s' instead of suspending itself",
        ao->subject.number,
        libxl_shutdown_reason_to_string(libxl__hv_shutdown_reason(s->domain.follower.code)));
}

static int suspended_start(libxl__ao *ao, struct ask *s)
{
    return suspended_poll(ao, s);
}

#include "_libxl_phases_domain_reboot.h"
#include "_libxl_phases_domain_send_sysrq.h"
#include "_libxl_phases_domain_shutdown.h"
#include "_libxl_phases_domain_suspend_guest.h"
#include "_libxl_phases_domain_suspend_only.h"
