/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lock of Xen's block scripts, /run/xen-hotplug/block. The scripts hold it while they check whether a disk is shared and
 * give it to a backend. This library does the same. Otherwise two programs could find at the same time that a
 * disk is not shared, and both use it.
 */
#ifndef LIBXL__HOST_LOCK_H
#define LIBXL__HOST_LOCK_H

#include "ao.h"

#define LIBXL__BLOCK_LOCK_FOLDER "/run/xen-hotplug"
#define LIBXL__BLOCK_LOCK_FILE   LIBXL__BLOCK_LOCK_FOLDER "/block"

/* Takes the lock if it is free. Returns its descriptor, or -1 with errno; EWOULDBLOCK: another program has it. Any thread may
 * call both functions, locked or not. */
int libxl__block_lock_try(void);
/* Releases the lock, and closes its descriptor. */
void libxl__block_lock_release(int fd);

/* The lock, held by an operation. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__block_lock {
    libxl__source source; /* attached while the lock is held; stop it to release the lock */
    libxl__alarm alarm;   /* of the next attempt */
    int fd;
} libxl__block_lock;

/*
 * As a phase's start and poll: returns 0 once the lock is held, LIBXL__AO_WAIT or an error. There is no time limit. The lock is
 * released by libxl__source_stop(ctx, &lock->source), or when the operation ends. Call it with the context locked.
 * Errors: LOCK_FAIL, NOMEM, recorded in ao.
 */
int libxl__block_lock_take(libxl__ao *ao, libxl__block_lock *lock);

#endif
