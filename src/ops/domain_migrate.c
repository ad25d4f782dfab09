/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_migrate: sends a guest to another machine. peer.h has the messages. The phase `go` tells the receiver to run
 * the guest, if the mark (save_mark.h) is still the mark of this migration, and the domain is still suspended. Before
 * this phase an error or a stop request lets the guest run here. After this phase only the receiver decides: its
 * answer 0 means that the guest runs there. After any other answer the receiver sends a permission to let the guest
 * run here. Without an answer the domain here stays suspended.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "peer.h"
#include "recover.h"
#include "save_mark.h"

#include <stdlib.h>
#include <string.h>

typedef struct migration {
    libxl__peer peer;
    libxl__xs_batch *batch;
    libxl__xs_request *name; /* reads the domain's name */
    libxl__xs_request *own;  /* reads the mark */
    libxl__nested saving;    /* domain_save */
    /* domain_recover, which lets the guest run again; reserved when the save has released its recovery */
    libxl__nested recovery;
    libxl__nested surrender;  /* marks the domain as given up; reserved before it is needed */
    libxl__nested resumption; /* domain_resume, if the recovery could not be reserved */
    libxl__nested renaming;   /* domain_set_name: to NAME--migratedaway */
    libxl__nested back;       /* domain_set_name: to NAME; reserved before the domain is renamed */
    libxl__nested teardown;   /* reserved before the guest is suspended */
    bool marking;             /* xenstored was asked to write the mark */
    libxl__alarm alarm;       /* ends the wait for the surrender */
    bool lost;                /* the connection was lost, and the guest may run on the other machine */
    bool answered;            /* the message ANSWER was read */
    bool refused;             /* the receiver could not let the guest run */
    const char *away;         /* NAME--migratedaway, in the operation's memory */
    bool said;                /* the message tells that the domain keeps this name */
    int returned;             /* 0, or the error for which the guest stays here or was given back */
} domain_migrate_state;

static const libxl__domain_migrate_args *args_of(libxl__ao *ao)
{
    return libxl__ao_args(ao);
}

/* Creates a nested renaming from `from` to `to`. */
static int reserve_renaming(libxl__ao *ao, libxl__nested *nested, const char *from, const char *to)
{
    const int rc = libxl__nested_reserve(ao, nested, LIBXL__OP_DOMAIN_SET_NAME);
    if (rc)
        return rc;
    libxl__domain_set_name_args *args = libxl__ao_args(nested->child);
    args->in.name = strdup(to);
    args->in.old_name = strdup(from);
    args->in.has_old_name = true;
    return args->in.name && args->in.old_name ? 0 : ERROR_NOMEM;
}

/* Starts a nested operation, unless it has started. Returns LIBXL__AO_WAIT, or its result. */
static int run(libxl__nested *nested)
{
    if (!nested->started)
        libxl__nested_start(nested);
    return nested->done ? nested->rc : LIBXL__AO_WAIT;
}

static void ask_to_stop(const libxl__nested *nested)
{
    if (nested->started && !nested->done)
        libxl__ao_request_stop(nested->child, ERROR_ABORTED);
}

/* ---- look: the domain is looked up, and everything is reserved */

static int reserve_all(libxl__ao *ao, struct migration *s, const char *name)
{
    s->away = libxl__gc_printf(&ao->gc, "%s" LIBXL__AWAY, name);
    int rc = s->away ? 0 : ERROR_NOMEM;
    if (!rc)
        rc = libxl__teardown_reserve(ao, &s->teardown, true);
    if (!rc)
        rc = libxl__nested_reserve(ao, &s->resumption, LIBXL__OP_DOMAIN_RESUME);
    if (rc)
        return rc;
    libxl__domain_resume_args *resume = libxl__ao_args(s->resumption.child);
    resume->in.suspend_cancel = 1;
    s->resumption.outlives = true;
    rc = reserve_renaming(ao, &s->back, s->away, name);
    if (!rc)
        rc = reserve_renaming(ao, &s->renaming, name, s->away);
    if (!rc)
        rc = libxl__nested_reserve(ao, &s->saving, LIBXL__OP_DOMAIN_SAVE);
    if (rc)
        return rc;
    libxl__domain_save_args *save = libxl__ao_args(s->saving.child);
    save->in.fd = args_of(ao)->in.out_fd;
    save->in.flags = args_of(ao)->in.flags;
    save->in.has_policy = args_of(ao)->in.has_policy;
    save->in.policy = args_of(ao)->in.policy;
    s->saving.counts = true;
    return 0;
}

static int look_start(libxl__ao *ao, struct migration *s)
{
    xc_domaininfo_t info;
    int rc = libxl__peer_open(ao, &s->peer, args_of(ao)->in.in_fd, args_of(ao)->in.out_fd, "the receiver");
    if (!rc && ao->subject.number == 0)
        rc = libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 is not a guest");
    if (!rc)
        rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (!rc && info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying))
        rc = libxl__ao_fail(ao, ERROR_INVAL, "domid: domain %u does not run", ao->subject.number);
    if (rc)
        return rc;
    s->batch = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->batch)
        return ERROR_NOMEM;
    s->name = libxl__xs_read(s->batch, "/local/domain/%u/name", ao->subject.number);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int look_poll(libxl__ao *ao, struct migration *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    const char *name = rc ? NULL : libxl__xs_value(s->name);
    if (rc)
        return rc;
    return name ? reserve_all(ao, s, name)
                : libxl__ao_fail(ao, ERROR_DOMAIN_NOTFOUND, "domid: domain %u has no name",
                                 ao->subject.number);
}

/* ---- greet: the receiver is ready */

static int greet_poll(libxl__ao *ao, struct migration *s)
{
    return libxl__peer_expect(ao, &s->peer, LIBXL__PEER_GREETING);
}

static int greet_start(libxl__ao *ao, struct migration *s)
{
    return greet_poll(ao, s);
}

/* ---- send: the guest is saved to the receiver */

static int send_poll(libxl__ao *ao, struct migration *s)
{
    const int rc = run(&s->saving);
    return rc ? rc : libxl__recover_reserve(ao, &s->recovery);
}

static int send_start(libxl__ao *ao, struct migration *s)
{
    return send_poll(ao, s);
}

static void send_stop(libxl__ao *ao, struct migration *s)
{
    (void)ao;
    ask_to_stop(&s->saving);
}

/* Lets the guest run. Returns LIBXL__AO_WAIT, or the result. */
static int resume(libxl__ao *ao, struct migration *s)
{
    if (!s->recovery.started && !s->recovery.child)
        return run(&s->resumption);
    if (!s->recovery.started)
        libxl__recover_start(&s->recovery, LIBXL__SAVE_SENT, true, 0);
    return libxl__recover_poll(ao, &s->recovery, true);
}

/* If the save has failed, its undo has already let the guest run. */
static int send_undo(libxl__ao *ao, struct migration *s)
{
    libxl__peer_stop_reading(ao, &s->peer);
    if (s->saving.started && !s->saving.done) {
        ask_to_stop(&s->saving);
        return LIBXL__AO_WAIT;
    }
    return s->saving.done && !s->saving.rc ? resume(ao, s) : 0;
}

/* ---- received: the receiver has a paused copy */

static int received_poll(libxl__ao *ao, struct migration *s)
{
    return libxl__peer_expect(ao, &s->peer, LIBXL__PEER_RECEIVED);
}

static int received_start(libxl__ao *ao, struct migration *s)
{
    return received_poll(ao, s);
}

/* ---- rename: the name of the domain shows that the migration is not complete */

static int rename_poll(libxl__ao *ao, struct migration *s)
{
    (void)ao;
    return run(&s->renaming);
}

static int rename_start(libxl__ao *ao, struct migration *s)
{
    return rename_poll(ao, s);
}

static void rename_stop(libxl__ao *ao, struct migration *s)
{
    (void)ao;
    ask_to_stop(&s->renaming);
}

static int rename_undo(libxl__ao *ao, struct migration *s)
{
    (void)ao;
    if (s->renaming.started && !s->renaming.done) {
        ask_to_stop(&s->renaming);
        return LIBXL__AO_WAIT;
    }
    return s->renaming.done && !s->renaming.rc ? run(&s->back) : 0;
}

/* ---- mark: if this process ends, the guest may run on the other machine */

static int mark_start(libxl__ao *ao, struct migration *s)
{
    const uint32_t domid = ao->subject.number;
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, domid);
    if (!s->batch)
        return ERROR_NOMEM;
    int rc = libxl__recover_reserve(ao, &s->surrender);
    if (rc)
        return rc;
    s->own = libxl__xs_read(s->batch, LIBXL__SAVE_MARK, domid);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int fail_taken(libxl__ao *ao)
{
    return libxl__ao_fail(ao, ERROR_BUSY,
                          "domid: another program has let domain %u run, or has changed its mark",
                          ao->subject.number);
}

/*
 * Writes the mark, if the present mark is still the mark of this migration. Its stage may still be `asked`, because
 * the save does not wait long for its last change of the mark.
 */
static int write_mark(libxl__ao *ao, struct migration *s)
{
    const uint32_t domid = ao->subject.number;
    const char *text = libxl__xs_value(s->own);
    libxl__save_mark found;
    if (!libxl__save_mark_read(ao->ctx, text, &found) || !found.mark.own)
        return fail_taken(ao);
    text = libxl__gc_printf(&ao->gc, "%s", text);
    libxl__xs_batch_free(s->batch);
    s->batch = text ? libxl__xs_batch_new(ao, domid) : NULL;
    if (!s->batch)
        return ERROR_NOMEM;
    libxl__xs_require_domain(s->batch, &ao->subject.uuid);
    libxl__xs_require(s->batch, ERROR_BUSY, text, LIBXL__SAVE_MARK, domid);
    libxl__save_mark_write(s->batch, domid, LIBXL__SAVE_GIVEN, false);
    s->marking = true;
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int mark_poll(libxl__ao *ao, struct migration *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    if (s->marking && libxl__xs_rc(s->batch) == ERROR_BUSY)
        return fail_taken(ao);
    const int rc = libxl__xs_result(s->batch);
    return rc || s->marking ? rc : write_mark(ao, s);
}

/* ---- go: the receiver is told to run the guest */

/* Marks the domain as one that this process has given up, so that it is listed as unfinished from now on. */
static void give_up(struct migration *s)
{
    if (!s->surrender.started)
        libxl__recover_give_up(&s->surrender, LIBXL__SAVE_GIVEN);
}

/*
 * Ends the migration when the mark says that the domain was given up. If xenstored does not answer, the migration
 * ends without this mark, and the attempts to write the mark continue in the background.
 */
static int end_unknown(libxl__ao *ao, struct migration *s)
{
    const bool waits = s->lost ? !s->alarm.rang : !libxl__alarm_set(ao, &s->alarm, LIBXL__SECONDS(1));
    s->lost = true;
    libxl__peer_stop_reading(ao, &s->peer);
    give_up(s);
    if (waits && !libxl__recover_has_tried(&s->surrender))
        return LIBXL__AO_WAIT;
    libxl__ao_fail_also(ao, "domain %u stays suspended, because the receiver may run the guest",
                        ao->subject.number);
    return ERROR_OWNER_UNKNOWN;
}

/* Returns 0 if the domain is still suspended. A program that ignores the mark may have let the guest run. */
static int check_suspended(libxl__ao *ao)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (rc)
        return rc;
    const unsigned reason = (info.flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
    return info.flags & XEN_DOMINF_shutdown && reason == SHUTDOWN_suspend ? 0 : fail_taken(ao);
}

static int go_start(libxl__ao *ao, struct migration *s)
{
    bool sent = false;
    int rc = check_suspended(ao);
    if (!rc)
        rc = libxl__peer_send(ao, &s->peer, LIBXL__PEER_GO, &sent);
    /* The phase `answer` waits until the domain was marked. */
    if (rc && sent)
        end_unknown(ao, s);
    /* A receiver that has not got the message GO destroys its copy of the domain. */
    s->returned = sent ? 0 : rc;
    return 0;
}

/* ---- answer: the receiver tells whether the guest runs */

static int answer_poll(libxl__ao *ao, struct migration *s)
{
    if (s->returned)
        return 0;
    if (s->lost)
        return end_unknown(ao, s);
    int rc = s->answered ? 0 : libxl__peer_expect(ao, &s->peer, LIBXL__PEER_ANSWER);
    if (!rc) {
        s->answered = true;
        rc = libxl__peer_expect(ao, &s->peer, LIBXL__PEER_STATUS);
    }
    if (rc)
        return rc == LIBXL__AO_WAIT ? rc : end_unknown(ao, s);
    if (s->peer.status)
        s->returned = libxl__ao_fail(ao, ERROR_FAIL, "the receiver cannot let the guest run: status %u",
                                     s->peer.status);
    s->refused = s->peer.status != 0;
    return 0;
}

static int answer_start(libxl__ao *ao, struct migration *s)
{
    return answer_poll(ao, s);
}

static void answer_stop(libxl__ao *ao, struct migration *s)
{
    (void)ao;
    give_up(s); /* a mark that is not needed goes with the domain, or when the guest runs */
}

/* ---- permission: the receiver has destroyed its copy */

static int permission_poll(libxl__ao *ao, struct migration *s)
{
    if (!s->refused)
        return 0;
    if (s->lost)
        return end_unknown(ao, s);
    const int rc = libxl__peer_expect(ao, &s->peer, LIBXL__PEER_GO);
    return rc && rc != LIBXL__AO_WAIT ? end_unknown(ao, s) : rc;
}

static int permission_start(libxl__ao *ao, struct migration *s)
{
    return permission_poll(ao, s);
}

static void permission_stop(libxl__ao *ao, struct migration *s)
{
    (void)ao;
    give_up(s); /* a mark that is not needed goes with the domain, or when the guest runs */
}

/* ---- moved: the mark says that the guest runs on the other machine */

/*
 * The destruction removes the domain's tree, and the mark of the save with it, before the domain is gone. So the
 * domain gets a mark of an unfinished domain (marks.h), too. A failure is ignored: the mark `given` stays then.
 */
static int moved_start(libxl__ao *ao, struct migration *s)
{
    if (s->returned)
        return 0;
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, ao->subject.number);
    if (!s->batch)
        return 0;
    libxl__xs_require_domain(s->batch, &ao->subject.uuid);
    libxl__save_mark_write(s->batch, ao->subject.number, LIBXL__SAVE_MOVED, false);
    libxl__mark_write(s->batch, &ao->subject.uuid, ao->subject.number, NULL);
    return libxl__xs_run(s->batch, LIBXL__XS_TRANSACTION) ? 0 : LIBXL__AO_WAIT;
}

static int moved_poll(libxl__ao *ao, struct migration *s)
{
    (void)ao;
    return libxl__xs_done(s->batch) ? 0 : LIBXL__AO_WAIT;
}

/* ---- finish: the domain here is destroyed, or the guest runs here */

/*
 * Ends the attempts to mark the domain as given up, so that they do not mark a guest that runs. Returns whether they
 * have ended.
 */
static bool has_ended(libxl__nested *surrender)
{
    if (surrender->started && !surrender->done)
        libxl__ao_request_stop(surrender->child, ERROR_ABORTED);
    return !surrender->started || surrender->done;
}

/*
 * Lets the guest run even if the renaming fails. The operation returns the error for the receiver's answer in any
 * case.
 */
static int take_back(libxl__ao *ao, struct migration *s)
{
    if (!has_ended(&s->surrender) || run(&s->back) == LIBXL__AO_WAIT)
        return LIBXL__AO_WAIT;
    if (s->back.rc && !s->said) {
        libxl__ao_fail_also(ao, "domain %u keeps the name '%s': %s", ao->subject.number, s->away,
                            libxl__error_words(s->back.rc));
        s->said = true;
    }
    return resume(ao, s) == LIBXL__AO_WAIT ? LIBXL__AO_WAIT : s->returned;
}

/* The guest runs on the other machine, so the migration has succeeded. The teardown goes on in the background. */
static int succeed_without_teardown(libxl__ao *ao, int rc)
{
    libxl__ao_log(ao, XTL_WARN, -1, "the guest runs on the other machine, but domain %u is not destroyed: %s",
                  ao->subject.number, libxl__ao_words(ao, rc));
    return 0;
}

static int finish_poll(libxl__ao *ao, struct migration *s)
{
    if (s->returned)
        return take_back(ao, s);
    const int rc = libxl__teardown_poll(ao, &s->teardown);
    return rc && rc != LIBXL__AO_WAIT ? succeed_without_teardown(ao, rc) : rc;
}

static int finish_start(libxl__ao *ao, struct migration *s)
{
    if (!s->returned)
        libxl__teardown_start(&s->teardown, ao->subject.number, &ao->subject.uuid, &ao->subject.uuid);
    return finish_poll(ao, s);
}

#include "_libxl_phases_domain_migrate.h"
