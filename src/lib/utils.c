/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's helpers for strings, files and processes (libxl_utils.h). Owns nothing. Any thread may call these
 * functions, without the context's lock. They use only the context's logger.
 */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libxl_utils.h>

/* ---- strings */

char *libxl_basename(const char *name)
{
    const char *slash = name ? strrchr(name, '/') : NULL;
    /* xl passes NULL for an HVM domain, which has no kernel. */
    if (!name || !*name)
        return strdup(".");
    return strdup(slash ? slash + 1 : name);
}

void libxl_string_copy(libxl_ctx *ctx, char **dst, char *const *src)
{
    (void)ctx;
    *dst = *src ? strdup(*src) : NULL;
}

unsigned long libxl_get_required_shadow_memory(unsigned long maxmem_kb, unsigned int smp_cpus)
{
    /* 256 pages for each vcpu, and 2 pages for each MiB of memory. A page has 4 KiB. */
    return 4 * (256UL * smp_cpus + 2 * (maxmem_kb / 1024));
}

int libxl_string_to_backend(libxl_ctx *ctx, char *s, libxl_disk_backend *backend)
{
    (void)ctx;
    if (!strcmp(s, "phy"))
        *backend = LIBXL_DISK_BACKEND_PHY;
    else if (!strcmp(s, "file"))
        *backend = LIBXL_DISK_BACKEND_TAP;
    else if (!strcmp(s, "qdisk"))
        *backend = LIBXL_DISK_BACKEND_QDISK;
    else if (!strcmp(s, "standalone"))
        *backend = LIBXL_DISK_BACKEND_STANDALONE;
    else if (!strcmp(s, "tap"))
        return libxl__refuse(ERROR_INVAL, "s: the backend 'tap' does not exist any more");
    return 0;
}

int libxl_domid_valid_guest(uint32_t domid)
{
    return domid > 0 && domid < LIBXL__DOMID_FIRST_RESERVED;
}

/* ---- descriptors */

static int set_flag(int fd, int get, int set, int flag, int on)
{
    const int flags = fcntl(fd, get);
    if (flags >= 0 && fcntl(fd, set, on ? flags | flag : flags & ~flag) != -1)
        return 0;
    return libxl__refuse(ERROR_FAIL, "fd: descriptor %d: %m", fd);
}

int libxl_fd_set_cloexec(libxl_ctx *ctx, int fd, int cloexec)
{
    (void)ctx;
    return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, cloexec);
}

int libxl_fd_set_nonblock(libxl_ctx *ctx, int fd, int nonblock)
{
    (void)ctx;
    return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, nonblock);
}

int libxl_pipe(libxl_ctx *ctx, int pipes[2])
{
    if (!pipe(pipes))
        return 0;
    libxl__log(ctx, XTL_ERROR, errno, "making a pipe");
    return libxl__refuse(ERROR_FAIL, "making a pipe: %m");
}

/* Logs "VERB WHAT of FILENAME" with the errno value `error`, and returns `error`. `what` may be NULL. */
static int failed(libxl_ctx *ctx, int error, const char *verb, const char *filename, const char *what)
{
    libxl__log(ctx, XTL_ERROR, error, "%s %s%s%s", verb, what ? what : "", what ? " of " : "", filename);
    return error;
}

int libxl_read_exactly(libxl_ctx *ctx, int fd, void *data, ssize_t sz, const char *filename, const char *what)
{
    for (char *at = data; sz > 0;) {
        const ssize_t got = read(fd, at, (size_t)sz);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return failed(ctx, got ? errno : EPROTO, "reading", filename, what);
        at += got;
        sz -= got;
    }
    return 0;
}

int libxl_write_exactly(libxl_ctx *ctx, int fd, const void *data, ssize_t sz, const char *filename,
                        const char *what)
{
    for (const char *at = data; sz > 0;) {
        const ssize_t put = write(fd, at, (size_t)sz);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return failed(ctx, put ? errno : EPROTO, "writing", filename, what);
        at += put;
        sz -= put;
    }
    return 0;
}

/* ---- files */

static int read_open_file(libxl_ctx *ctx, int fd, const char *filename, void **data, int *size)
{
    struct stat about;
    *data = NULL;
    *size = 0;
    if (fstat(fd, &about))
        return failed(ctx, errno, "reading", filename, NULL);
    if (!S_ISREG(about.st_mode))
        return failed(ctx, ENOTTY, "reading", filename, NULL);
    if (about.st_size > INT_MAX)
        return failed(ctx, EFBIG, "reading", filename, NULL);
    if (!about.st_size)
        return 0;
    *data = malloc((size_t)about.st_size);
    if (!*data)
        return failed(ctx, ENOMEM, "reading", filename, NULL);
    const int error = libxl_read_exactly(ctx, fd, *data, about.st_size, filename, NULL);
    if (error)
        free(*data);
    else
        *size = (int)about.st_size;
    return error;
}

int libxl_read_file_contents(libxl_ctx *ctx, const char *filename, void **data_r, int *datalen_r)
{
    void *data;
    int size;
    const int fd = open(filename, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ENOENT : failed(ctx, errno, "opening", filename, NULL);
    const int error = read_open_file(ctx, fd, filename, &data, &size);
    close(fd);
    if (error)
        return error;
    if (data_r)
        *data_r = data;
    else
        free(data);
    if (datalen_r)
        *datalen_r = size;
    return 0;
}

#define LOG_FILES "/var/log/xen"
enum { OLD_LOG_FILES = 10 };

/* Renames NAME.log.N to NAME.log.N+1, the oldest first. The oldest of all is lost. */
static int rotate(const char *path)
{
    char from[PATH_MAX + 16], to[PATH_MAX + 16]; /* a path with a number */
    for (int i = OLD_LOG_FILES - 1; i >= 0; i--) {
        snprintf(to, sizeof(to), "%s.%d", path, i + 1);
        snprintf(from, sizeof(from), i ? "%s.%d" : "%s", path, i);
        if (rename(from, to) && errno != ENOENT)
            return libxl__refuse(ERROR_FAIL, "name: renaming %s: %m", from);
    }
    return 0;
}

int libxl_create_logfile(libxl_ctx *ctx, const char *name, char **full_name)
{
    char path[PATH_MAX - 8];
    (void)ctx;
    if (strchr(name, '/'))
        return libxl__refuse(ERROR_INVAL, "name: has a '/'");
    if (snprintf(path, sizeof(path), LOG_FILES "/%s.log", name) >= (int)sizeof(path))
        return libxl__refuse(ERROR_INVAL, "name: too long");
    const int rc = rotate(path);
    if (rc)
        return rc;
    *full_name = strdup(path);
    return *full_name ? 0 : libxl__refuse_in(ERROR_NOMEM, "libxl_create_logfile");
}

/* ---- processes */

void libxl_report_child_exitstatus(libxl_ctx *ctx, xentoollog_level level, const char *what, pid_t pid,
                                   int status)
{
    const long number = (long)pid;
    if (WIFEXITED(status))
        libxl__log(ctx, level, -1, "%s [%ld] exited with status %d", what, number, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        libxl__log(ctx, level, -1, "%s [%ld] died of signal %d (%s)%s", what, number, WTERMSIG(status),
                   strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", with a core dump" : "");
    else
        libxl__log(ctx, level, -1, "%s [%ld] has the unknown status %#x", what, number, (unsigned)status);
}
