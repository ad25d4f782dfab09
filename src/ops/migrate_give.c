/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of domain_migrate that begins with the point of no return. The message GO gives the guest to the receiver.
 * From then on only the receiver decides where the guest runs.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "migration.h"

/* ---- go: sends the receiver the message GO */

void libxl__give_up(libxl__migration *s)
{
    if (!s->surrender.started)
        libxl__recover_give_up(&s->surrender, LIBXL__SAVE_GIVEN);
}

/*
 * Ends the migration when the mark says that the domain was given up. If xenstored does not answer, the migration
 * ends without this mark, and the attempts to write the mark continue in the background.
 */
static int end_unknown(libxl__ao *ao, libxl__migration *s)
{
    const bool waits = s->lost ? !s->alarm.rang : !libxl__alarm_set(ao, &s->alarm, LIBXL__SECONDS(1));
    s->lost = true;
    libxl__peer_stop_reading(ao, &s->peer);
    libxl__give_up(s);
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
    return info.flags & XEN_DOMINF_shutdown && reason == SHUTDOWN_suspend ? 0
                                                                          : libxl__migration_fail_taken(ao);
}

int libxl__give_go(libxl__ao *ao, libxl__migration *s)
{
    bool sent = false;
    int rc = check_suspended(ao);
    if (!rc)
        rc = libxl__peer_send(ao, &s->peer, LIBXL__PEER_GO, &sent);
    /*
     * The message GO may have been sent in part. The domain is marked as given up, and the phase `answer` waits for
     * the mark.
     */
    if (rc && sent)
        end_unknown(ao, s);
    /* A receiver that has not got the message GO destroys its copy of the domain. */
    s->returned = sent ? 0 : rc;
    return 0;
}

/* ---- answer: waits for the receiver's answer whether the guest runs there */

int libxl__give_answer(libxl__ao *ao, libxl__migration *s)
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

/* ---- permission: if the guest does not run there, waits until the receiver has destroyed its copy */

int libxl__give_permission(libxl__ao *ao, libxl__migration *s)
{
    if (!s->refused)
        return 0;
    if (s->lost)
        return end_unknown(ao, s);
    const int rc = libxl__peer_expect(ao, &s->peer, LIBXL__PEER_GO);
    return rc && rc != LIBXL__AO_WAIT ? end_unknown(ao, s) : rc;
}

/* ---- moved: the mark says that the guest runs on the other machine */

/*
 * The destruction removes the domain's tree, and the mark of the save with it, before the domain is gone. So the
 * domain gets a mark of an unfinished domain (marks.h), too. A failure is ignored. In this case the mark of the save
 * keeps the stage `given`.
 */
int libxl__give_moved(libxl__ao *ao, libxl__migration *s)
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

/* ---- finish: destroys the domain here, or lets the guest run here */

/*
 * Ends the attempts to mark the domain as given up, so that they do not mark a guest that runs. Returns whether the
 * attempts have ended.
 */
static bool has_ended(libxl__nested *surrender)
{
    if (surrender->started && !surrender->done)
        libxl__ao_request_stop(surrender->child, ERROR_ABORTED);
    return !surrender->started || surrender->done;
}

/* Lets the guest run even if the renaming fails. The operation returns s->returned in any case. */
static int take_back(libxl__ao *ao, libxl__migration *s)
{
    if (!has_ended(&s->surrender) || libxl__migration_run(&s->back) == LIBXL__AO_WAIT)
        return LIBXL__AO_WAIT;
    if (s->back.rc && !s->said) {
        libxl__ao_fail_also(ao, "domain %u keeps the name '%s': %s", ao->subject.number, s->away,
                            libxl__error_words(s->back.rc));
        s->said = true;
    }
    return libxl__migration_resume(ao, s) == LIBXL__AO_WAIT ? LIBXL__AO_WAIT : s->returned;
}

/* The guest runs on the other machine, so the migration has succeeded. The teardown goes on in the background. */
static int succeed_without_teardown(libxl__ao *ao, int rc)
{
    libxl__ao_log(ao, XTL_WARN, -1, "the guest runs on the other machine, but domain %u is not destroyed: %s",
                  ao->subject.number, libxl__ao_words(ao, rc));
    return 0;
}

int libxl__give_finish(libxl__ao *ao, libxl__migration *s)
{
    if (s->returned)
        return take_back(ao, s);
    if (!s->teardown.started)
        libxl__teardown_start(&s->teardown, ao->subject.number, &ao->subject.uuid, &ao->subject.uuid);
    const int rc = libxl__teardown_poll(ao, &s->teardown);
    return rc && rc != LIBXL__AO_WAIT ? succeed_without_teardown(ao, rc) : rc;
}
