/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: a holder for each loop device, with the device's descriptor, until the device is closed. The
 * operation may end before the device is closed. take_work and close_work run on workers, unlocked, and use only
 * their jobs. The context's lock guards everything else.
 */
#include "host_loop.h"
#include "host_lock.h"
#include "libxl_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/loop.h>

/*
 * The number of attempts to get a free device. Several may be needed, because another program may take the same
 * device first.
 */
enum { TRIES = 200 };

typedef struct libxl__loop_holder {
    libxl__job take, close;
    atomic_bool cancel; /* the operation has ended, so the worker must stop */
    bool read_only, may_share;
    int number, fd; /* the device's number and descriptor; fd -1: the device is not taken */
    int rc;
    char words[256]; /* the error message of the worker */
    char file[];
} holder;

static int fail(holder *h, int rc, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(h->words, sizeof(h->words), fmt, args);
    va_end(args);
    h->rc = rc;
    return rc;
}

static int fail_errno(holder *h, const char *what)
{
    const int saved = errno;
    return fail(h, libxl__host_errno_rc(saved), "%s: %s", what, strerror(saved));
}

/* ---- the lock of the hotplug scripts */

static void sleep_ms(unsigned ms)
{
    const struct timespec time = {.tv_nsec = (long)ms * 1000000};
    nanosleep(&time, NULL);
}

/* Takes the lock. Returns the lock's descriptor, or -1 after a recorded error. */
static int take_lock(holder *h)
{
    libxl__block_wait wait = {0};
    int fd = libxl__block_lock_try();
    while (fd < 0 && errno == EWOULDBLOCK && !atomic_load(&h->cancel)) {
        const unsigned pause = libxl__block_lock_pause(&wait);
        if (!pause) {
            fail(h, ERROR_LOCK_FAIL, LIBXL__BLOCK_LOCK_HELD, LIBXL__BLOCK_LOCK_LIMIT_MS);
            return -1;
        }
        sleep_ms(pause);
        fd = libxl__block_lock_try();
    }
    if (fd < 0)
        fail(h, ERROR_LOCK_FAIL, LIBXL__BLOCK_LOCK_FILE ": %s", strerror(errno));
    return fd;
}

/* ---- checking whether other loop devices have the file */

/*
 * Checks another loop device. Returns 0 if the other device does not have the file, or if both devices only
 * read the file. Returns EBUSY if both have the file and one of them is writable. Returns another errno if
 * the device cannot be checked.
 */
static int look_at(const struct stat *file, bool read_only, int number)
{
    struct loop_info64 info = {0};
    const int fd = libxl__loop_device_open(number, O_RDONLY);
    const int error = fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (error)
        /* ENOENT and ENXIO mean that the device has lost its file since its directory was checked. */
        return error == ENOENT || error == ENXIO ? 0 : error;
    const bool same = info.lo_device == file->st_dev && info.lo_inode == file->st_ino;
    return same && !(read_only && info.lo_flags & LO_FLAGS_READ_ONLY) ? EBUSY : 0;
}

/* Checks the loop devices in `list`, which is the open directory /sys/block with the descriptor `fd`. */
static int find_users(DIR *list, int fd, const struct stat *file, bool read_only, int numbers[], int most)
{
    const struct dirent *entry;
    int count = 0, number;
    while (count < most && (entry = readdir(list))) {
        char used[sizeof(entry->d_name) + sizeof("/loop")];
        /* The directory loopN/loop exists while the device has a file. */
        snprintf(used, sizeof(used), "%s/loop", entry->d_name);
        if (sscanf(entry->d_name, "loop%d", &number) != 1 || faccessat(fd, used, F_OK, 0))
            continue;
        const int error = look_at(file, read_only, number);
        if (error == EBUSY) {
            numbers[count++] = number;
        } else if (error) {
            errno = error;
            return -1;
        }
    }
    return count;
}

int libxl__loop_find_users(const struct stat *file, bool read_only, int numbers[], int most)
{
    const int fd = open("/sys/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        const int error = errno;
        if (fd >= 0)
            close(fd);
        errno = error;
        return -1;
    }
    const int count = find_users(list, fd, file, read_only, numbers, most), error = errno;
    closedir(list);
    errno = error;
    return count;
}

/*
 * Checks all other loop devices. Fails with BUSY if another loop device has the file and one of the two
 * devices is writable.
 */
static int check_unshared(holder *h, const struct stat *file)
{
    int number;
    const int count = libxl__loop_find_users(file, h->read_only, &number, 1);
    if (count < 0)
        return fail_errno(h, "looking at the other loop devices");
    return count ? fail(h, ERROR_BUSY, "/dev/loop%d has this file, and %s writable", number,
                        h->read_only ? "is" : "this one would be")
                 : 0;
}

/* ---- taking a loop device */

/*
 * Assigns the file to a free loop device, and opens the device. Sets h->number. Returns the device's
 * descriptor, or -1 with errno set.
 */
static int configure(holder *h, int control, const struct loop_config *config)
{
    int error = EBUSY;
    for (int i = 0; i < TRIES && error == EBUSY && !atomic_load(&h->cancel); i++) {
        const int number = ioctl(control, LOOP_CTL_GET_FREE);
        const int fd = number < 0 ? -1 : libxl__loop_device_open(number, h->read_only ? O_RDONLY : O_RDWR);
        if (fd >= 0 && !ioctl(fd, LOOP_CONFIGURE, config)) {
            h->number = number;
            return fd;
        }
        error = errno;
        if (fd >= 0)
            close(fd);
        else if (number >= 0 && error == ENOENT)
            error = EBUSY; /* another program has removed the device */
    }
    errno = error;
    return -1;
}

static int take_free(holder *h, int file)
{
    const uint32_t flags = LO_FLAGS_AUTOCLEAR | (h->read_only ? LO_FLAGS_READ_ONLY : 0);
    struct loop_config config = {.fd = (uint32_t)file, .info.lo_flags = flags | LO_FLAGS_DIRECT_IO};
    snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s", h->file);
    const int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return fail_errno(h, "/dev/loop-control");
    int fd = configure(h, control, &config);
    if (fd < 0 && errno == EINVAL) {
        config.info.lo_flags = flags;
        fd = configure(h, control, &config);
    }
    const int error = errno;
    close(control);
    errno = error;
    if (fd < 0)
        return fail_errno(h, "taking a loop device");
    h->fd = fd;
    return 0;
}

static int take_unshared(holder *h, int file, const struct stat *status)
{
    const int lock = take_lock(h);
    if (lock < 0)
        return h->rc;
    int rc = h->may_share ? 0 : check_unshared(h, status);
    if (!rc)
        rc = take_free(h, file);
    libxl__block_lock_release(lock);
    return rc;
}

static void take_work(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    holder *h = LIBXL__CONTAINER(job, holder, take);
    struct stat status;
    const int file = open(h->file, (h->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0 || fstat(file, &status)) {
        const int saved = errno;
        fail(h, libxl__host_errno_rc(saved), "%s", strerror(saved));
    } else if (!S_ISREG(status.st_mode)) {
        fail(h, ERROR_INVAL, "not a regular file");
    } else {
        take_unshared(h, file, &status);
    }
    if (file >= 0)
        close(file);
}

static void close_work(libxl_ctx *ctx, libxl__job *job)
{
    holder *h = LIBXL__CONTAINER(job, holder, close);
    (void)ctx;
    close(h->fd);
    h->fd = -1;
}

/* ---- functions that are called with the context locked */

static void end(libxl_ctx *ctx, holder *h)
{
    libxl__lane_release(&ctx->host->lane);
    free(h);
}

static void closed(libxl_ctx *ctx, libxl__job *job)
{
    holder *h = LIBXL__CONTAINER(job, holder, close);
    if (h->fd < 0)
        end(ctx, h);
    else /* the operation has ended before a worker closed the device */
        libxl__job_submit(&ctx->host->lane, NULL, &h->close); /* cannot fail, because a thread is reserved */
}

/*
 * Called when the operation no longer needs the device and no worker is taking it. Closes the device on a
 * worker, or frees the holder of a device that was not taken.
 */
static void abandoned(libxl_ctx *ctx, libxl__job *job)
{
    holder *h = LIBXL__CONTAINER(job, holder, take);
    if (h->fd < 0)
        end(ctx, h);
    else
        libxl__job_submit(&ctx->host->lane, NULL, &h->close); /* cannot fail, because a thread is reserved */
}

static void loop_stop(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__loop_device *loop = LIBXL__CONTAINER(source, libxl__loop_device, source);
    holder *h = loop->holder;
    loop->holder = NULL;
    atomic_store(&h->cancel, true);
    libxl__job_detach(h->close.state == LIBXL__JOB_IDLE ? &h->take : &h->close);
}

int libxl__loop_take(libxl__ao *ao, libxl__loop_device *loop)
{
    libxl__lane *lane = &ao->ctx->host->lane;
    const size_t size = strlen(loop->file) + 1;
    holder *h = calloc(1, sizeof(*h) + size);
    if (!h)
        return ERROR_NOMEM;
    h->take = (libxl__job){.work = take_work, .on_done = abandoned};
    h->close = (libxl__job){.work = close_work, .on_done = closed};
    h->read_only = loop->read_only;
    h->may_share = loop->may_share;
    h->number = h->fd = -1;
    memcpy(h->file, loop->file, size);
    const int rc = libxl__lane_reserve(ao, lane);
    if (rc) {
        free(h);
        return rc;
    }
    libxl__job_submit(lane, ao, &h->take); /* cannot fail, because a thread is reserved */
    loop->holder = h;
    libxl__source_attach(ao, &loop->source, loop_stop);
    return 0;
}

int libxl__loop_take_poll(libxl__ao *ao, libxl__loop_device *loop, const char *name)
{
    const holder *h = loop->holder;
    if (h->take.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    if (h->rc)
        return libxl__ao_fail(ao, h->rc, "%s: %s: %s", name, loop->file, h->words);
    loop->number = h->number;
    snprintf(loop->path, sizeof(loop->path), "/dev/loop%d", h->number);
    return 0;
}

void libxl__loop_close_start(libxl__ao *ao, libxl__loop_device *loop)
{
    /* Cannot fail, because a thread is reserved. */
    libxl__job_submit(&ao->ctx->host->lane, ao, &loop->holder->close);
}

int libxl__loop_close_poll(libxl__ao *ao, libxl__loop_device *loop)
{
    if (loop->holder->close.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    libxl__source_stop(ao->ctx, &loop->source);
    return 0;
}

void libxl__loop_let_go(libxl_ctx *ctx, libxl__loop_device *loop)
{
    libxl__source_stop(ctx, &loop->source);
}
