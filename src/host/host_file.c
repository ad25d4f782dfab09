/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the libxl__looker of each libxl__file_look. Two conditions must be met before a libxl__looker is
 * freed: its job is done, and its operation has ended or has got the result. look_work runs on a worker,
 * unlocked, and uses only the libxl__looker.
 */
#include "host_file.h"
#include "host_loop.h"
#include "libxl_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/fs.h>

typedef struct libxl__looker {
    libxl__job job;
    int flags; /* the flags with which the path is opened */
    bool finds_loops;
    libxl__file_facts facts;
    char path[];
} libxl__looker;

/*
 * Returns whether a line of /proc/self/mountinfo is about this device, and how the device is mounted. The
 * line's fields are: two numbers, MAJOR:MINOR, root, mount point, options ...
 */
static libxl__mounted mounted_by(const char *line, dev_t device)
{
    unsigned major, minor;
    int options = 0;
    if (sscanf(line, "%*u %*u %u:%u %*s %*s %n", &major, &minor, &options) != 2 || !options ||
        makedev(major, minor) != device)
        return LIBXL__NOT_MOUNTED;
    return !strncmp(line + options, "ro", 2) ? LIBXL__MOUNTED_READ_ONLY : LIBXL__MOUNTED_WRITABLE;
}

static libxl__mounted mounted(dev_t device)
{
    libxl__mounted most = LIBXL__NOT_MOUNTED;
    FILE *list = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t room = 0;
    while (list && getline(&line, &room, list) > 0) {
        const libxl__mounted here = mounted_by(line, device);
        most = here > most ? here : most;
    }
    free(line);
    if (list)
        fclose(list);
    return most;
}

static void look_at_device(libxl__looker *at, int fd)
{
    libxl__file_facts *facts = &at->facts;
    facts->mounted = mounted(facts->device);
    /* If the host uses the device, opening it exclusively fails with EBUSY. */
    const int exclusive = open(at->path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
    facts->claimed = exclusive < 0 && errno == EBUSY;
    if (exclusive >= 0)
        close(exclusive);
    if (ioctl(fd, BLKGETSIZE64, &facts->octets))
        facts->octets = 0;
}

static void look_for_loops(libxl__looker *at, const struct stat *status)
{
    libxl__file_facts *facts = &at->facts;
    const bool read_only = (at->flags & O_ACCMODE) == O_RDONLY;
    facts->loop_count = libxl__loop_find_users(status, read_only, facts->loops, LIBXL__FILE_LOOPS);
    if (facts->loop_count < 0)
        facts->errnoval = errno;
}

static void look_work(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    libxl__looker *at = LIBXL__CONTAINER(job, libxl__looker, job);
    libxl__file_facts *facts = &at->facts;
    struct stat status;
    const int fd = open(at->path, at->flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status)) {
        facts->errnoval = errno;
    } else {
        facts->mode = status.st_mode;
        facts->inode = status.st_ino;
        facts->device = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
        facts->octets = (uint64_t)status.st_size;
        if (S_ISBLK(status.st_mode))
            look_at_device(at, fd);
        if (S_ISREG(status.st_mode) && at->finds_loops)
            look_for_loops(at, &status);
    }
    if (fd >= 0)
        close(fd);
}

/* ---- functions that are called with the context locked */

static void looked(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    free(LIBXL__CONTAINER(job, libxl__looker, job));
}

static void look_stop(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__file_look *look = LIBXL__CONTAINER(source, libxl__file_look, source);
    libxl__job_detach(&look->at->job);
    look->at = NULL;
}

int libxl__file_look_start(libxl__ao *ao, libxl__file_look *look)
{
    const size_t size = strlen(look->path) + 1;
    libxl__looker *at = calloc(1, sizeof(*at) + size);
    if (!at)
        return ERROR_NOMEM;
    memcpy(at->path, look->path, size);
    at->flags = look->read_only ? O_RDONLY : O_RDWR;
    at->finds_loops = look->finds_loops;
    at->job = (libxl__job){.work = look_work, .on_done = looked};
    const int rc = libxl__job_submit(&ao->ctx->host->lane, ao, &at->job);
    if (rc) {
        free(at);
        return rc;
    }
    look->at = at;
    libxl__source_attach(ao, &look->source, look_stop);
    return 0;
}

int libxl__file_look_poll(libxl__ao *ao, libxl__file_look *look, const char *name)
{
    if (look->at && look->at->job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    if (look->at) {
        look->facts = look->at->facts;
        libxl__source_stop(ao->ctx, &look->source);
    }
    const int error = look->facts.errnoval;
    return error ? libxl__ao_fail(ao, libxl__host_errno_rc(error), "%s: %s: %s", name, look->path,
                                  strerror(error))
                 : 0;
}
