/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_teardown: the nested operation that takes a domain down, for domain_destroy and for the undo of a creation.
 *
 * It pauses the domain, removes its nodes, and destroys it. The nodes are removed first, as in other toolstacks,
 * because xenstored searches its whole store for the nodes of a domain that dies. A xenstored that does not answer
 * delays the destruction, but does not prevent it. All resources are reserved before the domain is paused. A creation
 * reserves them before it makes the domain. Paths are built from the domid and the UUID that the hypervisor has,
 * never from values read in xenstore. /vm/UUID stays while another living domain has the UUID.
 *
 * If a creation has failed, nobody else will destroy its domain (`unfinished`). If the hypervisor refuses to destroy
 * such a domain, the teardown tries again every second until it succeeds or the context is closed. The creation is
 * woken at the refusal and does not wait for the teardown any more.
 *
 * Owns: nothing beyond the operation. Locks: the context's lock, held by the caller.
 */
#include "ops.h"

#include <errno.h>
#include <string.h>

enum { NODES = 4, LAST_NODES = 3, LONGEST_PATH = LIBXL__MARK_PATH };

#define NEVER         (UINT64_MAX / 2)
#define UNTIL_A_RETRY LIBXL__SECONDS(1)

typedef struct teardown {
    libxl__domain_source domain;
    libxl__hv_destroy destroy;
    libxl__xs_batch *cleaning;
    libxl__xs_batch *last; /* removes the remaining nodes when the domain is gone */
    libxl__alarm retry;    /* set if the domain is unfinished */
    bool exists;           /* the hypervisor has the domain */
    bool shared;           /* another living domain had the UUID when the nodes were removed */
    bool last_was_run;
    bool waits_to_retry;
    bool given_up; /* `last` writes the mark anew */
    int refusal;   /* the error with which the hypervisor has refused last; 0: it has not refused */
} domain_teardown_state;

static int reserve_batch(libxl__ao *ao, libxl__xs_batch **batch, uint32_t nodes)
{
    *batch = libxl__xs_batch_new(ao, 0);
    return *batch ? libxl__xs_reserve(*batch, nodes, (size_t)nodes * LONGEST_PATH + LIBXL__MARK_TEXT)
                  : ERROR_NOMEM;
}

static int reserve(libxl__ao *ao, struct teardown *t)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    if (t->cleaning)
        return 0;
    int rc = reserve_batch(ao, &t->cleaning, NODES);
    if (!rc)
        rc = reserve_batch(ao, &t->last, LAST_NODES);
    if (!rc)
        rc = libxl__domain_source_reserve(ao, &t->domain);
    if (!rc)
        rc = libxl__hv_destroy_reserve(ao, &t->destroy);
    if (!rc && args->in.unfinished)
        rc = libxl__alarm_set(ao, &t->retry, NEVER);
    return rc;
}

/* ---- trying again */

/* Ends the attempts. Writes the domain's mark anew, to say that nobody will destroy the domain. */
static void give_up(libxl__ao *ao, struct teardown *t)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    if (t->given_up)
        return;
    t->given_up = true;
    libxl__mark_give_up(t->last, &args->in.uuid);
    libxl__xs_run_anyway(t->last, LIBXL__XS_ONE_BY_ONE);
}

/*
 * Called when the hypervisor has refused with `rc`. Returns `rc`, or plans another attempt if the domain is
 * unfinished. A stop request ends the attempts; LIBXL__AO_WAIT means then that the mark is being written.
 */
static int refused(libxl__ao *ao, struct teardown *t, int rc)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    if (!args->in.unfinished)
        return rc;
    t->refusal = rc;
    if (ao->stop) {
        give_up(ao, t);
        return libxl__xs_done(t->last) ? rc : LIBXL__AO_WAIT;
    }
    t->waits_to_retry = true;
    libxl__alarm_set(ao, &t->retry, UNTIL_A_RETRY); /* does not fail: it is set already */
    libxl__nested_tell(ao);
    return LIBXL__AO_WAIT;
}

/* Returns whether the time of the next attempt has come. */
static bool is_time_to_retry(struct teardown *t)
{
    if (!t->waits_to_retry || !t->retry.rang)
        return false;
    t->waits_to_retry = false;
    return true;
}

/* ---- look: the domain is looked up, and the resources are reserved */

/* Adds the requests that remove the nodes. `free`: no other domain has the domid. */
static void add_nodes(libxl__ao *ao, struct teardown *t, bool free)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    if (!args->in.unfinished)
        libxl__mark_remove(t->cleaning, &args->in.uuid);
    if (!t->shared)
        libxl__xs_remove(t->cleaning, "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(args->in.uuid));
    if (!free)
        return;
    libxl__xs_remove(t->cleaning, "/local/domain/%u", args->in.domid);
    libxl__xs_remove(t->cleaning, "/libxl/%u", args->in.domid);
}

/*
 * Looks the domain up. If the hypervisor refuses, assumes that an unfinished domain exists, because the destruction
 * compares the UUID again.
 */
static int look(libxl__ao *ao, xc_domaininfo_t *info)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    const int rc = libxl__hv_look(ao, args->in.domid, info);
    if (!rc || rc == ERROR_DOMAIN_NOTFOUND || !args->in.unfinished)
        return rc;
    *info = (xc_domaininfo_t){.domain = (domid_t)args->in.domid};
    memcpy(info->handle, args->in.uuid.uuid, sizeof(info->handle));
    return 0;
}

static int look_start(libxl__ao *ao, struct teardown *t)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    xc_domaininfo_t info;
    uint32_t other;
    int rc = reserve(ao, t);
    if (rc)
        return rc;
    const int found = look(ao, &info);
    if (found && found != ERROR_DOMAIN_NOTFOUND)
        return found;
    rc = libxl__hv_find(ao, &args->in.uuid, args->in.domid, &other);
    if (rc && !args->in.unfinished)
        return rc;
    t->exists = !found && memcmp(info.handle, args->in.uuid.uuid, sizeof(info.handle)) == 0;
    t->shared = rc || other != LIBXL_DOMID_INVALID; /* if the hypervisor refuses, run_last asks it again */
    add_nodes(ao, t, t->exists || found);
    return t->exists ? libxl__domain_source_start(ao, &t->domain, &info) : 0;
}

/* ---- pause: the domain is paused, so that it does not run while its nodes disappear */

/*
 * If the caller may not pause the domain, it may not destroy the domain either. So the operation fails here, before
 * it has changed anything. Other errors are ignored. An unfinished domain does not run, so its teardown ignores all
 * errors.
 */
static int pause_start(libxl__ao *ao, struct teardown *t)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    const uint32_t domid = ao->subject.number;
    if (!t->exists || !xc_domain_pause(libxl__xch(ao->ctx), domid) || args->in.unfinished ||
        libxl__errno_rc(LIBXL__CALL_DOMAIN, errno) != ERROR_PERMISSION)
        return 0;
    return libxl__ao_fail(ao, ERROR_PERMISSION, "pausing domain %u: %s", domid, strerror(errno));
}

/* ---- clean: the nodes are removed; the phase's time limit bounds the wait for xenstored */

static int clean_start(libxl__ao *ao, struct teardown *t)
{
    (void)ao;
    libxl__xs_run_anyway(t->cleaning, LIBXL__XS_ONE_BY_ONE);
    return libxl__xs_done(t->cleaning) ? 0 : LIBXL__AO_WAIT;
}

static int clean_poll(libxl__ao *ao, struct teardown *t)
{
    (void)ao;
    return libxl__xs_done(t->cleaning) ? 0 : LIBXL__AO_WAIT;
}

/* ---- destroy: a worker destroys the domain in the hypervisor */

static int destroy_start(libxl__ao *ao, struct teardown *t)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    if (!t->exists)
        return 0;
    libxl__hv_destroy_start(ao, &t->destroy, args->in.domid, &args->in.uuid);
    return LIBXL__AO_WAIT;
}

static bool is_alive(libxl__ao *ao)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    xc_domaininfo_t info;
    return !libxl__hv_look(ao, args->in.domid, &info) && !(info.flags & XEN_DOMINF_dying) &&
           memcmp(info.handle, args->in.uuid.uuid, sizeof(info.handle)) == 0;
}

static int destroy_poll(libxl__ao *ao, struct teardown *t)
{
    if (!libxl__hv_destroy_done(&t->destroy))
        return LIBXL__AO_WAIT;
    if (is_time_to_retry(t))
        return destroy_start(ao, t);
    /* The job is done, so its members may be read. ESRCH means that another program has destroyed the domain. */
    const int error = t->destroy.errnoval,
              rc = error == ESRCH ? ERROR_FAIL : libxl__errno_rc(LIBXL__CALL_DOMAIN, error);
    if (!error || (error == ESRCH && !is_alive(ao))) {
        t->refusal = 0;
        libxl__domains_look_soon(ao->ctx);
        return 0;
    }
    if (t->waits_to_retry && !ao->stop)
        return LIBXL__AO_WAIT;
    libxl__ao_fail(ao, rc, "destroying domain %u: %s", ao->subject.number, strerror(error));
    return refused(ao, t, rc);
}

/* Does nothing, because destroy_poll checks ao->stop. */
static void destroy_stop(libxl__ao *ao, struct teardown *t)
{
    (void)ao, (void)t;
}

/* ---- gone: the domain leaves the hypervisor's list, and xenstored has answered */

/* Returns whether no domain has the domid. */
static bool domid_is_free(libxl__ao *ao)
{
    const libxl_uuid uuid = ao->subject.uuid;
    xc_domaininfo_t other;
    const int rc = libxl__hv_look(ao, ao->subject.number, &other);
    ao->subject.uuid = uuid; /* libxl__hv_look may have set it to the other domain's */
    return rc == ERROR_DOMAIN_NOTFOUND;
}

/*
 * Removes the mark of an unfinished domain, and the nodes that are left. If the list of domains cannot be read, /vm/UUID stays.
 * Otherwise it removes /vm/UUID if it was kept for another domain that is gone or dying
 * by now. Removes the domain's nodes again, because xenconsoled may have written a terminal's name after they were
 * removed, if it was started or restarted at that time. The domain is gone only when xenconsoled has unmapped the
 * domain's page, so xenconsoled writes nothing after this.
 */
static int run_last(libxl__ao *ao, struct teardown *t)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    uint32_t other = LIBXL_DOMID_INVALID;
    const int rc = t->shared ? libxl__hv_find(ao, &args->in.uuid, args->in.domid, &other) : 0;
    if (t->shared && !rc && other == LIBXL_DOMID_INVALID)
        libxl__xs_remove(t->last, "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(args->in.uuid));
    if (t->exists && domid_is_free(ao))
        libxl__xs_remove(t->last, "/local/domain/%u", args->in.domid);
    if (args->in.unfinished)
        libxl__mark_remove(t->last, &args->in.uuid);
    t->last_was_run = true;
    libxl__xs_run_anyway(t->last, LIBXL__XS_ONE_BY_ONE); /* done at once if it is empty */
    return rc;
}

static int gone_poll(libxl__ao *ao, struct teardown *t)
{
    const bool gone = !t->exists || t->domain.follower.phase == LIBXL__DOMAIN_GONE;
    int rc = gone ? 0 : libxl__domain_source_check(ao);
    if (rc)
        return rc;
    if (!gone || !libxl__xs_done(t->cleaning))
        return LIBXL__AO_WAIT;
    rc = libxl__xs_result(t->cleaning);
    if (!rc && !t->last_was_run)
        rc = run_last(ao, t);
    if (rc)
        return rc;
    return libxl__xs_done(t->last) ? libxl__xs_result(t->last) : LIBXL__AO_WAIT;
}

static int gone_start(libxl__ao *ao, struct teardown *t)
{
    return gone_poll(ao, t);
}

static void gone_stop(libxl__ao *ao, struct teardown *t)
{
    (void)t;
    libxl__domains_look_soon(ao->ctx);
}

#include "_libxl_phases_domain_teardown.h"

/* ---- called by the operations that nest a teardown */

int libxl__teardown_reserve(libxl__ao *parent, libxl__nested *teardown, bool unfinished)
{
    libxl__ao *child = libxl__nested_create(parent, teardown, &libxl__operations[LIBXL__OP_DOMAIN_TEARDOWN]);
    if (!child)
        return ERROR_NOMEM;
    libxl__domain_teardown_args *args = libxl__ao_args(child);
    args->in.unfinished = unfinished;
    teardown->outlives = true;
    int rc = libxl__phases_reserve(child);
    if (!rc)
        rc = reserve(child, libxl__ao_state(child));
    if (!rc)
        return 0;
    libxl__ao_fail(parent, rc, "%s", child->message ? child->message : libxl_error_describe(rc));
    libxl__source_stop(parent->ctx, &teardown->source); /* destroys the child */
    return rc;
}

void libxl__teardown_start(libxl__nested *teardown, uint32_t domid, const libxl_uuid *uuid)
{
    libxl__ao *child = teardown->child;
    libxl__domain_teardown_args *args = libxl__ao_args(child);
    child->subject = (libxl__subject){.number = domid, .uuid = *uuid};
    args->in.domid = domid;
    args->in.uuid = *uuid;
    libxl__nested_start(teardown);
}

int libxl__teardown_poll(libxl__ao *parent, const libxl__nested *teardown)
{
    if (teardown->done)
        return teardown->rc;
    libxl__ao *child = teardown->child;
    const struct teardown *t = libxl__ao_state(child);
    if (!t->refusal)
        return LIBXL__AO_WAIT;
    libxl__ao_fail_also(parent, "domain %u stays: %s; its destruction is tried again every second",
                        child->subject.number,
                        child->message ? child->message : libxl_error_describe(t->refusal));
    return t->refusal;
}
