/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. Any thread may call the functions, unlocked. */
#include "host_sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

enum { PATH_SIZE = LIBXL__SYSFS_DRIVER + 32 };

int libxl__sysfs_fail(char why[LIBXL__SYSFS_WHY], int rc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, LIBXL__SYSFS_WHY, format, args);
    va_end(args);
    return rc;
}

int libxl__sysfs_fail_errno(char why[LIBXL__SYSFS_WHY], const char *path)
{
    const int error = errno;
    const int rc = error == EPERM || error == EACCES ? ERROR_PERMISSION
                   : error == EBUSY                  ? ERROR_BUSY
                   : error == ENOMEM                 ? ERROR_NOMEM
                                                     : ERROR_FAIL;
    return libxl__sysfs_fail(why, rc, "%s: %s", path, strerror(error));
}

int libxl__sysfs_write(char why[LIBXL__SYSFS_WHY], const char *directory, const char *name, const char *text)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return libxl__sysfs_fail_errno(why, path);
    const int rc = write(fd, text, strlen(text)) < 0 ? libxl__sysfs_fail_errno(why, path) : 0;
    close(fd);
    return rc;
}

bool libxl__sysfs_is_driver(const char *drivers, const char *path)
{
    const size_t length = strlen(drivers);
    if (strncmp(path, drivers, length) != 0 || path[length] != '/' || strlen(path) >= LIBXL__SYSFS_DRIVER)
        return false;
    const char *name = path + length + 1;
    return *name && *name != '.' && !strchr(name, '/');
}

int libxl__sysfs_driver_of(const char *drivers, const char *device, char driver[LIBXL__SYSFS_DRIVER],
                           char why[LIBXL__SYSFS_WHY])
{
    char path[PATH_SIZE], target[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/driver", device);
    const ssize_t length = readlink(path, target, sizeof(target) - 1);
    *driver = 0;
    if (length < 0)
        return errno == ENOENT ? 0 : libxl__sysfs_fail_errno(why, path);
    target[length] = 0;
    const char *slash = strrchr(target, '/');
    if (snprintf(driver, LIBXL__SYSFS_DRIVER, "%s/%s", drivers, slash ? slash + 1 : target) >=
        LIBXL__SYSFS_DRIVER)
        return libxl__sysfs_fail(why, ERROR_FAIL, "%s: the driver's name is too long", path);
    return 0;
}
