/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of domain_migrate, and the functions of its phases from the point of no return on. Call all functions with
 * the context locked.
 */
#ifndef LIBXL__MIGRATION_H
#define LIBXL__MIGRATION_H

#include "migrate_ask.h"
#include "ops.h"
#include "peer.h"
#include "recover.h"
#include "save_mark.h"

typedef struct libxl__migration {
    libxl__peer peer;
    libxl__xs_batch *batch;
    libxl__xs_request *name; /* reads the domain's name */
    libxl__xs_request *pci;  /* reads the number of the domain's PCI devices */
    libxl__await announced;  /* waits until the guest has announced that it can suspend itself */
    libxl__xs_request *own;  /* reads the mark of the save */
    bool suspends;           /* the guest is PV or PVH, so it must suspend itself */
    libxl__migrate_ask ask;
    libxl__nested saving;     /* domain_save */
    libxl__nested recovery;   /* lets the guest run again; reserved when the save has released its recovery */
    libxl__nested surrender;  /* marks the domain as given up; reserved before it is needed */
    libxl__nested resumption; /* domain_resume, if the recovery could not be reserved */
    libxl__nested renaming;   /* domain_set_name: to NAME--migratedaway */
    libxl__nested back;       /* domain_set_name: to NAME; reserved before the domain is renamed */
    libxl__nested teardown;   /* reserved before the guest is suspended */
    bool marking;             /* xenstored was asked to write the mark */
    libxl__alarm alarm;       /* ends the wait for the announcement, and later the wait for the surrender */
    bool lost;                /* the connection was lost, and the receiver may run the guest */
    bool answered;            /* the message ANSWER was read */
    bool refused;             /* the receiver could not let the guest run */
    const char *away;         /* NAME--migratedaway, in the operation's memory */
    bool said;                /* the error message says already that the domain keeps the name `away` */
    int returned;             /* 0, or the error because of which the guest runs here */
} libxl__migration;

/* Starts a nested operation, unless it has started. Returns LIBXL__AO_WAIT, or its result. */
int libxl__migration_run(libxl__nested *nested);
/* Lets the guest run here. Returns LIBXL__AO_WAIT, or the result. */
int libxl__migration_resume(libxl__ao *ao, libxl__migration *s);
/* Records that another program has let the guest run, or has changed its mark. Returns BUSY. */
int libxl__migration_fail_taken(libxl__ao *ao);

/*
 * migrate_give.c: the phases go, answer, permission, moved and finish. Call them from the phases' start and poll. They
 * return 0 or LIBXL__AO_WAIT; _go never waits. If the guest stays here, _go or _answer stores the reason in s->returned,
 * and _finish lets the guest run and returns this error. _answer and _permission return OWNER_UNKNOWN, recorded in ao,
 * if the connection is lost and the receiver may run the guest.
 */
int libxl__give_go(libxl__ao *ao, libxl__migration *s);
int libxl__give_answer(libxl__ao *ao, libxl__migration *s);
int libxl__give_permission(libxl__ao *ao, libxl__migration *s);
int libxl__give_moved(libxl__ao *ao, libxl__migration *s);
int libxl__give_finish(libxl__ao *ao, libxl__migration *s);
/*
 * Marks the domain as one that this process has given up, so that it is listed as unfinished from now on. A mark that
 * turns out not to be needed is removed with the domain, or when the guest runs here.
 */
void libxl__give_up(libxl__migration *s);

#endif
