/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_teardown: the nested operation that takes a domain down, for domain_destroy and for the undo of a creation.
 *
 * The operation pauses the domain, removes its nodes, and destroys it. The nodes are removed before the
 * domain is destroyed, as in other toolstacks. The reason is that xenstored searches its whole store for the
 * nodes of a domain that dies. If xenstored does not answer, the destruction is delayed but not prevented.
 * If the devices could not be listed before the destruction, the phase `rest` lists and removes them, and the
 * nodes that name them stay until then. teardown_nodes.h says which nodes are removed.
 *
 * The resources that the destruction of the domain and the removal of its nodes need are reserved before the
 * domain is paused. A creation reserves them before it makes the domain. The list of the devices and their
 * removals are not reserved. If there is no memory for them, the operation continues, and reports this at its
 * end.
 *
 * The domain of a failed creation is `unfinished`: no other program will destroy it. If the hypervisor refuses to
 * destroy an unfinished domain, the teardown tries again every second until it succeeds or the context is closed. A
 * failed removal of nodes is repeated for every domain, for example while the connection to xenstored is down. The
 * first failure wakes the parent. The parent then stops waiting, and the teardown continues in the background. If a
 * creation has made no domain yet, the domid is LIBXL_DOMID_INVALID, and only the mark (marks.h) is removed.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "teardown_devices.h"
#include "teardown_nodes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define UNTIL_A_RETRY LIBXL__SECONDS(1)
#define FOR_AN_ANSWER LIBXL__SECONDS(1)

typedef struct teardown {
    libxl__domain_source domain;
    libxl__hv_destroy destroy;
    libxl__teardown_devices devices;
    libxl__userdata_removal files;
    libxl__teardown_nodes nodes;
    libxl__admission admission; /* limits how many teardowns remove their nodes at the same time */
    /* The alarm for the next attempt. It also rings when xenstored has not answered for a second. */
    libxl__alarm alarm;
    uint32_t answers; /* the value of libxl__xs_answers when the alarm was set */
    bool exists;      /* the hypervisor's list contains the domain */
    bool nodes_stay;  /* the last attempt to remove the nodes has failed */
    bool stopped;     /* no further attempt is made, because the operation was asked to stop */
    bool waits_to_retry;
    bool silent;   /* xenstored has not answered for a second */
    bool cleaning; /* the removal of the nodes has begun */
    bool resting;  /* the phase `rest` removes the nodes */
    bool said;     /* the parent's message names the domain or the nodes that have not been removed */
    int refusal;   /* the error of the last attempt to destroy the domain or to remove its nodes; 0: none */
} domain_teardown_state;

static int reserve(libxl__ao *ao, struct teardown *t)
{
    if (t->nodes.first)
        return 0;
    int rc = libxl__teardown_nodes_reserve(ao, &t->nodes);
    if (!rc)
        rc = libxl__device_sweep_reserve(ao, &t->devices.sweep);
    if (!rc)
        rc = libxl__domain_source_reserve(ao, &t->domain);
    if (!rc)
        rc = libxl__hv_destroy_reserve(ao, &t->destroy);
    if (!rc)
        rc = libxl__userdata_reserve_removal(ao, &t->files);
    if (!rc)
        rc = libxl__alarm_set(ao, &t->alarm, LIBXL__NEVER);
    return rc;
}

/* ---- planning another attempt */

/*
 * Plans another attempt after an attempt that has failed with `rc`, and wakes the parent. Returns
 * LIBXL__AO_WAIT, or `rc` if there is no memory.
 */
static int plan_retry(libxl__ao *ao, struct teardown *t, int rc)
{
    t->refusal = rc;
    if (libxl__alarm_set(ao, &t->alarm, UNTIL_A_RETRY))
        return rc;
    t->waits_to_retry = true;
    libxl__nested_tell(ao);
    return LIBXL__AO_WAIT;
}

/*
 * Called when the hypervisor has refused with `rc`. If the domain is unfinished, plans another attempt and
 * returns LIBXL__AO_WAIT. After a stop request, plans no attempt: returns LIBXL__AO_WAIT while the mark is
 * being written, and then `rc`.
 */
static int refused(libxl__ao *ao, struct teardown *t, int rc)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    if (!args->in.unfinished)
        return rc;
    if (!t->stopped)
        return plan_retry(ao, t, rc);
    t->refusal = rc;
    return libxl__teardown_nodes_give_up(&t->nodes) ? rc : LIBXL__AO_WAIT;
}

/* Returns whether the time of the next attempt has come. */
static bool is_time_to_retry(struct teardown *t)
{
    if (!t->waits_to_retry || !t->alarm.rang)
        return false;
    t->waits_to_retry = false;
    return true;
}

/* ---- look: the domain is looked up, and the resources are reserved */

/*
 * Looks the domain up. If the hypercall fails, assumes that an unfinished domain exists. This assumption is
 * safe, because the destruction compares the UUID again.
 */
static int look(libxl__ao *ao, xc_domaininfo_t *info)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    const int rc = libxl__hv_look(ao, args->in.domid, info);
    if (!rc || rc == ERROR_DOMAIN_NOTFOUND || !args->in.unfinished)
        return rc;
    *info = (xc_domaininfo_t){.domain = (domid_t)args->in.domid};
    memcpy(info->handle, args->in.handle.uuid, sizeof(info->handle));
    return 0;
}

static int look_start(libxl__ao *ao, struct teardown *t)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    xc_domaininfo_t info;
    uint32_t other;
    int rc = reserve(ao, t);
    t->nodes.domid = args->in.domid;
    t->nodes.uuid = args->in.uuid;
    t->nodes.handle = args->in.handle;
    t->nodes.unfinished = args->in.unfinished;
    if (rc || args->in.domid == LIBXL_DOMID_INVALID)
        return rc;
    const int found = look(ao, &info);
    if (found && found != ERROR_DOMAIN_NOTFOUND)
        return found;
    rc = libxl__hv_find(ao, &args->in.uuid, args->in.domid, &other);
    if (rc && !args->in.unfinished)
        return rc;
    t->exists = !found && memcmp(info.handle, args->in.handle.uuid, sizeof(info.handle)) == 0;
    t->nodes.has_tree = t->exists || found;
    /*
     * If the hypercall fails, this phase assumes that another domain has the UUID. A later phase checks this again.
     */
    t->nodes.shared = rc || other != LIBXL_DOMID_INVALID;
    return t->exists ? libxl__domain_source_start(ao, &t->domain, &info) : 0;
}

/* ---- pause: the domain is paused, so that it does not run while its nodes disappear */

/*
 * If the caller has no right to pause the domain, it has no right to destroy it either. So the operation fails here,
 * before it has changed anything. Other errors are ignored. An unfinished domain does not run, so its teardown ignores
 * all errors.
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

/* ---- waiting for xenstored */

static int wait_for_answers(libxl__ao *ao, struct teardown *t)
{
    t->answers = libxl__xs_answers(ao->ctx);
    return libxl__alarm_set(ao, &t->alarm, FOR_AN_ANSWER) ? 0 : LIBXL__AO_WAIT;
}

/*
 * Returns LIBXL__AO_WAIT while xenstored answers requests. If many teardowns run at the same time, the answer to
 * this request may come late. So an answer to any request of the context counts. Returns 0 after a second without an
 * answer, or if there is no memory for the alarm.
 */
static int go_on_waiting(libxl__ao *ao, struct teardown *t)
{
    if (!t->alarm.rang)
        return LIBXL__AO_WAIT;
    t->silent = t->answers == libxl__xs_answers(ao->ctx);
    return t->silent ? 0 : wait_for_answers(ao, t);
}

/* ---- list: the devices are listed */

static int list_start(libxl__ao *ao, struct teardown *t)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    if (!t->nodes.has_tree)
        return 0;
    const int rc = libxl__teardown_devices_list(ao, &t->devices, args->in.domid, &args->in.uuid);
    return rc ? wait_for_answers(ao, t) : 0;
}

static int list_poll(libxl__ao *ao, struct teardown *t)
{
    return libxl__teardown_devices_list_poll(ao, &t->devices) ? go_on_waiting(ao, t) : 0;
}

/* ---- devices: their backends close, and the host's resources are released */

static int devices_start(libxl__ao *ao, struct teardown *t)
{
    return libxl__teardown_devices_remove(ao, &t->devices);
}

static int devices_poll(libxl__ao *ao, struct teardown *t)
{
    return libxl__teardown_devices_remove_poll(ao, &t->devices);
}

/* ---- clean: the nodes and the files are removed */

/* Ends the phase `clean`, and lets another teardown begin to remove its nodes. */
static int end_clean(libxl__ao *ao, struct teardown *t)
{
    libxl__source_stop(ao->ctx, &t->admission.source);
    return 0;
}

static int remove_nodes(libxl__ao *ao, struct teardown *t)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    t->cleaning = true;
    t->nodes.keeps_tree = t->nodes.has_tree && !t->devices.sweep.listed;
    /* The phase `gone` waits until the files are removed. */
    if (args->in.domid != LIBXL_DOMID_INVALID)
        libxl__userdata_remove(ao, &t->files, args->in.domid, &args->in.uuid);
    libxl__teardown_nodes_remove(&t->nodes);
    return !t->silent && !libxl__xs_done(t->nodes.first) && wait_for_answers(ao, t) ? LIBXL__AO_WAIT
                                                                                    : end_clean(ao, t);
}

static int clean_poll(libxl__ao *ao, struct teardown *t)
{
    const bool ready = t->cleaning ? libxl__xs_done(t->nodes.first) : t->admission.granted;
    if (!ready && go_on_waiting(ao, t))
        return LIBXL__AO_WAIT;
    return t->cleaning ? end_clean(ao, t) : remove_nodes(ao, t);
}

/*
 * Only a few teardowns remove their nodes at the same time, because at each removal xenstored examines all domains
 * that have not been destroyed yet.
 */
static int clean_start(libxl__ao *ao, struct teardown *t)
{
    libxl__admission_ask(ao, &ao->ctx->xen->removal_admissions, &t->admission);
    return t->admission.granted || !wait_for_answers(ao, t) ? remove_nodes(ao, t) : LIBXL__AO_WAIT;
}

/* ---- destroy: a worker destroys the domain in the hypervisor */

static int destroy_start(libxl__ao *ao, struct teardown *t)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    if (!t->exists)
        return 0;
    libxl__hv_destroy_start(ao, &t->destroy, args->in.domid, &args->in.handle);
    return LIBXL__AO_WAIT;
}

static bool is_alive(libxl__ao *ao)
{
    const libxl__domain_teardown_args *args = libxl__ao_args(ao);
    xc_domaininfo_t info;
    return !libxl__hv_look(ao, args->in.domid, &info) && !(info.flags & XEN_DOMINF_dying) &&
           memcmp(info.handle, args->in.handle.uuid, sizeof(info.handle)) == 0;
}

static int destroy_poll(libxl__ao *ao, struct teardown *t)
{
    if (!libxl__hv_destroy_done(&t->destroy))
        return LIBXL__AO_WAIT;
    if (is_time_to_retry(t))
        return destroy_start(ao, t);
    /*
     * The job is done, so the worker does not use its members any more. ESRCH means that the domain is gone: another
     * program has destroyed it.
     */
    const int error = t->destroy.errnoval,
              rc = error == ESRCH ? ERROR_FAIL : libxl__errno_rc(LIBXL__CALL_DOMAIN, error);
    if (!error || (error == ESRCH && !is_alive(ao))) {
        t->refusal = 0;
        libxl__domains_look_soon(ao->ctx);
        return 0;
    }
    if (t->waits_to_retry && !t->stopped)
        return LIBXL__AO_WAIT;
    libxl__ao_fail(ao, rc, "destroying domain %u: %s", ao->subject.number, strerror(error));
    return refused(ao, t, rc);
}

static void destroy_stop(libxl__ao *ao, struct teardown *t)
{
    (void)ao;
    t->stopped = true;
}

/* ---- gone: the domain leaves the hypervisor's list, its files are removed, and xenstored has answered */

static int gone_poll(libxl__ao *ao, struct teardown *t)
{
    const bool gone = !t->exists || t->domain.follower.phase == LIBXL__DOMAIN_GONE;
    const int rc = gone ? 0 : libxl__domain_source_check(ao);
    if (rc)
        return rc;
    return gone && libxl__xs_done(t->nodes.first) && libxl__userdata_removed(&t->files) ? 0 : LIBXL__AO_WAIT;
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

/* ---- rest: the devices that were not listed before, the mark, and the nodes that are left are removed */

/*
 * Lists and removes the devices that could not be listed before. Returns 0 when the domain's other nodes may be
 * removed.
 */
static int late_poll(libxl__ao *ao, struct teardown *t)
{
    if (t->waits_to_retry && !is_time_to_retry(t))
        return LIBXL__AO_WAIT;
    const int rc = libxl__teardown_devices_late(ao, &t->devices, &t->nodes, &t->alarm, t->stopped);
    if (!rc || rc == LIBXL__AO_WAIT)
        return rc;
    t->nodes_stay = true;
    return plan_retry(ao, t, rc);
}

static int rest_result(libxl__ao *ao, struct teardown *t)
{
    const int rc = t->waits_to_retry ? LIBXL__AO_WAIT : libxl__teardown_nodes_result(&t->nodes);
    if (rc == LIBXL__AO_WAIT)
        return rc;
    if (!rc && t->nodes_stay)
        libxl__ao_log(ao, XTL_NOTICE, -1, "the nodes that stayed of " LIBXL_UUID_FMT " are removed",
                      LIBXL_UUID_BYTES(ao->subject.uuid));
    t->nodes_stay = rc != 0;
    if (rc && !t->stopped)
        return plan_retry(ao, t, rc);
    if (!rc && t->files.rc)
        return libxl__ao_fail(ao, t->files.rc, "%s", t->files.files.why);
    if (!rc && t->devices.rc)
        return libxl__ao_fail(ao, t->devices.rc, "%s",
                              t->devices.message ? t->devices.message : "its devices stay");
    return rc;
}

static int remove_rest(libxl__ao *ao, struct teardown *t)
{
    t->resting = true;
    libxl__teardown_nodes_remove_rest(ao, &t->nodes);
    return rest_result(ao, t);
}

static int rest_poll(libxl__ao *ao, struct teardown *t)
{
    if (t->resting)
        return is_time_to_retry(t) ? remove_rest(ao, t) : rest_result(ao, t);
    return t->nodes.keeps_tree && late_poll(ao, t) ? LIBXL__AO_WAIT : remove_rest(ao, t);
}

static int rest_start(libxl__ao *ao, struct teardown *t)
{
    return rest_poll(ao, t);
}

static void rest_stop(libxl__ao *ao, struct teardown *t)
{
    t->stopped = true;
    if (t->waits_to_retry)
        libxl__alarm_set(ao, &t->alarm, 0); /* cannot fail, because the alarm is set already */
}

#include "_libxl_phases_domain_teardown.h"

/* ---- functions for the operations that run a teardown */

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
    libxl__source_stop(parent->ctx, &teardown->source); /* stopping the source destroys the child */
    return rc;
}

void libxl__teardown_resets(const libxl__nested *teardown, uint32_t domid)
{
    struct teardown *t = libxl__ao_state(teardown->child);
    t->nodes.resets = true;
    t->nodes.marked = domid;
}

void libxl__teardown_start(libxl__nested *teardown, uint32_t domid, const libxl_uuid *uuid,
                           const libxl_uuid *handle)
{
    libxl__ao *child = teardown->child;
    libxl__domain_teardown_args *args = libxl__ao_args(child);
    child->subject = (libxl__subject){.number = domid, .uuid = *uuid};
    args->in.domid = domid;
    args->in.uuid = *uuid;
    args->in.handle = *handle;
    libxl__nested_start(teardown);
}

/* Adds the domain or the nodes that have not been removed to the parent's message. */
static void say_what_stays(libxl__ao *parent, const libxl__ao *child, const struct teardown *t)
{
    char paths[LIBXL__TEARDOWN_NODES_TEXT];
    if (!t->nodes_stay) {
        libxl__ao_fail_also(parent, "domain %u stays: %s; its destruction is tried again every second",
                            child->subject.number, libxl__ao_words(child, t->refusal));
        return;
    }
    libxl__teardown_nodes_describe(&t->nodes, paths);
    libxl__ao_fail_also(parent, "%s may stay; the removal is tried again every second", paths);
}

int libxl__teardown_poll(libxl__ao *parent, const libxl__nested *teardown)
{
    if (teardown->done)
        return teardown->rc;
    libxl__ao *child = teardown->child;
    struct teardown *t = libxl__ao_state(child);
    if (!t->refusal)
        return LIBXL__AO_WAIT;
    libxl__ao_fail(parent, t->refusal, "%s", libxl__ao_words(child, t->refusal));
    if (!t->said)
        say_what_stays(parent, child, t);
    t->said = true;
    return t->refusal;
}
