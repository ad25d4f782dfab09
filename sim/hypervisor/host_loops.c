/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loop devices. /dev/loop-control, /dev/loopN and /sys/block are files in the world's directory. A process
 * that has a loop device open holds a shared lock of the device's file. The lock ends when the last copy of
 * the descriptor is closed, also when the process is killed. So if the file can be locked exclusively, no
 * process has the device open, and a device with AUTOCLEAR is freed.
 *
 * Lock: machine->lock. No function waits for a file lock.
 */
#include "machine.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/loop.h>

#define PATH_SIZE  (sizeof world_dir + 96)
#define LOOP_MAJOR 7
#define AT_START   8 /* the number of loop devices at the start */

static struct host *host(void)
{
    return &machine->host;
}

bool host_path(const char *path, char *buffer, size_t size)
{
    static const char *const prefixes[] = {LOOP_PREFIX, "/sys/block", "/sys/bus/xen-backend/"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(path, prefixes[i], strlen(prefixes[i])) && machine_attach()) {
            snprintf(buffer, size, "%s%s", world_dir, path);
            return true;
        }
    return false;
}

static void path_of(const char *format, int number, char path[PATH_SIZE])
{
    char name[64];
    snprintf(name, sizeof name, format, number);
    snprintf(path, PATH_SIZE, "%s%s", world_dir, name);
}

/* Makes a file or directory in the world's directory, and its parent directories. */
static void make_file(const char *format, int number, bool folder)
{
    char path[PATH_SIZE];
    path_of(format, number, path);
    for (char *slash = path + strlen(world_dir) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        mkdir(path, 0755);
    }
    if (folder)
        mkdir(path, 0755);
    else
        close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660));
}

static void add(uint32_t number)
{
    struct host *h = host();
    h->loops[number].added = true;
    if (number >= h->nr_loops)
        h->nr_loops = number + 1;
    make_file(LOOP_PREFIX "%d", (int)number, false);
    make_file("/sys/block/loop%d", (int)number, true);
}

void host_loops_start(void)
{
    make_file(LOOP_PREFIX "-control", 0, false);
    for (uint32_t i = 0; i < AT_START; i++)
        add(i);
}

/*
 * Stores whether the device has a file. The directory /sys/block/loopN/loop exists while the device has a
 * file.
 */
static void set_bound(uint32_t number, bool bound)
{
    char path[PATH_SIZE];
    host()->loops[number].bound = bound;
    path_of("/sys/block/loop%d/loop", (int)number, path);
    if (bound)
        mkdir(path, 0755);
    else
        rmdir(path);
}

static bool is_open(uint32_t number)
{
    char path[PATH_SIZE];
    path_of(LOOP_PREFIX "%d", (int)number, path);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    const bool busy = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB);
    if (fd >= 0)
        close(fd);
    return busy;
}

static void refresh(uint32_t number)
{
    const struct loop *loop = &host()->loops[number];
    if (loop->bound && loop->flags & LO_FLAGS_AUTOCLEAR && !is_open(number))
        set_bound(number, false);
}

void host_loops_refresh(void)
{
    for (uint32_t i = 0; i < host()->nr_loops; i++)
        refresh(i);
}

static int get_free(void)
{
    const int error = fault_check(CALL_HOST_LOOP_GET_FREE);
    if (error)
        return -error;
    machine_lock();
    host_loops_refresh();
    uint32_t number = 0;
    while (number < MAX_LOOPS && host()->loops[number].bound)
        number++;
    if (number < MAX_LOOPS && !host()->loops[number].added)
        add(number);
    machine_unlock();
    return number < MAX_LOOPS ? (int)number : -ENOSPC;
}

void host_look(const char *path)
{
    int number;
    machine_lock();
    if (sscanf(path + strlen(world_dir), "/sys/block/loop%d", &number) == 1 && number >= 0 &&
        number < MAX_LOOPS)
        refresh((uint32_t)number);
    machine_unlock();
}

/* ---- opening of loop devices and of other files of the kernel */

int host_open(const char *path, int flags)
{
    int number = -1, error = 0;
    if (!strncmp(path + strlen(world_dir), LOOP_PREFIX, sizeof LOOP_PREFIX - 1)) {
        error = fault_check(CALL_HOST_LOOP_OPEN);
        sscanf(path + strlen(world_dir), LOOP_PREFIX "%d", &number);
    }
    if (error)
        return -error;
    machine_lock();
    /* Updates all directories below /sys/block, because `path` may be one of them. */
    if (number < 0)
        host_loops_refresh();
    else if (number < MAX_LOOPS)
        refresh((uint32_t)number);
    int fd = open(path, flags & ~(O_CREAT | O_EXCL));
    if (fd < 0)
        fd = -errno;
    /* this succeeds, because an exclusive lock is held only while machine->lock is held */
    else if (number >= 0)
        flock(fd, LOCK_SH | LOCK_NB);
    machine_unlock();
    return fd;
}

int host_loop_hold(uint32_t number)
{
    char path[PATH_SIZE];
    machine_lock();
    const bool bound = number < MAX_LOOPS && host()->loops[number].bound;
    machine_unlock();
    path_of(LOOP_PREFIX "%d", (int)number, path);
    const int fd = bound ? host_open(path, O_RDONLY | O_CLOEXEC) : -1;
    return fd < 0 ? -1 : fd;
}

bool host_loop_of(int fd, int *number)
{
    char link[32], path[PATH_SIZE];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    const size_t prefix = strlen(world_dir);
    if (length < 0 || !prefix)
        return false;
    path[length] = 0;
    if (strncmp(path, world_dir, prefix) || strncmp(path + prefix, LOOP_PREFIX, sizeof LOOP_PREFIX - 1))
        return false;
    if (sscanf(path + prefix, LOOP_PREFIX "%d", number) != 1)
        *number = -1;
    return true;
}

void host_loop_status(int number, struct stat *status)
{
    status->st_mode = (status->st_mode & ~(mode_t)S_IFMT) | S_IFBLK;
    status->st_rdev = makedev(LOOP_MAJOR, (unsigned)number);
    status->st_size = 0;
}

/* ---- the ioctl calls of loop devices */

static int configure(int number, uint32_t file, uint32_t flags)
{
    struct loop *loop = &host()->loops[number];
    struct stat status;
    char link[32];
    if (loop->bound)
        return -EBUSY;
    if (fstat((int)file, &status))
        return -errno;
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
        return -EINVAL;
    snprintf(link, sizeof link, "/proc/self/fd/%u", file);
    const ssize_t length = readlink(link, loop->file, sizeof loop->file - 1);
    loop->file[length < 0 ? 0 : length] = 0;
    loop->flags = flags;
    loop->device = status.st_dev;
    loop->inode = status.st_ino;
    loop->octets = (uint64_t)status.st_size;
    set_bound((uint32_t)number, true);
    return 0;
}

static void tell(const struct loop *loop, int number, struct loop_info64 *info)
{
    *info = (struct loop_info64){.lo_device = loop->device,
                                 .lo_inode = loop->inode,
                                 .lo_number = (uint32_t)number,
                                 .lo_flags = loop->flags};
    memcpy(info->lo_file_name, loop->file, sizeof info->lo_file_name - 1);
}

/*
 * Detaches the file of a loop device. If other processes have the device open, only sets the flag AUTOCLEAR; the
 * device is then freed when these processes close it. `fd`, the caller's descriptor of the device, does not count.
 */
static int clear(int number, int fd)
{
    struct loop *loop = &host()->loops[number];
    if (!loop->bound)
        return -ENXIO;
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        loop->flags |= LO_FLAGS_AUTOCLEAR;
        return 0;
    }
    flock(fd, LOCK_SH | LOCK_NB);
    set_bound((uint32_t)number, false);
    return 0;
}

static int with_lock(int number, int fd, unsigned long request, void *argument)
{
    struct loop *loop = &host()->loops[number];
    const struct loop_config *config = argument;
    const struct loop_info64 *info = argument;
    switch (request) {
    case LOOP_CONFIGURE: return configure(number, config->fd, config->info.lo_flags);
    case LOOP_SET_FD: return configure(number, (uint32_t)(uintptr_t)argument, 0);
    case LOOP_CLR_FD: return clear(number, fd);
    case LOOP_GET_STATUS64:
        if (!loop->bound)
            return -ENXIO;
        tell(loop, number, argument);
        return 0;
    case LOOP_SET_STATUS64:
        if (!loop->bound)
            return -ENXIO;
        loop->flags = (loop->flags & ~(uint32_t)LO_FLAGS_AUTOCLEAR) | (info->lo_flags & LO_FLAGS_AUTOCLEAR);
        return 0;
    case BLKGETSIZE64: *(uint64_t *)argument = loop->bound ? loop->octets : 0; return 0;
    default: return -ENOTTY;
    }
}

static int loop_ioctl(int number, int fd, unsigned long request, void *argument)
{
    if (number < 0)
        return request == LOOP_CTL_GET_FREE ? get_free() : -ENOTTY;
    const int error = request == LOOP_CONFIGURE || request == LOOP_SET_FD
                          ? fault_check(CALL_HOST_LOOP_CONFIGURE)
                      : request == LOOP_CLR_FD       ? fault_check(CALL_HOST_LOOP_CLEAR)
                      : request == LOOP_SET_STATUS64 ? fault_check(CALL_HOST_LOOP_SET_STATUS)
                                                     : 0;
    if (error)
        return -error;
    machine_lock();
    const int result = with_lock(number, fd, request, argument);
    machine_unlock();
    return result;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    static int (*next)(int, unsigned long, ...);
    const bool of_loops = (request >= LOOP_SET_FD && request <= LOOP_CONFIGURE) || request == BLKGETSIZE64 ||
                          (request >= LOOP_CTL_ADD && request <= LOOP_CTL_GET_FREE);
    int number;
    va_list args;
    va_start(args, request);
    void *argument = va_arg(args, void *);
    va_end(args);
    if (of_loops && machine_attach() && host_loop_of(fd, &number))
        return result_of(loop_ioctl(number, fd, request, argument));
    if (!next)
        next = dlsym(RTLD_NEXT, "ioctl");
    return next(fd, request, argument);
}

/* ---- functions for the other programs of the simulator */

#define DISK "/sys/bus/xen-backend/devices/vbd-%u-%u"

static void disk_path(uint32_t guest, uint32_t number, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s" DISK, world_dir, guest, number);
}

int host_disk_opened(uint32_t guest, uint32_t number, const char *physical)
{
    unsigned major = 0, minor = 0;
    char path[PATH_SIZE];
    disk_path(guest, number, path);
    make_file("/sys/bus/xen-backend/devices", 0, true);
    mkdir(path, 0755);
    strcat(path, "/physical_device");
    close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0444));
    return sscanf(physical, "%x:%x", &major, &minor) == 2 && major == LOOP_MAJOR ? host_loop_hold(minor) : -1;
}

void host_disk_closed(uint32_t guest, uint32_t number, int fd)
{
    char path[PATH_SIZE];
    disk_path(guest, number, path);
    if (fd >= 0)
        close(fd);
    strcat(path, "/physical_device");
    unlink(path);
    *strrchr(path, '/') = 0;
    rmdir(path);
}

int host_loop_take(const char *file, bool read_only)
{
    const int image = open(file, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (image < 0)
        return -errno;
    int number, result = -EBUSY;
    do {
        number = get_free();
        if (number >= 0) {
            machine_lock();
            result = configure(number, (uint32_t)image, read_only ? LO_FLAGS_READ_ONLY : 0);
            machine_unlock();
        }
    } while (number >= 0 && result == -EBUSY);
    close(image);
    return number < 0 ? number : result ? result : number;
}

int host_loop_clear(uint32_t number)
{
    const int fd = host_loop_hold(number);
    if (fd < 0)
        return -ENXIO;
    machine_lock();
    const int result = clear((int)number, fd);
    machine_unlock();
    close(fd);
    return result;
}
