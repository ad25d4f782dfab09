/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing after a call. Takes no lock. The functions run unlocked and may block. */
#include "userdata_files.h"
#include "xen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRECTORY "/var/lib/xen"

enum { LONGEST_PATH = sizeof(DIRECTORY) + LIBXL__USERDATA_NAME + 80, LOOK_EVERY_MS = 5 };

/* Writes the path of a file of the domain. `kind` is 'd', 'n' or 'l' (userdata_files.h). */
static void make_path(const libxl__userdata_files *files, char kind, const char *name,
                      char path[LONGEST_PATH])
{
    snprintf(path, LONGEST_PATH, DIRECTORY "/userdata-%c.%u." LIBXL_UUID_FMT ".%s", kind, files->domid,
             LIBXL_UUID_BYTES(files->uuid), name);
}

/*
 * Writes the error message for an action on a file that has failed with errno. `doing` names the action, for
 * example "opening". Returns the error.
 */
static int failed(libxl__userdata_files *files, const char *doing, const char *path)
{
    const int error = errno;
    snprintf(files->why, sizeof(files->why), "%s %s: %s", doing, path, strerror(error));
    return error == EACCES || error == EPERM || error == EROFS ? ERROR_PERMISSION : ERROR_FAIL;
}

int libxl__userdata_check_name(libxl__userdata_files *files, const char *name)
{
    const char *problem = NULL;
    if (!name || !*name)
        problem = "empty";
    else if (strlen(name) > LIBXL__USERDATA_NAME)
        problem = "longer than 64 octets";
    else if (strcmp(name, LIBXL__USERDATA_LOCK) == 0 || strcmp(name, LIBXL__USERDATA_CHANGES_LOCK) == 0)
        problem = "the name of a lock";
    for (const char *c = name; !problem && *c; c++)
        if (*c <= ' ' || *c > '~' || *c == '/')
            problem = "has a character that is not printable ASCII, or a '/'";
    if (!problem)
        return 0;
    snprintf(files->why, sizeof(files->why), "userdata_userid: %s", problem);
    return ERROR_INVAL;
}

/* ---- the lock of a domain's files */

/*
 * Returns whether the locked file still exists under its name. The program that held the lock before may have
 * removed the file.
 */
static bool is_current(int fd, const char *path)
{
    struct stat held, named;
    return !fstat(fd, &held) && !stat(path, &named) && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

/*
 * Tries once to take the lock. Returns 0 and stores the lock's descriptor, or returns an errno. EWOULDBLOCK:
 * another program holds the lock.
 */
static int try_lock(const char *path, int *lock_out)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return errno;
    int error = flock(fd, LOCK_EX | LOCK_NB) ? errno : 0;
    if (!error && !is_current(fd, path))
        error = EWOULDBLOCK;
    if (error)
        close(fd);
    else
        *lock_out = fd;
    return error;
}

int libxl__userdata_try_lock(libxl__userdata_files *files, const char *name, int *lock_out)
{
    char path[LONGEST_PATH];
    make_path(files, 'l', name, path);
    const int error = try_lock(path, lock_out);
    if (error == EWOULDBLOCK || error == EINTR) {
        snprintf(files->why, sizeof(files->why), "another program holds %s", path);
        return ERROR_LOCK_FAIL;
    }
    errno = error;
    return error ? failed(files, "opening", path) : 0;
}

void libxl__userdata_release(const libxl__userdata_files *files, const char *name, int lock)
{
    char path[LONGEST_PATH];
    make_path(files, 'l', name, path);
    /* The file is removed while the lock is held, so that no other program can have locked this file. */
    unlink(path);
    close(lock);
}

int libxl__userdata_lock(libxl__userdata_files *files, unsigned limit_ms, const atomic_bool *cancel,
                         int *lock_out)
{
    for (unsigned waited = 0;; waited += LOOK_EVERY_MS) {
        const int rc = libxl__userdata_try_lock(files, LIBXL__USERDATA_LOCK, lock_out);
        if (rc != ERROR_LOCK_FAIL)
            return rc;
        if (cancel && atomic_load(cancel))
            return ERROR_ABORTED;
        if (waited >= limit_ms)
            return rc;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY_MS * 1000000L}, NULL);
    }
}

void libxl__userdata_unlock(const libxl__userdata_files *files, int lock)
{
    libxl__userdata_release(files, LIBXL__USERDATA_LOCK, lock);
}

/* ---- reading and writing files */

static int read_all(libxl__userdata_files *files, int fd, const char *path, uint8_t **data_out,
                    size_t *size_out)
{
    struct stat st;
    size_t size = 0;
    if (fstat(fd, &st))
        return failed(files, "reading", path);
    if (!S_ISREG(st.st_mode) || st.st_size > LIBXL__USERDATA_SIZE) {
        errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
        return failed(files, "reading", path);
    }
    uint8_t *data = calloc(1, (size_t)st.st_size + 1);
    if (!data)
        return ERROR_NOMEM;
    while (size < (size_t)st.st_size) {
        const ssize_t got = read(fd, data + size, (size_t)st.st_size - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            const int rc = failed(files, "reading", path);
            free(data);
            return rc;
        }
        if (!got)
            break;
        size += (size_t)got;
    }
    *data_out = data;
    *size_out = size;
    return 0;
}

int libxl__userdata_get(libxl__userdata_files *files, const char *name, uint8_t **data_out, size_t *size_out)
{
    char path[LONGEST_PATH];
    make_path(files, 'd', name, path);
    *data_out = NULL;
    *size_out = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 0 : failed(files, "opening", path);
    const int rc = read_all(files, fd, path, data_out, size_out);
    close(fd);
    return rc;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size) {
        const ssize_t put = write(fd, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        data += put;
        size -= (size_t)put;
    }
    return true;
}

int libxl__userdata_put(libxl__userdata_files *files, const char *name, const void *data, size_t size)
{
    char fresh[LONGEST_PATH], path[LONGEST_PATH];
    make_path(files, 'n', name, fresh);
    make_path(files, 'd', name, path);
    const int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failed(files, "opening", fresh);
    int rc = write_all(fd, data, size) ? 0 : failed(files, "writing", fresh);
    if (close(fd) && !rc)
        rc = failed(files, "writing", fresh);
    if (!rc && rename(fresh, path))
        rc = failed(files, "renaming", fresh);
    if (rc)
        unlink(fresh);
    return rc;
}

/* ---- removing files */

int libxl__userdata_drop(libxl__userdata_files *files, const char *name)
{
    char path[LONGEST_PATH];
    make_path(files, 'd', name, path);
    return !unlink(path) || errno == ENOENT ? 0 : failed(files, "removing", path);
}

/* Returns whether the file belongs to the domain and is not LIBXL__USERDATA_LOCK. */
static bool is_of_domain(const libxl__userdata_files *files, const char *file)
{
    static const char prefix[] = "userdata-";
    char domain[64];
    const int length = snprintf(domain, sizeof(domain), ".%u." LIBXL_UUID_FMT ".", files->domid,
                                LIBXL_UUID_BYTES(files->uuid));
    if (strncmp(file, prefix, sizeof(prefix) - 1) != 0)
        return false;
    file += sizeof(prefix) - 1; /* skips the kind, which is one character */
    return *file && strncmp(file + 1, domain, (size_t)length) == 0 &&
           strcmp(file + 1 + length, LIBXL__USERDATA_LOCK) != 0;
}

int libxl__userdata_drop_all(libxl__userdata_files *files)
{
    int rc = 0;
    /* getdents64 is used because opendir allocates memory. */
    _Alignas(struct dirent64) char entries[8192];
    ssize_t got;
    const int directory = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 && (errno == EMFILE || errno == ENFILE))
        return libxl__userdata_drop(files, LIBXL__USERDATA_JSON);
    if (directory < 0)
        return errno == ENOENT ? 0 : failed(files, "opening", DIRECTORY);
    while ((got = getdents64(directory, entries, sizeof(entries))) > 0)
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            at += entry->d_reclen;
            if (is_of_domain(files, entry->d_name) && unlinkat(directory, entry->d_name, 0) &&
                errno != ENOENT && !rc)
                rc = failed(files, "removing", entry->d_name);
        }
    if (got < 0 && !rc)
        rc = failed(files, "reading", DIRECTORY);
    close(directory);
    return rc;
}

int libxl__userdata_move(libxl__userdata_files *files, const libxl_uuid *uuid)
{
    char name[LONGEST_PATH];
    int rc = 0;
    const struct dirent *entry;
    DIR *directory = opendir(DIRECTORY);
    if (!directory)
        return errno == ENOENT ? 0 : failed(files, "opening", DIRECTORY);
    while ((entry = readdir(directory)) && !rc) {
        if (!is_of_domain(files, entry->d_name))
            continue;
        /*
         * The kind, which is one character, comes first. Then come the domid and the UUID, which has a fixed length.
         */
        const char *kind = entry->d_name + strlen("userdata-");
        const char *rest = strchr(kind + 2, '.') + 1 + 2 * sizeof(uuid->uuid) + 4;
        snprintf(name, sizeof(name), "userdata-%c.%u." LIBXL_UUID_FMT "%s", *kind, files->domid,
                 LIBXL_UUID_BYTES(*uuid), rest);
        if (renameat(dirfd(directory), entry->d_name, dirfd(directory), name))
            rc = failed(files, "renaming", entry->d_name);
    }
    closedir(directory);
    return rc;
}

int libxl__userdata_confirm(libxl_ctx *ctx, libxl__userdata_files *files, const char *name)
{
    xc_domaininfo_t info;
    const int count = xc_domain_getinfolist(libxl__xch(ctx), files->domid, 1, &info);
    if (count == 1 && info.domain == files->domid && !(info.flags & XEN_DOMINF_dying) &&
        memcmp(info.handle, files->uuid.uuid, sizeof(info.handle)) == 0)
        return 0;
    /* The hypervisor does not answer, so the domain may still exist. */
    if (count < 0)
        return 0;
    libxl__userdata_drop(files, name);
    snprintf(files->why, sizeof(files->why), "domain %u is gone", files->domid);
    return ERROR_DOMAIN_NOTFOUND;
}
