/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_teardown: the nested operation that takes a domain down, for domain_destroy and for the undo of a creation.
 *
 * It pauses the domain, removes its nodes, and destroys it, in the order that other toolstacks keep: when a domain that owns
 * nodes dies, xenstored searches its whole store for them. A xenstored that does not answer delays the destruction, but does
 * not prevent it. Whatever the teardown needs is reserved before the domain is paused; the undo of a creation reserves it
 * before the domain is made. Paths are built from the domid and the UUID that the hypervisor has, never from values read in
 * xenstore.
 *
 * Owns: nothing beyond the operation. Locks: the context's lock, held by the caller.
 */
#include "ops.h"

#include <errno.h>
#include <string.h>

enum { NODES = 3, LONGEST_PATH = sizeof("/vm/") + LIBXL_UUID_FMTLEN };

typedef struct teardown {
    libxl__domain_source domain;
    libxl__hv_destroy destroy;
    libxl__xs_batch *cleaning;
    bool exists; /* the hypervisor has the domain */
} domain_teardown_state;

static int reserve(libxl__ao *ao, struct teardown *t)
{
    if (t->cleaning)
        return 0;
    t->cleaning = libxl__xs_batch_new(ao, 0);
    int rc = t->cleaning ? libxl__xs_reserve(t->cleaning, NODES, (size_t)NODES * LONGEST_PATH) : ERROR_NOMEM;
    if (!rc)
        rc = libxl__domain_source_reserve(ao, &t->domain);
    if (!rc)
        rc = libxl__hv_destroy_reserve(ao, &t->destroy);
    return rc;
}

/* ---- look: the domain is looked up, and what its teardown needs is reserved */

static int look_start(libxl__ao *ao, struct teardown *t)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    xc_domaininfo_t info;
    int rc = reserve(ao, t);
    if (rc)
        return rc;
    const int found = libxl__hv_look(ao, args->in.domid, &info);
    if (found && found != ERROR_DOMAIN_NOTFOUND)
        return found;
    const bool same = !found && memcmp(info.handle, args->in.uuid.uuid, sizeof(info.handle)) == 0;
    t->exists = same;
    libxl__xs_remove(t->cleaning, "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(args->in.uuid));
    if (same || found) { /* otherwise the domid is another domain's */
        libxl__xs_remove(t->cleaning, "/local/domain/%u", args->in.domid);
        libxl__xs_remove(t->cleaning, "/libxl/%u", args->in.domid);
    }
    return same ? libxl__domain_source_start(ao, &t->domain, &info) : 0;
}

/* ---- pause: the domain is paused, so that it does not run while its nodes disappear */

/* A caller who may not pause the domain may not destroy it either: nothing has been done then. */
static int pause_start(libxl__ao *ao, struct teardown *t)
{
    const uint32_t domid = ao->subject.number;
    if (!t->exists || !xc_domain_pause(libxl__xch(ao->ctx), domid) ||
        libxl__errno_rc(errno) != ERROR_PERMISSION)
        return 0;
    return libxl__ao_fail(ao, ERROR_PERMISSION, "pausing domain %u: %s", domid, strerror(errno));
}

/* ---- clean: the nodes are removed; the phase's limit bounds the wait for xenstored */

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

static int destroy_poll(libxl__ao *ao, struct teardown *t)
{
    if (!libxl__hv_destroy_done(&t->destroy))
        return LIBXL__AO_WAIT;
    /* The job's members are the worker's until it is done. ESRCH: somebody else has destroyed the domain meanwhile. */
    const int error = t->destroy.errnoval;
    if (error && error != ESRCH)
        return libxl__ao_fail(ao, libxl__errno_rc(error), "destroying domain %u: %s", ao->subject.number,
                              strerror(error));
    libxl__domains_look_soon(ao->ctx);
    return 0;
}

/* ---- gone: the domain leaves the hypervisor's list, and xenstored has answered */

static int gone_poll(libxl__ao *ao, struct teardown *t)
{
    const bool gone = !t->exists || t->domain.follower.phase == LIBXL__DOMAIN_GONE;
    const int rc = gone ? 0 : libxl__domain_source_check(ao);
    if (rc)
        return rc;
    return gone && libxl__xs_done(t->cleaning) ? libxl__xs_result(t->cleaning) : LIBXL__AO_WAIT;
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

/* ---- for the operations that nest it */

int libxl__teardown_reserve(libxl__ao *parent, libxl__nested *teardown)
{
    libxl__ao *child = libxl__nested_create(parent, teardown, &libxl__operations[LIBXL__OP_DOMAIN_TEARDOWN]);
    if (!child)
        return ERROR_NOMEM;
    teardown->outlives = true;
    const int rc = reserve(child, child->state);
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
