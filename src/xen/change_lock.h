/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's lock of changes to the devices of a domain: userdata-l.DOMID.UUID.libxl-device-changes-lock in
 * /var/lib/xen (userdata_files.h). libxl holds it while it changes the medium of a CD drive, and while it adds
 * or removes a device of an HVM domain. An operation that changes both the device model and the nodes takes
 * the lock, so that the nodes describe the last change.
 *
 * The lock of domain 0 belongs to the devices of this host that this library gives to domains. libxl does not take it
 * for them.
 */
#ifndef LIBXL__CHANGE_LOCK_H
#define LIBXL__CHANGE_LOCK_H

#include "ao.h"

typedef struct libxl__change_lock_work libxl__change_lock_work;

/* An operation's use of the lock. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__change_lock {
    libxl__source source; /* attached while `work` exists */
    libxl__change_lock_work *work;
    libxl__alarm alarm; /* the alarm for the next attempt to take the lock */
    bool pausing;       /* another program holds the lock, and the alarm is set */
    /* An input. True: the lock of domain 0. False: the lock of the operation's subject. */
    bool of_host;
    unsigned pause_ms; /* the length of the next pause between two attempts, in ms */
} libxl__change_lock;

/*
 * Takes the lock of the operation's subject, whose UUID must be known, or that of domain 0. Call this from a phase's
 * start and poll, with the context locked. Returns LIBXL__AO_WAIT until the lock is held, then 0; or an error. There
 * is no time limit. A worker makes the calls on files. The lock is held until libxl__change_lock_leave, or until the
 * operation ends. Errors: NOMEM, PERMISSION, FAIL, recorded in ao.
 */
int libxl__change_lock_take(libxl__ao *ao, libxl__change_lock *lock);
/* Releases the lock. Does nothing if it was not taken. Call this with the context locked. */
void libxl__change_lock_leave(libxl_ctx *ctx, libxl__change_lock *lock);

#endif
