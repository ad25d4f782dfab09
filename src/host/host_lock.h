/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lock of Xen's block scripts, /run/xen-hotplug/block. A script holds the lock while it checks whether
 * another domain uses a disk, and while it gives the disk to a backend. This library holds the lock for the
 * same work. Without the lock, two programs could check the same disk at the same time. Each would find that
 * nobody uses the disk, and both would then use it.
 */
#ifndef LIBXL__HOST_LOCK_H
#define LIBXL__HOST_LOCK_H

#include "admission.h"
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

/* A wait while another program holds the lock. Zero-initialise it when the wait begins. */
typedef struct libxl__block_wait {
    unsigned step_ms, waited_ms;
} libxl__block_wait;

enum {
    LIBXL__BLOCK_LOCK_STEP_MS = 16,     /* the longest time between two attempts to take the lock */
    LIBXL__BLOCK_LOCK_LIMIT_MS = 10000, /* after this time the wait fails, because a script hangs */
};

/* The cause in the error message when the wait for the lock has failed; a format for the time limit in ms. */
#define LIBXL__BLOCK_LOCK_HELD LIBXL__BLOCK_LOCK_FILE ": this lock was not free for %d ms"

/*
 * Returns the time until the next attempt to take the lock, in ms: 1, 2, 4 and so on. Returns 0 when the
 * returned times together have reached LIBXL__BLOCK_LOCK_LIMIT_MS. Needs no lock.
 */
unsigned libxl__block_lock_pause(libxl__block_wait *wait);

/* The operations of a context that need the lock. One of them at a time waits for the lock or holds it. */
typedef struct libxl__block_queue {
    libxl__admissions admissions;
    /* The wait since an operation of this context last held the lock, or since the queue was empty. */
    libxl__block_wait wait;
} libxl__block_queue;

/* Prepares the empty queue. Called once, while the context is created. */
void libxl__block_queue_open(libxl__block_queue *queue);

/* An operation's use of the lock. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__block_lock {
    libxl__admission admission; /* the operation's place in the context's queue */
    libxl__source source;       /* attached while the lock is held */
    libxl__alarm alarm;         /* the alarm for the next attempt to take the lock */
    int fd;
} libxl__block_lock;

/*
 * Takes the lock. Call this from a phase's start and poll. Returns LIBXL__AO_WAIT until the lock is held,
 * then 0; or an error. The operations of a context get the lock in the order in which they first called this.
 * The lock is held until libxl__block_lock_leave, or until the operation ends. Call it with the context
 * locked. Errors: LOCK_FAIL (also if another program holds the lock for LIBXL__BLOCK_LOCK_LIMIT_MS), NOMEM,
 * recorded in ao.
 */
int libxl__block_lock_take(libxl__ao *ao, libxl__block_lock *lock);
/*
 * Releases the lock or ends the wait for it. Does nothing if the operation neither holds the lock nor waits for it.
 * Call it with the context locked.
 */
void libxl__block_lock_leave(libxl_ctx *ctx, libxl__block_lock *lock);

#endif
