/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a kernel or a ramdisk into memory. The file is not mapped, although libxenguest can map it. The
 * reason is that an access to the mapping of a file that was truncated ends the process with SIGBUS.
 *
 * Owns: nothing. build.c frees the copies after libxenguest's image was released. Called on the build's
 * worker, unlocked.
 */
#include "build_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xenguest.h>

/* The number of octets that are read at a time; an abort takes effect after each chunk. */
enum { CHUNK = 4 << 20 };

static int refuse(libxl__build *build, const libxl__build_file *file, const char *why)
{
    return libxl__build_fail(build, ERROR_KERNEL, "%s: %s: %s", file->field, file->path, why);
}

/* Like refuse, for a system call that has failed with errno. */
static int refuse_errno(libxl__build *build, const libxl__build_file *file)
{
    const int error = errno;
    return libxl__build_fail(build, libxl__errno_rc(LIBXL__CALL_OPEN_FILE, error), "%s: %s: %s", file->field,
                             file->path, strerror(error));
}

/* Reads file->size octets. */
static int read_all(libxl__build *build, libxl__build_file *file, int fd)
{
    size_t done = 0;
    while (done < file->size) {
        const int rc = libxl__build_cancelled(build);
        if (rc)
            return rc;
        const size_t rest = file->size - done;
        const ssize_t got = read(fd, (char *)file->data + done, rest < CHUNK ? rest : CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse_errno(build, file);
        if (got == 0)
            return refuse(build, file, "the file became shorter while it was read");
        done += (size_t)got;
    }
    return 0;
}

int libxl__build_file_read_open(libxl__build *build, libxl__build_file *file, int fd)
{
    struct stat before, after;
    if (fstat(fd, &before))
        return refuse_errno(build, file);
    if (!S_ISREG(before.st_mode))
        return refuse(build, file, "not a regular file");
    if (before.st_size == 0)
        return refuse(build, file, "the file is empty");
    if (before.st_size > XC_DOM_DECOMPRESS_MAX)
        return refuse(build, file, "larger than 1 GiB");
    const int access = PROT_READ | PROT_WRITE;
    /* cppcheck-suppress invalidFunctionArg; an anonymous mapping has no descriptor */
    void *data = mmap(NULL, (size_t)before.st_size, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return libxl__build_fail(build, ERROR_NOMEM, "%s: %s: no memory to read the file", file->field,
                                 file->path);
    file->data = data;
    file->size = (size_t)before.st_size;
    const int rc = read_all(build, file, fd);
    if (rc)
        return rc;
    /* If the file was overwritten while it was read, the copy may be a mixture of old and new octets. */
    if (fstat(fd, &after) || after.st_size != before.st_size ||
        memcmp(&after.st_mtim, &before.st_mtim, sizeof(after.st_mtim)) != 0)
        return refuse(build, file, "the file was changed while it was read");
    return 0;
}

int libxl__build_file_read(libxl__build *build, libxl__build_file *file, const char *field, const char *path)
{
    file->field = field;
    file->path = path;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return refuse_errno(build, file);
    const int rc = libxl__build_file_read_open(build, file, fd);
    close(fd);
    return rc;
}

void libxl__build_file_free(libxl__build_file *file)
{
    if (file->data)
        munmap(file->data, file->size);
    file->data = NULL;
}
