/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs on a loop device that is known by its number. The library need not hold the device.
 *
 * Owns: nothing except the operation's state. keep_work and release_work run on workers, unlocked, and use only their
 * jobs. All other functions need what their prototypes say.
 */
#include "host_loop.h"
#include "libxl_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/loop.h>

/*
 * The number of attempts to release a device. There is no later chance, because the device's nodes are removed.
 */
enum { RELEASE_TRIES = 8 };

int libxl__loop_device_open(int number, int flags)
{
    char path[24];
    snprintf(path, sizeof(path), "/dev/loop%d", number);
    return open(path, flags | O_CLOEXEC);
}

bool libxl__loop_in_use(int number)
{
    char path[48];
    snprintf(path, sizeof(path), "/sys/block/loop%d/loop", number);
    return !access(path, F_OK);
}

static void keep_work(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    libxl__loop_job *loop = LIBXL__CONTAINER(job, libxl__loop_job, job);
    struct loop_info64 info = {0};
    const int fd = libxl__loop_device_open(loop->number, O_RDONLY);
    bool ok = fd >= 0 && !ioctl(fd, LOOP_GET_STATUS64, &info);
    info.lo_flags &= ~(uint32_t)LO_FLAGS_AUTOCLEAR;
    ok = ok && !ioctl(fd, LOOP_SET_STATUS64, &info);
    loop->errnoval = ok ? 0 : errno;
    if (fd >= 0)
        close(fd);
}

/* Detaches the device from its file. Returns 0 or an errno. A device that has no file is no error. */
static int detach_file(int number)
{
    const int fd = libxl__loop_device_open(number, O_RDONLY);
    const int error = fd < 0 || ioctl(fd, LOOP_CLR_FD) ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error == ENXIO ? 0 : error;
}

static void sleep_ms(unsigned ms)
{
    const struct timespec time = {.tv_nsec = (long)ms * 1000000};
    nanosleep(&time, NULL);
}

/*
 * Detaches the device from its file. After an error that may be temporary, such as a lack of descriptors,
 * tries again. The device's nodes in xenstore are removed even if all attempts fail. Then no program knows
 * the device any more, and it stays until the host restarts.
 */
static void release_work(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    libxl__loop_job *loop = LIBXL__CONTAINER(job, libxl__loop_job, job);
    int error = detach_file(loop->number);
    for (unsigned i = 1; i < RELEASE_TRIES && error && error != ENOENT; i++) {
        sleep_ms(1U << i);
        error = detach_file(loop->number);
    }
    loop->errnoval = error;
}

static int start(libxl__ao *ao, libxl__loop_job *loop, int number, const char *what,
                 void work(libxl_ctx *ctx, libxl__job *job))
{
    loop->number = number;
    loop->what = what;
    loop->job.work = work;
    return libxl__job_submit(&ao->ctx->host->lane, ao, &loop->job);
}

int libxl__loop_keep_start(libxl__ao *ao, libxl__loop_job *loop, int number)
{
    return start(ao, loop, number, "keeping", keep_work);
}

int libxl__loop_release_start(libxl__ao *ao, libxl__loop_job *loop, int number)
{
    return start(ao, loop, number, "freeing", release_work);
}

bool libxl__loop_job_busy(libxl__loop_job *loop)
{
    return loop->job.state == LIBXL__JOB_RUNNING ||
           (loop->job.state == LIBXL__JOB_QUEUED && !libxl__job_withdraw(&loop->job));
}

int libxl__loop_job_poll(libxl__ao *ao, const libxl__loop_job *loop)
{
    if (loop->job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    if (!loop->errnoval)
        return 0;
    return libxl__ao_fail(ao, libxl__host_errno_rc(loop->errnoval), "%s /dev/loop%d: %s", loop->what,
                          loop->number, strerror(loop->errnoval));
}
