/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_migrate: sends a guest to another machine. peer.h has the messages. The phase `go` sends the receiver the
 * message GO, so that it runs the guest. GO is sent only if the mark (save_mark.h) is still the mark of this
 * migration, and the domain is still suspended. migrate_give.c has this phase and those after it. After an error or a
 * stop request before this phase, the guest runs here. After this phase only the receiver decides: its answer 0 means
 * that the guest runs there. After any other answer the receiver sends the permission to let the guest run here. If
 * the connection is lost while the answer or the permission is awaited, the domain here stays suspended.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "migration.h"
#include "save_devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef libxl__migration domain_migrate_state;

/* The time in which a guest that is starting must announce that it can suspend itself. */
enum { ANNOUNCE_SECONDS = 10 };

static const libxl__domain_migrate_args *args_of(libxl__ao *ao)
{
    return libxl__ao_args(ao);
}

/* Creates a nested operation domain_set_name that renames the domain from `from` to `to`. */
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

int libxl__migration_run(libxl__nested *nested)
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

/* ---- look: the domain is looked up, and what the later phases and the undos need is reserved */

static int reserve_all(libxl__ao *ao, libxl__migration *s, const char *name)
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

static int look_start(libxl__ao *ao, libxl__migration *s)
{
    xc_domaininfo_t info;
    const int options = args_of(ao)->in.options;
    int rc = libxl__peer_open(ao, &s->peer, args_of(ao)->in.in_fd, args_of(ao)->in.out_fd, "the receiver");
    if (!rc && options & ~(LIBXL_MIGRATION_ASK | LIBXL_MIGRATION_UNANNOUNCED))
        rc = libxl__ao_fail(ao, ERROR_INVAL, "options: %d has unknown bits", options);
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
    s->suspends = libxl__hv_type(&info) != LIBXL_DOMAIN_TYPE_HVM;
    s->name = libxl__xs_read(s->batch, "/local/domain/%u/name", ao->subject.number);
    s->pci = libxl__save_pci_read(s->batch, ao->subject.number);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int look_poll(libxl__ao *ao, libxl__migration *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(s->batch);
    const char *name = rc ? NULL : libxl__xs_value(s->name);
    if (!rc)
        rc = libxl__save_pci_check(ao, s->pci);
    if (rc)
        return rc;
    return name ? reserve_all(ao, s, name)
                : libxl__ao_fail(ao, ERROR_DOMAIN_NOTFOUND, "domid: domain %u has no name",
                                 ao->subject.number);
}

/*
 * ---- announced: a guest that cannot suspend itself is refused. It would be noticed only 60 s after its memory was sent.
 * The hypervisor suspends an HVM guest that has no drivers for Xen.
 */

static int announced_poll(libxl__ao *ao, libxl__migration *s)
{
    const int rc = libxl__await_step(ao, &s->announced);
    if (rc == LIBXL__AO_WAIT && s->alarm.rang)
        return libxl__ao_fail(
            ao, ERROR_GUEST_CANNOT_ANSWER,
            "control/feature-suspend: the guest has not written 1 within %d s, so it may not be "
            "able to suspend itself; the option UNANNOUNCED migrates it nevertheless",
            ANNOUNCE_SECONDS);
    if (!rc) {
        libxl__source_stop(ao->ctx, &s->alarm.source);
        libxl__source_stop(ao->ctx, &s->announced.source);
    }
    return rc;
}

static int announced_start(libxl__ao *ao, libxl__migration *s)
{
    char path[64];
    if (!s->suspends || args_of(ao)->in.options & LIBXL_MIGRATION_UNANNOUNCED)
        return 0;
    snprintf(path, sizeof(path), "/local/domain/%u/control/feature-suspend", ao->subject.number);
    int rc = libxl__await_start(ao, &s->announced, path, libxl__await_equal, "1");
    if (!rc)
        rc = libxl__alarm_set(ao, &s->alarm, LIBXL__SECONDS(ANNOUNCE_SECONDS));
    return rc ? rc : announced_poll(ao, s);
}

/* ---- greet: waits for the receiver's greeting */

static int greet_poll(libxl__ao *ao, libxl__migration *s)
{
    return libxl__peer_expect(ao, &s->peer, LIBXL__PEER_GREETING);
}

static int greet_start(libxl__ao *ao, libxl__migration *s)
{
    return greet_poll(ao, s);
}

/* ---- configuration, ask, accepted: the receiver checks whether it can receive the guest */

static bool asks(libxl__ao *ao)
{
    return args_of(ao)->in.options & LIBXL_MIGRATION_ASK;
}

static int configuration_start(libxl__ao *ao, libxl__migration *s)
{
    return asks(ao) ? libxl__ask_configuration_start(ao, &s->ask) : 0;
}

static int configuration_poll(libxl__ao *ao, libxl__migration *s)
{
    (void)ao;
    return libxl__ask_configuration_poll(&s->ask);
}

static void configuration_stop(libxl__ao *ao, libxl__migration *s)
{
    (void)ao;
    libxl__ask_configuration_stop(&s->ask);
}

static int ask_start(libxl__ao *ao, libxl__migration *s)
{
    return asks(ao) ? libxl__ask_start(ao, &s->ask, &s->peer) : 0;
}

static int ask_poll(libxl__ao *ao, libxl__migration *s)
{
    return libxl__ask_poll(ao, &s->ask, &s->peer);
}

static int accepted_poll(libxl__ao *ao, libxl__migration *s)
{
    return libxl__ask_accepted(ao, &s->ask, &s->peer);
}

static int accepted_start(libxl__ao *ao, libxl__migration *s)
{
    return asks(ao) ? accepted_poll(ao, s) : 0;
}

/* ---- send: the guest is saved to the receiver */

static int send_poll(libxl__ao *ao, libxl__migration *s)
{
    const int rc = libxl__migration_run(&s->saving);
    return rc ? rc : libxl__recover_reserve(ao, &s->recovery);
}

static int send_start(libxl__ao *ao, libxl__migration *s)
{
    return send_poll(ao, s);
}

static void send_stop(libxl__ao *ao, libxl__migration *s)
{
    (void)ao;
    ask_to_stop(&s->saving);
}

int libxl__migration_resume(libxl__ao *ao, libxl__migration *s)
{
    if (!s->recovery.started && !s->recovery.child)
        return libxl__migration_run(&s->resumption);
    if (!s->recovery.started)
        libxl__recover_start(&s->recovery, LIBXL__SAVE_SENT, true, 0);
    return libxl__recover_poll(ao, &s->recovery, true);
}

/* If the save has failed, the undo of the save has already let the guest run. */
static int send_undo(libxl__ao *ao, libxl__migration *s)
{
    libxl__peer_stop_reading(ao, &s->peer);
    if (s->saving.started && !s->saving.done) {
        ask_to_stop(&s->saving);
        return LIBXL__AO_WAIT;
    }
    return s->saving.done && !s->saving.rc ? libxl__migration_resume(ao, s) : 0;
}

/* ---- received: waits until the receiver has a paused copy of the domain */

static int received_poll(libxl__ao *ao, libxl__migration *s)
{
    return libxl__peer_expect(ao, &s->peer, LIBXL__PEER_RECEIVED);
}

static int received_start(libxl__ao *ao, libxl__migration *s)
{
    return received_poll(ao, s);
}

/* ---- rename: the name of the domain shows that the migration is not complete */

static int rename_poll(libxl__ao *ao, libxl__migration *s)
{
    (void)ao;
    return libxl__migration_run(&s->renaming);
}

static int rename_start(libxl__ao *ao, libxl__migration *s)
{
    return rename_poll(ao, s);
}

static void rename_stop(libxl__ao *ao, libxl__migration *s)
{
    (void)ao;
    ask_to_stop(&s->renaming);
}

static int rename_undo(libxl__ao *ao, libxl__migration *s)
{
    (void)ao;
    if (s->renaming.started && !s->renaming.done) {
        ask_to_stop(&s->renaming);
        return LIBXL__AO_WAIT;
    }
    return s->renaming.done && !s->renaming.rc ? libxl__migration_run(&s->back) : 0;
}

/* ---- mark: the mark gets the stage `given`, which says that the guest may run on the other machine */

static int mark_start(libxl__ao *ao, libxl__migration *s)
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

int libxl__migration_fail_taken(libxl__ao *ao)
{
    return libxl__ao_fail(ao, ERROR_BUSY,
                          "domid: another program has let domain %u run, or has changed its mark",
                          ao->subject.number);
}

/*
 * Writes the mark, if the present mark is still the mark of this migration. The stage of the present mark may still
 * be `asked`, because the save does not wait long for its last change of the mark.
 */
static int write_mark(libxl__ao *ao, libxl__migration *s)
{
    const uint32_t domid = ao->subject.number;
    const char *text = libxl__xs_value(s->own);
    libxl__save_mark found;
    if (!libxl__save_mark_read(ao->ctx, text, &found) || !found.mark.own)
        return libxl__migration_fail_taken(ao);
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

static int mark_poll(libxl__ao *ao, libxl__migration *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    if (s->marking && libxl__xs_rc(s->batch) == ERROR_BUSY)
        return libxl__migration_fail_taken(ao);
    const int rc = libxl__xs_result(s->batch);
    return rc || s->marking ? rc : write_mark(ao, s);
}

/* ---- the phases from `go` on; migrate_give.c has their functions */

static int go_start(libxl__ao *ao, libxl__migration *s)
{
    return libxl__give_go(ao, s);
}

static int answer_start(libxl__ao *ao, libxl__migration *s)
{
    return libxl__give_answer(ao, s);
}

static int answer_poll(libxl__ao *ao, libxl__migration *s)
{
    return libxl__give_answer(ao, s);
}

static void answer_stop(libxl__ao *ao, libxl__migration *s)
{
    (void)ao;
    libxl__give_up(s);
}

static int permission_start(libxl__ao *ao, libxl__migration *s)
{
    return libxl__give_permission(ao, s);
}

static int permission_poll(libxl__ao *ao, libxl__migration *s)
{
    return libxl__give_permission(ao, s);
}

static void permission_stop(libxl__ao *ao, libxl__migration *s)
{
    (void)ao;
    libxl__give_up(s);
}

static int moved_start(libxl__ao *ao, libxl__migration *s)
{
    return libxl__give_moved(ao, s);
}

static int moved_poll(libxl__ao *ao, libxl__migration *s)
{
    (void)ao;
    return libxl__xs_done(s->batch) ? 0 : LIBXL__AO_WAIT;
}

static int finish_start(libxl__ao *ao, libxl__migration *s)
{
    return libxl__give_finish(ao, s);
}

static int finish_poll(libxl__ao *ao, libxl__migration *s)
{
    return libxl__give_finish(ao, s);
}

#include "_libxl_phases_domain_migrate.h"
