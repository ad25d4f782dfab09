/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lock of Xen's block scripts, /run/xen-hotplug/block. A script holds the lock while it checks whether
 * another domain uses a disk, and while it gives the disk to a backend. This library holds the lock for the
 * same work. Without the lock, two programs could check the same disk at the same time. Each would find that
 * nobody uses the disk, and both would then use it.
 */
#ifndef LIBXL__HOST_LOCK_H
#define LIBXL__HOST_LOCK_H

#include "ao.h"

#define LIBXL__BLOCK_LOCK_FOLDER "/run/xen-hotplug"
#define LIBXL__BLOCK_LOCK_FILE   LIBXL__BLOCK_LOCK_FOLDER "/block"

/*
 * Takes the lock if no other program holds it. Returns the lock's descriptor. Otherwise returns -1 with
 * errno; EWOULDBLOCK: another program holds the lock. Any thread may call this function and the next one,
 * locked or not.
 */
int libxl__block_lock_try(void);
/* Releases the lock, and closes the lock's descriptor. */
void libxl__block_lock_release(int fd);

/* The lock as a source of an operation. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__block_lock {
    libxl__source source; /* attached while the lock is held; stop it to release the lock */
    libxl__alarm alarm;   /* the alarm for the next attempt to take the lock */
    int fd;
} libxl__block_lock;

/*
 * Takes the lock. Call this from a phase's start and poll. Returns LIBXL__AO_WAIT until the lock is held,
 * then 0; or an error. There is no time limit. The lock is released by libxl__source_stop(ctx,
 * &lock->source), or when the operation ends. Call it with the context locked. Errors: LOCK_FAIL, NOMEM,
 * recorded in ao.
 */
int libxl__block_lock_take(libxl__ao *ao, libxl__block_lock *lock);

#endif
