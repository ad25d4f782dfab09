/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_recover: the nested operation that undoes the changes of a save. It runs after a save has failed, and for a
 * save whose process has ended.
 *
 * A guest that has agreed to suspend itself may suspend itself late. So the recovery waits until the guest has
 * suspended itself, and then resumes it. If the hypervisor refuses, or xenstored cannot be reached, the recovery tries
 * again every second until it succeeds or the context is closed. With the input `gives_up` the recovery changes only
 * the mark of the save (save_mark.h). The first failure wakes the parent. The parent then stops waiting, and the
 * recovery continues in the background.
 *
 * If the context is closed before the recovery has ended, the mark of the save says that the domain was given up.
 *
 * Owns: the operation's state, and its entry in the context's list of recoveries. The caller holds the context's lock.
 */
#include "qmp.h"
#include "recover.h"
#include "resume.h"

#include <errno.h>
#include <string.h>

#define UNTIL_A_RETRY LIBXL__SECONDS(1)

typedef struct recovering {
    libxl__qmp *qmp;     /* sends `cont` to the QEMU of an HVM domain; NULL: the domain is not HVM */
    libxl__source claim; /* attached while the recovery is in the context's list; never fires */
    LIST_ENTRY(recovering) link;
    libxl__ao *parent; /* the operation that has reserved this recovery; the pointer is only compared */
    libxl__resume resume;
    libxl__domain_source domain;
    /* The alarm for the next attempt; in the phase `follow`, for the end of the wait for the guest. */
    libxl__alarm alarm;
    libxl__xs_batch *batch;
    libxl__save_stage stage;
    bool reserved;
    bool forgotten; /* xenstored was started again and does not have the nodes of this existing domain */
    bool follows;   /* the phase `follow` waits for the guest to suspend itself */
    bool waits_to_retry;
    bool stopped; /* no further attempt is made, because the context is closing */
    bool said;    /* the parent's message already says that the domain is not recovered */
    int refusal;  /* the error of the last attempt; 0: none */
} domain_recover_state;

static const libxl__domain_recover_args *args_of(libxl__ao *ao)
{
    return libxl__ao_args(ao);
}

/* ---- reserving the resources */

/* Makes the command for QEMU. Makes no command if the domain is gone. */
static int reserve_commands(libxl__ao *ao, struct recovering *s)
{
    xc_domaininfo_t info;
    int rc = libxl__hv_look(ao, ao->subject.number, &info);
    if (rc || libxl__hv_type(&info) != LIBXL_DOMAIN_TYPE_HVM)
        return rc == ERROR_DOMAIN_NOTFOUND ? 0 : rc;
    s->qmp = libxl__gc_alloc(&ao->gc, sizeof(*s->qmp));
    rc = s->qmp ? libxl__qmp_reserve(ao, s->qmp) : ERROR_NOMEM;
    return rc ? rc : libxl__qmp_add(ao, s->qmp, "cont", NULL, -1);
}

static int reserve(libxl__ao *ao, struct recovering *s)
{
    if (s->reserved)
        return 0;
    int rc = libxl__phases_reserve(ao);
    if (!rc)
        rc = reserve_commands(ao, s);
    if (!rc)
        rc = libxl__resume_reserve(ao, &s->resume);
    if (!rc)
        rc = libxl__domain_source_reserve(ao, &s->domain);
    if (!rc)
        rc = libxl__alarm_set(ao, &s->alarm, LIBXL__NEVER);
    s->reserved = !rc;
    return rc;
}

/* ---- planning another attempt, and giving up */

/* Plans another attempt after an attempt that has failed with `rc`, and wakes the parent. */
static int plan_retry(libxl__ao *ao, struct recovering *s, int rc)
{
    s->refusal = rc;
    libxl__alarm_set(ao, &s->alarm, UNTIL_A_RETRY); /* cannot fail, because the alarm is set already */
    s->waits_to_retry = true;
    libxl__nested_tell(ao);
    return LIBXL__AO_WAIT;
}

/* Returns whether the time of the next attempt has come. */
static bool is_time_to_retry(struct recovering *s)
{
    if (!s->waits_to_retry || !s->alarm.rang)
        return false;
    s->waits_to_retry = false;
    return true;
}

/* Starts to write into the mark that the domain was given up. Does nothing if there is no memory. */
static void begin_to_give_up(libxl__ao *ao, struct recovering *s)
{
    s->batch = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->batch)
        return;
    if (!s->forgotten)
        libxl__xs_require_domain(s->batch, &ao->subject.uuid);
    libxl__save_mark_write(s->batch, ao->subject.number, s->stage, true);
    libxl__xs_run_anyway(s->batch, LIBXL__XS_TRANSACTION);
}

/*
 * Writes into the mark that the domain was given up. Returns LIBXL__AO_WAIT until xenstored has answered, and then
 * `rc`.
 */
static int give_up(libxl__ao *ao, struct recovering *s, int rc)
{
    if (!s->batch)
        begin_to_give_up(ao, s);
    return !s->batch || libxl__xs_done(s->batch) ? rc : LIBXL__AO_WAIT;
}

/* ---- follow: waits until a guest that has agreed to suspend itself has done so */

static int follow_poll(libxl__ao *ao, struct recovering *s)
{
    if (s->domain.follower.was_shutdown || s->domain.follower.phase >= LIBXL__DOMAIN_DYING) {
        s->follows = false;
        return 0;
    }
    if (s->stopped)
        return give_up(ao, s, ERROR_ABORTED);
    if (!s->alarm.rang)
        return LIBXL__AO_WAIT;
    libxl__ao_log(ao, XTL_WARN, -1, "the guest has agreed to suspend itself, and has not done so in %d s",
                  args_of(ao)->in.follow_ms / 1000);
    s->follows = false;
    return 0;
}

static int follow_start(libxl__ao *ao, struct recovering *s)
{
    xc_domaininfo_t info;
    int rc = reserve(ao, s);
    if (rc || !args_of(ao)->in.follow_ms || libxl__hv_look(ao, ao->subject.number, &info))
        return rc;
    rc = libxl__domain_source_start(ao, &s->domain, &info);
    if (rc)
        return rc;
    libxl__alarm_set(ao, &s->alarm, LIBXL__MILLISECONDS(args_of(ao)->in.follow_ms));
    s->follows = true;
    libxl__nested_tell(ao);
    return follow_poll(ao, s);
}

static void follow_stop(libxl__ao *ao, struct recovering *s)
{
    (void)ao;
    s->stopped = true;
}

/*
 * ---- model: the QEMU of an HVM domain goes on. If the program of the save was killed, QEMU still notes
 * which pages it changes. The recovery does not tell QEMU to end this, because QEMU 7.2 aborts if it gets this command
 * while it notes no pages. The next save ends the notes.
 */

static int ask_model(libxl__ao *ao, struct recovering *s)
{
    libxl__qmp_again(ao, s->qmp);
    const int rc = libxl__qmp_start(ao, s->qmp, ao->subject.number);
    return rc == LIBXL__AO_WAIT ? rc : plan_retry(ao, s, rc);
}

static int model_start(libxl__ao *ao, struct recovering *s)
{
    /* A save stops QEMU only after it has suspended the guest. So QEMU runs if the guest was not suspended. */
    return s->qmp && args_of(ao)->in.suspended ? ask_model(ao, s) : 0;
}

/* A guest is resumed even if its QEMU has ended. The application decides what to do with such a guest. */
static int model_poll(libxl__ao *ao, struct recovering *s)
{
    if (is_time_to_retry(s) && !s->stopped)
        return ask_model(ao, s);
    if (s->waits_to_retry && !s->stopped)
        return LIBXL__AO_WAIT;
    if (s->waits_to_retry)
        return give_up(ao, s, s->refusal);
    const int rc = libxl__qmp_poll(ao, s->qmp);
    if (rc == LIBXL__AO_WAIT)
        return s->stopped ? give_up(ao, s, ERROR_ABORTED) : rc;
    if (rc && (s->qmp->errnoval == ENOENT || s->qmp->errnoval == ECONNREFUSED)) {
        libxl__ao_log(ao, XTL_ERROR, -1, "the device model has ended; the guest is resumed without it");
        libxl__ao_forget_failure(ao);
        return 0;
    }
    return !rc ? 0 : s->stopped ? give_up(ao, s, rc) : plan_retry(ao, s, rc);
}

static void model_stop(libxl__ao *ao, struct recovering *s)
{
    (void)ao;
    s->stopped = true;
}

/* ---- resume: a worker ends log-dirty mode, and resumes a suspended guest */

static int resume_start(libxl__ao *ao, struct recovering *s)
{
    if (args_of(ao)->in.gives_up)
        return 0;
    s->resume.domid = ao->subject.number;
    s->resume.cancelled = true;
    s->resume.saved = true;
    s->resume.suspended = args_of(ao)->in.suspended;
    libxl__resume_start(ao, &s->resume);
    return LIBXL__AO_WAIT;
}

static int resume_poll(libxl__ao *ao, struct recovering *s)
{
    if (!libxl__resume_done(&s->resume))
        return LIBXL__AO_WAIT;
    if (!s->resume.errnoval || s->resume.errnoval == ESRCH)
        return 0;
    if (is_time_to_retry(s) && !s->stopped)
        return resume_start(ao, s);
    if (s->waits_to_retry && !s->stopped)
        return LIBXL__AO_WAIT;
    errno = s->resume.errnoval;
    const int rc = libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "resuming", ao->subject.number);
    return s->stopped ? give_up(ao, s, rc) : plan_retry(ao, s, rc);
}

static void resume_stop(libxl__ao *ao, struct recovering *s)
{
    (void)ao;
    s->stopped = true;
}

/* ---- tell: sends xenstored the request XS_RESUME if the domain runs again, and removes or changes the mark */

static int tell_start(libxl__ao *ao, struct recovering *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = NULL;
    if (args_of(ao)->in.gives_up) {
        begin_to_give_up(ao, s);
        return s->batch ? LIBXL__AO_WAIT : plan_retry(ao, s, ERROR_NOMEM);
    }
    s->batch = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->batch)
        return plan_retry(ao, s, ERROR_NOMEM);
    libxl__save_mark_remove(s->batch, ao->subject.number);
    if (s->resume.resumed) {
        libxl__domains_look_soon(ao->ctx);
        libxl__xs_resume(s->batch);
    }
    libxl__xs_run_anyway(s->batch, LIBXL__XS_ONE_BY_ONE);
    return LIBXL__AO_WAIT;
}

/* Marks a domain that exists but has no nodes. Does nothing in other cases. */
static int mark_anyway(libxl__ao *ao, struct recovering *s)
{
    const libxl_uuid uuid = ao->subject.uuid;
    xc_domaininfo_t info;
    const int rc = libxl__hv_look(ao, ao->subject.number, &info);
    /* libxl__hv_look has stored the UUID of the domain that has the domid now, which may be another domain. */
    ao->subject.uuid = uuid;
    if (rc || s->forgotten || info.flags & XEN_DOMINF_dying ||
        memcmp(info.handle, uuid.uuid, sizeof(info.handle)) != 0)
        return 0;
    s->forgotten = true;
    return tell_start(ao, s);
}

static int tell_poll(libxl__ao *ao, struct recovering *s)
{
    if (is_time_to_retry(s) && !s->stopped)
        return tell_start(ao, s);
    if (s->waits_to_retry)
        return s->stopped ? s->refusal : LIBXL__AO_WAIT;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_rc(s->batch);
    if (s->resume.errnoval)
        return libxl__ao_fail(ao, ERROR_DOMAIN_NOTFOUND, "domid: domain %u is gone", ao->subject.number);
    if (args_of(ao)->in.gives_up && rc == ERROR_DOMAIN_DESTROYED)
        return mark_anyway(ao, s);
    if ((rc == ERROR_NO_XENSTORE || rc == ERROR_NOMEM) && !s->stopped)
        return plan_retry(ao, s, rc);
    return libxl__xs_result(s->batch);
}

static void tell_stop(libxl__ao *ao, struct recovering *s)
{
    (void)ao;
    s->stopped = true;
}

#include "_libxl_phases_domain_recover.h"

/* ---- functions for the operations that run a recovery */

bool libxl__is_claimed(const libxl__ao *ao)
{
    const struct recovering *other;
    LIST_FOREACH (other, &ao->ctx->xen->recoveries, link)
        if (other->parent != ao && other->claim.ao->subject.number == ao->subject.number)
            return true;
    return false;
}

static void release_claim(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    LIST_REMOVE(LIBXL__CONTAINER(source, struct recovering, claim), link);
}

int libxl__recover_reserve(libxl__ao *parent, libxl__nested *recovery)
{
    if (libxl__is_claimed(parent))
        return libxl__ao_fail(parent, ERROR_BUSY, "domid: domain %u is being saved or suspended",
                              parent->subject.number);
    libxl__ao *child = libxl__nested_create(parent, recovery, &libxl__operations[LIBXL__OP_DOMAIN_RECOVER]);
    if (!child)
        return ERROR_NOMEM;
    struct recovering *s = libxl__ao_state(child);
    libxl__domain_recover_args *args = libxl__ao_args(child);
    child->subject = parent->subject;
    args->in.domid = parent->subject.number;
    recovery->outlives = true;
    s->parent = parent;
    LIST_INSERT_HEAD(&parent->ctx->xen->recoveries, s, link);
    libxl__source_attach(child, &s->claim, release_claim);
    const int rc = reserve(child, s);
    if (!rc)
        return 0;
    libxl__ao_fail(parent, rc, "%s", libxl__ao_words(child, rc));
    libxl__source_stop(parent->ctx, &recovery->source); /* stopping the source destroys the child */
    return rc;
}

void libxl__recover_start(libxl__nested *recovery, libxl__save_stage stage, bool suspended, int follow_ms)
{
    libxl__domain_recover_args *args = libxl__ao_args(recovery->child);
    struct recovering *s = libxl__ao_state(recovery->child);
    s->stage = stage;
    args->in.suspended = suspended || follow_ms;
    args->in.follow_ms = follow_ms;
    libxl__nested_start(recovery);
}

void libxl__recover_give_up(libxl__nested *recovery, libxl__save_stage stage)
{
    libxl__domain_recover_args *args = libxl__ao_args(recovery->child);
    struct recovering *s = libxl__ao_state(recovery->child);
    s->stage = stage;
    args->in.gives_up = true;
    libxl__nested_start(recovery);
}

bool libxl__recover_has_tried(const libxl__nested *recovery)
{
    return recovery->done || ((const struct recovering *)libxl__ao_state(recovery->child))->refusal;
}

int libxl__recover_poll(libxl__ao *parent, const libxl__nested *recovery, bool waits)
{
    if (recovery->done)
        return recovery->rc;
    struct recovering *s = libxl__ao_state(recovery->child);
    const int rc = s->refusal ? s->refusal : s->follows && !waits ? ERROR_GUEST_TIMEDOUT : LIBXL__AO_WAIT;
    if (rc == LIBXL__AO_WAIT)
        return rc;
    if (s->refusal)
        libxl__ao_fail(parent, rc, "%s", libxl__ao_words(recovery->child, rc));
    if (!s->said && s->refusal)
        libxl__ao_fail_also(parent,
                            "domain %u may stay suspended: %s; its resumption is tried again every second",
                            parent->subject.number, libxl__ao_words(recovery->child, rc));
    else if (!s->said)
        libxl__ao_fail_also(parent, "domain %u may still suspend itself; it is resumed then",
                            parent->subject.number);
    s->said = true;
    return rc;
}
