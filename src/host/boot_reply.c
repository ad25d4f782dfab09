/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the reply of a boot loader, in the format that pygrub calls simple0: "kernel PATH", "ramdisk PATH"
 * and "args TEXT", each with a terminating zero.
 *
 * The boot loader has read a guest's disk, so the reply is not trusted. The reply is read up to a limit. A
 * path in the reply must name a file in the boot loader's directory.
 *
 * Owns: nothing. Called on a worker, unlocked.
 */
#include "boot_loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 64 << 10 };

static int refuse(libxl__boot_loader *loader, const char *what, const char *why)
{
    snprintf(loader->why, sizeof(loader->why), "d_config.b_info.bootloader: %.128s: its reply %s%.256s",
             loader->name, what, why);
    return ERROR_KERNEL;
}

/* Reads the file with the reply. Returns the reply's length in octets, or a negative error. */
static long read_file(libxl__boot_loader *loader)
{
    const int fd = open(loader->output, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return refuse(loader, "cannot be read: ", strerror(errno));
    size_t length = 0;
    ssize_t got = -1;
    loader->reply = malloc(MOST + 1);
    while (loader->reply && length < MOST + 1) {
        got = read(fd, loader->reply + length, MOST + 1 - length);
        if (got <= 0 && (got == 0 || errno != EINTR))
            break;
        if (got > 0)
            length += (size_t)got;
    }
    const int error = errno;
    close(fd);
    if (!loader->reply)
        return ERROR_NOMEM;
    if (got < 0)
        return refuse(loader, "cannot be read: ", strerror(error));
    if (length > MOST)
        return refuse(loader, "is longer than 64 KiB", "");
    loader->reply[length] = 0;
    return (long)length;
}

/* Opens a file that the reply names. The file must be directly in the boot loader's directory. */
static int open_file(libxl__boot_loader *loader, const char *path, int *fd)
{
    const size_t length = strlen(loader->directory);
    const char *name = path + length + 1;
    if (*fd >= 0)
        return refuse(loader, "names two files for one purpose: ", path);
    if (strncmp(path, loader->directory, length) != 0 || path[length] != '/' || !*name || strchr(name, '/') ||
        strcmp(name, "..") == 0)
        return refuse(loader, "names a file that is not in the boot loader's directory: ", path);
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*fd < 0) {
        char why[320];
        snprintf(why, sizeof(why), "%.200s: %s", path, strerror(errno));
        return refuse(loader, "names a file that cannot be opened: ", why);
    }
    return 0;
}

static const char *after(const char *item, const char *word)
{
    const size_t length = strlen(word);
    return strncmp(item, word, length) == 0 && item[length] == ' ' ? item + length + 1 : NULL;
}

static int read_item(libxl__boot_loader *loader, const char *item)
{
    const char *value = after(item, "kernel");
    if (value) {
        loader->kernel = value;
        return open_file(loader, value, &loader->kernel_fd);
    }
    value = after(item, "ramdisk");
    if (value) {
        loader->ramdisk = value;
        return open_file(loader, value, &loader->ramdisk_fd);
    }
    value = after(item, "args");
    if (value)
        loader->cmdline = value;
    return *item && !value ? refuse(loader, "has an unknown item: ", item) : 0;
}

int libxl__boot_loader_read(libxl__boot_loader *loader)
{
    const long length = read_file(loader);
    if (length < 0)
        return (int)length;
    for (const char *item = loader->reply; item < loader->reply + length; item += strlen(item) + 1) {
        const int rc = read_item(loader, item);
        if (rc)
            return rc;
    }
    return loader->kernel ? 0 : refuse(loader, "names no kernel", "");
}
