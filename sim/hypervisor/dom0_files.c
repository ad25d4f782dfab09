/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replaces functions of the C library that use files. A file that only the kernel of a real dom0 has is
 * opened in the world's directory. A connection to xenstored can be made to fail. A file that stands for a
 * block device gets the status of a block device. Owns nothing; no lock.
 */
#include "machine.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BUFFER (sizeof world_dir + 256)

static const char *redirect(const char *path, char *buffer, size_t size)
{
    static const char folder[] = "/proc/xen/";
    if (strncmp(path, folder, sizeof folder - 1))
        return path;
    const char *name = path + sizeof folder - 1;
    if ((strcmp(name, "xsd_port") && strcmp(name, "xsd_kva") && strcmp(name, "capabilities")) ||
        !machine_attach())
        return path;
    snprintf(buffer, size, "%s/%s", world_dir, name);
    return buffer;
}

#define OPEN(name)                                                                                           \
    EXPORT int name(const char *path, int flags, ...)                                                        \
    {                                                                                                        \
        static int (*next)(const char *, int, ...);                                                          \
        char buffer[BUFFER];                                                                                 \
        mode_t mode = 0;                                                                                     \
        if (__OPEN_NEEDS_MODE(flags)) {                                                                      \
            va_list args;                                                                                    \
            va_start(args, flags);                                                                           \
            mode = va_arg(args, mode_t);                                                                     \
            va_end(args);                                                                                    \
        }                                                                                                    \
        if (host_path(path, buffer, sizeof buffer))                                                          \
            return result_of(host_open(buffer, flags));                                                      \
        if (!next)                                                                                           \
            next = dlsym(RTLD_NEXT, #name);                                                                  \
        const int fd = next(redirect(path, buffer, sizeof buffer), flags, mode);                             \
        host_pci_opened(fd, path, flags);                                                                    \
        return fd;                                                                                           \
    }

OPEN(open)
OPEN(open64)

/* Programs that are compiled with _FORTIFY_SOURCE call these functions if they pass no mode. */
EXPORT int __open_2(const char *path, int flags)
{
    return open(path, flags);
}

EXPORT int __open64_2(const char *path, int flags)
{
    return open64(path, flags);
}

/*
 * The errno of the last failed connection to xenstored's socket. After such a failure libxenstore opens the
 * kernel's device, and reports only the error of this second attempt. So opening the device fails with the
 * same errno.
 */
static __thread int xenstore_error;

static bool is_xenstored(const struct sockaddr *address)
{
    static const char end[] = "/xenstored/socket";
    const struct sockaddr_un *un = (const struct sockaddr_un *)address;
    if (address->sa_family != AF_UNIX)
        return false;
    size_t length = strnlen(un->sun_path, sizeof un->sun_path);
    return length >= sizeof end - 1 &&
           !strncmp(un->sun_path + length - (sizeof end - 1), end, sizeof end - 1);
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    static int (*next)(int, const struct sockaddr *, socklen_t);
    if (!next)
        next = dlsym(RTLD_NEXT, "connect");
    if (is_xenstored(address) && machine_attach() && (xenstore_error = fault_check(CALL_XENSTORE_OPEN))) {
        errno = xenstore_error;
        return -1;
    }
    return next(fd, address, size);
}

static bool is_xenbus(const char *path)
{
    return !strcmp(path, "/dev/xen/xenbus") || !strcmp(path, "/proc/xen/xenbus");
}

#define STAT(name)                                                                                           \
    EXPORT int name(const char *restrict path, struct name *restrict result)                                 \
    {                                                                                                        \
        static int (*next)(const char *, struct name *);                                                     \
        char buffer[BUFFER];                                                                                 \
        int number;                                                                                          \
        if (!next)                                                                                           \
            next = dlsym(RTLD_NEXT, #name);                                                                  \
        if (xenstore_error && is_xenbus(path)) {                                                             \
            errno = xenstore_error;                                                                          \
            xenstore_error = 0;                                                                              \
            return -1;                                                                                       \
        }                                                                                                    \
        if (!host_path(path, buffer, sizeof buffer))                                                         \
            return next(path, result);                                                                       \
        host_look(buffer);                                                                                   \
        int failed = next(buffer, result);                                                                   \
        if (!failed && sscanf(path, LOOP_PREFIX "%d", &number) == 1)                                         \
            host_loop_status(number, (struct stat *)result);                                                 \
        return failed;                                                                                       \
    }

#define FSTAT(name, type)                                                                                    \
    EXPORT int name(int fd, struct type *result)                                                             \
    {                                                                                                        \
        static int (*next)(int, struct type *);                                                              \
        int number;                                                                                          \
        if (!next)                                                                                           \
            next = dlsym(RTLD_NEXT, #name);                                                                  \
        int failed = next(fd, result);                                                                       \
        if (!failed && S_ISREG(result->st_mode) && !result->st_size && host_loop_of(fd, &number) &&          \
            number >= 0)                                                                                     \
            host_loop_status(number, (struct stat *)result);                                                 \
        return failed;                                                                                       \
    }

/* On x86-64 struct stat and struct stat64 have the same layout. */
STAT(stat)
STAT(stat64)
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)

EXPORT int access(const char *path, int mode)
{
    static int (*next)(const char *, int);
    char buffer[BUFFER];
    if (!next)
        next = dlsym(RTLD_NEXT, "access");
    if (!host_path(path, buffer, sizeof buffer))
        return next(redirect(path, buffer, sizeof buffer), mode);
    host_look(buffer);
    return next(buffer, mode);
}
