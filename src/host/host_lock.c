/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the descriptor of each lock that is held. Locks: the header says which functions need the context's lock. */
#include "host_lock.h"
#include "host.h"
#include "libxl_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Returns whether the locked file still exists under its name. The program that held the lock before has
 * removed the file when it released the lock.
 */
static bool is_present(int fd)
{
    struct stat locked, named;
    return !fstat(fd, &locked) && !stat(LIBXL__BLOCK_LOCK_FILE, &named) && locked.st_dev == named.st_dev &&
           locked.st_ino == named.st_ino;
}

int libxl__block_lock_try(void)
{
    mkdir(LIBXL__BLOCK_LOCK_FOLDER, 0755); /* if this fails, the open below fails and reports the error */
    const int fd = open(LIBXL__BLOCK_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    const int error = flock(fd, LOCK_EX | LOCK_NB) ? errno : is_present(fd) ? 0 : EWOULDBLOCK;
    if (!error)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

void libxl__block_lock_release(int fd)
{
    unlink(LIBXL__BLOCK_LOCK_FILE);
    close(fd);
}

unsigned libxl__block_lock_pause(libxl__block_wait *wait)
{
    if (wait->waited_ms >= LIBXL__BLOCK_LOCK_LIMIT_MS)
        return 0;
    wait->step_ms = wait->step_ms ? wait->step_ms * 2 : 1;
    if (wait->step_ms > LIBXL__BLOCK_LOCK_STEP_MS)
        wait->step_ms = LIBXL__BLOCK_LOCK_STEP_MS;
    wait->waited_ms += wait->step_ms;
    return wait->step_ms;
}

/* ---- taking and releasing the lock for an operation */

void libxl__block_queue_open(libxl__block_queue *queue)
{
    *queue = (libxl__block_queue){0};
    libxl__admissions_open(&queue->admissions, 1);
}

static void stop(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__block_lock_release(LIBXL__CONTAINER(source, libxl__block_lock, source)->fd);
}

int libxl__block_lock_take(libxl__ao *ao, libxl__block_lock *lock)
{
    libxl__block_queue *queue = &ao->ctx->host->block_queue;
    if (lock->source.ao)
        return 0;
    if (!lock->admission.source.ao) {
        libxl__admission_ask(ao, &queue->admissions, &lock->admission);
        if (lock->admission.granted)
            queue->wait = (libxl__block_wait){0};
    }
    if (!lock->admission.granted || (lock->alarm.source.ao && !lock->alarm.rang))
        return LIBXL__AO_WAIT;
    lock->fd = libxl__block_lock_try();
    if (lock->fd >= 0) {
        queue->wait = (libxl__block_wait){0};
        libxl__source_attach(ao, &lock->source, stop);
        return 0;
    }
    if (errno != EWOULDBLOCK)
        return libxl__ao_fail(ao, ERROR_LOCK_FAIL, LIBXL__BLOCK_LOCK_FILE ": %s", strerror(errno));
    const unsigned pause = libxl__block_lock_pause(&queue->wait);
    if (!pause)
        return libxl__ao_fail(ao, ERROR_LOCK_FAIL, LIBXL__BLOCK_LOCK_HELD, LIBXL__BLOCK_LOCK_LIMIT_MS);
    const int rc = libxl__alarm_set(ao, &lock->alarm, LIBXL__MILLISECONDS(pause));
    return rc ? rc : LIBXL__AO_WAIT;
}

void libxl__block_lock_leave(libxl_ctx *ctx, libxl__block_lock *lock)
{
    libxl__source_stop(ctx, &lock->alarm.source);
    /* The lock is released before the admission ends, because the next operation then tries to take the lock. */
    libxl__source_stop(ctx, &lock->source);
    libxl__source_stop(ctx, &lock->admission.source);
}
