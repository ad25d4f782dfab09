/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens the files that only the kernel of a dom0 has from the world's directory, under their usual names. Also wraps
 * connecting to xenstored, so that it can be made to fail. Owns nothing; no lock.
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

static const char *redirect(const char *path, char *buffer, size_t size)
{
    static const char folder[] = "/proc/xen/";
    if (strncmp(path, folder, sizeof folder - 1))
        return path;
    const char *name = path + sizeof folder - 1;
    if ((strcmp(name, "xsd_port") && strcmp(name, "xsd_kva")) || !machine_attach())
        return path;
    snprintf(buffer, size, "%s/%s", world_dir, name);
    return buffer;
}

#define OPEN(name)                                                                                           \
    EXPORT int name(const char *path, int flags, ...)                                                        \
    {                                                                                                        \
        static int (*next)(const char *, int, ...);                                                          \
        char buffer[sizeof world_dir + 16];                                                                  \
        mode_t mode = 0;                                                                                     \
        if (__OPEN_NEEDS_MODE(flags)) {                                                                      \
            va_list args;                                                                                    \
            va_start(args, flags);                                                                           \
            mode = va_arg(args, mode_t);                                                                     \
            va_end(args);                                                                                    \
        }                                                                                                    \
        if (!next)                                                                                           \
            next = dlsym(RTLD_NEXT, #name);                                                                  \
        return next(redirect(path, buffer, sizeof buffer), flags, mode);                                     \
    }

OPEN(open)
OPEN(open64)

/* libxenstore tries the daemon's socket, then the kernel's device, and reports the second error. So the second
 * attempt returns the first error again. */
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

EXPORT int stat(const char *restrict path, struct stat *restrict result)
{
    static int (*next)(const char *, struct stat *);
    if (!next)
        next = dlsym(RTLD_NEXT, "stat");
    if (xenstore_error && (!strcmp(path, "/dev/xen/xenbus") || !strcmp(path, "/proc/xen/xenbus"))) {
        errno = xenstore_error;
        xenstore_error = 0;
        return -1;
    }
    return next(path, result);
}
