/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing beyond its operation. Taking a domain down is an operation of its own, nested in
 * domain_destroy, which may give up waiting for it, and in domain_create_new, for what that has made; once
 * begun it goes on to its end.
 *
 * Paused, its nodes removed, destroyed: the order that other toolstacks keep. When a domain dies that owns nodes,
 * xenstored looks through all that it has for them. But a xenstored that does not answer keeps no domain alive. What it
 * takes, memory and a worker, is had before the first of these: either nothing is done or all that can be.
 *
 * Paths are built from the domid and from the uuid that the hypervisor has, never from values read in
 * xenstore.
 */
#include "ops.h"

#include <errno.h>
#include <string.h>

struct teardown {
    libxl__domain_source domain;
    libxl__hv_destroy destroy;
    libxl__xs_batch *cleaning;
    libxl__alarm cleaned;  /* for xenstored, before the domain is destroyed */
    libxl__alarm patience; /* once asked to stop */
    bool there;            /* the hypervisor has it */
};

enum { CLEANING_SECONDS = 1, PATIENCE_SECONDS = 5 };

/* If its domid is another's by now, only what has its uuid is its own. */
static int plan_cleaning(libxl__ao *ao, struct teardown *t, const libxl__teardown_args *args, bool another)
{
    t->cleaning = libxl__xs_batch_new(ao, args->domid);
    if (!t->cleaning)
        return ERROR_NOMEM;
    libxl__xs_remove(t->cleaning, "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(args->uuid));
    if (!another) {
        libxl__xs_remove(t->cleaning, "/local/domain/%u", args->domid);
        libxl__xs_remove(t->cleaning, "/libxl/%u", args->domid);
    }
    return 0;
}

/* Whether it is there: it may be gone already, or another domain have its domid. */
static int look(libxl__ao *ao, struct teardown *t, const libxl__teardown_args *args)
{
    xc_domaininfo_t info;
    int found = libxl__hv_look(ao, args->domid, &info);
    if (found && found != ERROR_DOMAIN_NOTFOUND)
        return found;
    const bool another = !found && memcmp(info.handle, args->uuid.uuid, sizeof(info.handle)) != 0;
    t->there = !found && !another;
    int rc = plan_cleaning(ao, t, args, another);
    if (!rc && t->there)
        rc = libxl__domain_source_start(ao, &t->domain, &info);
    return rc ? rc : libxl__xs_prepare(t->cleaning); /* last: nothing else is to take what it gets */
}

/* Pauses it, when all is there that its destruction needs. Whoever may not pause it may not destroy it either: then
 * nothing has been done. */
static int seize(libxl__ao *ao, struct teardown *t, const libxl__teardown_args *args)
{
    int rc = libxl__hv_destroy_prepare(ao, &t->destroy, args->domid, &args->uuid);
    if (rc || !xc_domain_pause(libxl__xch(ao->ctx), args->domid) ||
        libxl__errno_rc(errno) != ERROR_PERMISSION)
        return rc;
    libxl__ao_fail(ao, ERROR_PERMISSION, "pausing domain %u: %s", args->domid, strerror(errno));
    libxl__hv_destroy_give_up(ao);
    return ERROR_PERMISSION;
}

static void clean(libxl__ao *ao, struct teardown *t)
{
    libxl__xs_run_anyway(t->cleaning, LIBXL__XS_ONE_BY_ONE);
    libxl__alarm_set(ao, &t->cleaned, LIBXL__SECONDS(CLEANING_SECONDS)); /* without it, it does not wait */
}

enum { START, CLEANING, DESTROYING, ENDING };

static int body(libxl__ao *ao, void *p)
{
    const libxl__teardown_args *args = p;
    struct teardown *t = libxl__ao_state(ao, sizeof(*t));
    int rc;
    if (!t)
        return ERROR_NOMEM;
    libxl__ao_unwinds(ao);
    /*
     * Asked to stop, because the context is being closed, it goes on: there is nothing to go back to. But for a domain
     * that stays dying, or a xenstored that does not answer, it does not wait for ever; what it has asked for is on its
     * way.
     */
    if (ao->stop && !t->patience.source.ao)
        libxl__alarm_set(ao, &t->patience,
                         LIBXL__SECONDS(PATIENCE_SECONDS)); /* without it, it only waits longer */
    if (t->patience.rang && ao->step >= ENDING)
        return ao->stop;
    switch (ao->step) {
    case START:
        rc = look(ao, t, args);
        if (!rc && t->there)
            rc = seize(ao, t, args);
        if (rc)
            return rc;
        clean(ao, t);
        ao->step = CLEANING;
        __attribute__((fallthrough));
    case CLEANING:
        if (!libxl__xs_done(t->cleaning) && t->cleaned.source.ao && !t->cleaned.rang)
            return LIBXL__AO_WAIT;
        if (t->there)
            libxl__hv_destroy_start(ao, &t->destroy);
        ao->step = DESTROYING;
        __attribute__((fallthrough));
    case DESTROYING:
        if (t->there && !libxl__hv_destroy_done(&t->destroy))
            return LIBXL__AO_WAIT;
        /* ESRCH: somebody else was faster, which is as good. */
        if (t->destroy.errnoval && t->destroy.errnoval != ESRCH)
            return libxl__ao_fail(ao, libxl__errno_rc(t->destroy.errnoval), "destroying domain %u: %s",
                                  args->domid, strerror(t->destroy.errnoval));
        libxl__domains_look_soon(ao->ctx);
        ao->step = ENDING;
        __attribute__((fallthrough));
    case ENDING:
        if (!libxl__xs_done(t->cleaning) || (t->there && t->domain.follower.phase != LIBXL__DOMAIN_GONE))
            return LIBXL__AO_WAIT;
        return libxl__xs_result(t->cleaning);
    }
    return ERROR_BADFAIL;
}

static const libxl__ao_class teardown_class = {
    .name = "domain_teardown", .body = body, .args_size = sizeof(libxl__teardown_args), .slow = true};

int libxl__teardown_start(libxl__ao *ao, libxl__nested *nested, uint32_t domid, const libxl_uuid *uuid)
{
    libxl__ao *child = libxl__nested_create(ao, nested, &teardown_class);
    if (!child)
        return ERROR_NOMEM;
    child->subject.number = domid;
    *(libxl__teardown_args *)libxl__ao_args(child) = (libxl__teardown_args){.domid = domid, .uuid = *uuid};
    nested->outlives = true;
    libxl__nested_start(nested);
    return 0;
}

int libxl__domain_destroy_body(libxl__ao *ao, libxl__domain_destroy_args *args)
{
    enum { START, WAITING };
    libxl__nested *teardown = libxl__ao_state(ao, sizeof(*teardown));
    if (!teardown)
        return ERROR_NOMEM;
    if (ao->step == START) {
        xc_domaininfo_t info;
        if (args->in.domid == 0)
            return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 cannot be destroyed");
        int rc = libxl__hv_info(ao, args->in.domid, &info);
        if (!rc)
            rc = libxl__teardown_start(ao, teardown, args->in.domid, &ao->subject.uuid);
        ao->step = WAITING;
        return rc ? rc : LIBXL__AO_WAIT;
    }
    return teardown->done ? teardown->rc : LIBXL__AO_WAIT;
}
