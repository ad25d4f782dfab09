/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of the operations that suspend, save, restore and migrate domains (idl/save_operations.idl).
 * Owns: nothing. */
#include "operations.h"

#include "saving.h"

STARTS_PLAIN(resume, (void)0, libxl_domain_resume(s->ctx, s->guest, 1, NULL))
FILLS_GUEST(resume, domain_resume, args->in.suspend_cancel = 1)

/* Starts domain_resume_unfinished with a UUID that no domain has. */
STARTS_WITHOUT(resume_unfinished, ERROR_NOTFOUND, libxl_uuid uuid;
               libxl_uuid_generate(&uuid), libxl_domain_resume_unfinished(s->ctx, &uuid, NULL))
FILLS(resume_unfinished, domain_resume_unfinished, args->in.uuid = s->uuid)

FILLS_GUEST(suspend_guest, domain_suspend_guest, args->out.may_suspend = &s->results.may_suspend)
FILLS_GUEST(recover, domain_recover, args->in.suspended = true)

STARTS_PLAIN(suspend, (void)0, libxl_domain_suspend(s->ctx, s->guest, saving_sink(), 0, NULL))
STARTS_PLAIN(save, (void)0, libxl_domain_save(s->ctx, s->guest, saving_sink(), 0, NULL, NULL))
/* Fills in the args of domain_save and of domain_suspend, which have the same inputs. */
FILLS_GUEST(save, domain_save, args->in.fd = saving_sink())

STARTS_PLAIN(restore, (void)0,
             libxl_domain_restore(s->ctx, saving_source(), NULL, NULL, &s->made, NULL, NULL))
FILLS(restore, domain_restore, args->in.fd = saving_source(), args->out.domid = &s->results.domid)

STARTS_PLAIN(migrate, (void)0,
             libxl_domain_migrate(s->ctx, s->guest, saving_receiver(), saving_sink(), 0, LIBXL_MIGRATION_ASK,
                                  NULL, NULL))
FILLS_GUEST(migrate, domain_migrate, args->in.in_fd = saving_receiver(), args->in.out_fd = saving_sink(),
            args->in.options = LIBXL_MIGRATION_ASK)

STARTS_PLAIN(receive, (void)0,
             libxl_domain_receive(s->ctx, saving_sender(), saving_sink(), 0, NULL, &s->made, NULL))
FILLS(receive, domain_receive, args->in.in_fd = saving_sender(), args->in.out_fd = saving_sink(),
      args->out.domid = &s->results.domid)

static void fill_receive_paused(struct subject *s, void *args)
{
    fill_receive(s, args);
    ((libxl__domain_receive_args *)args)->in.paused = 1;
}

static const struct operation_row rows[] = {
    /* A single creation is admitted at once. */
    {IDLE(DOMAIN_RESTORE, "admission")},
    {IDLE(DOMAIN_RESTORE_INCOMING, "admission")},
    /* The phase `make` waits for a boot loader, and a saved domain has none. */
    {IDLE(DOMAIN_RESTORE, "make")},
    /* The guest is suspended before the operation starts, and was not renamed. */
    {IDLE(DOMAIN_RECOVER, "follow")},
    {IDLE(DOMAIN_RESUME_UNFINISHED, "withdraw")},
    {IDLE(DOMAIN_RESUME_UNFINISHED, "name")},
    /* These phases do not wait, because the descriptors already have all messages of the other side. */
    {IDLE(DOMAIN_MIGRATE, "greet")},
    {IDLE(DOMAIN_MIGRATE, "ask")},
    {IDLE(DOMAIN_MIGRATE, "accepted")},
    {IDLE(DOMAIN_MIGRATE, "received")},
    {IDLE(DOMAIN_MIGRATE, "answer")},
    {IDLE(DOMAIN_MIGRATE, "permission")},
    {IDLE(DOMAIN_RECEIVE, "go")},
    {SWEPT(DOMAIN_RESUME, resume, fill_resume, HVM_SUSPENDED)},
    {SWEPT(DOMAIN_RESUME_UNFINISHED, resume_unfinished, fill_resume_unfinished, HALF_SAVED)},
    {HIDDEN_IN(DOMAIN_SUSPEND_GUEST, DOMAIN_SUSPEND_GUEST, fill_suspend_guest, ANY_GUEST)},
    {HIDDEN_IN(DOMAIN_RECOVER, DOMAIN_RECOVER, fill_recover, HVM_SUSPENDED)},
    {SWEPT(DOMAIN_SUSPEND, suspend, fill_save, OBEDIENT)},
    {SWEPT(DOMAIN_SAVE, save, fill_save, HVM)},
    {SWEPT(DOMAIN_RESTORE, restore, fill_restore, SAVED)},
    {HIDDEN(DOMAIN_RESTORE_INCOMING)},
    /* The restored domain has a disk, so the restoration runs device_disk_check. */
    {HIDDEN_IN(DEVICE_DISK_CHECK, DOMAIN_RESTORE, fill_restore, SAVED)},
    {SWEPT(DOMAIN_MIGRATE, migrate, fill_migrate, OBEDIENT)},
    {SWEPT(DOMAIN_RECEIVE, receive, fill_receive, SAVED)},
    /* The phase `unmark` waits only if the domain stays paused. */
    {SWEPT(DOMAIN_RECEIVE, receive, fill_receive_paused, SAVED), .phase = "unmark"},
};
OPERATION_FAMILY(save_operations);
