/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Intercepts what programs write into files below /sys/bus/pci and /sys/bus/usb. This file carries out the writes
 * below /sys/bus/pci: drivers are bound and unbound, pciback gets and loses slots, and devices are reset. Each of
 * these writes is appended to pci.log in the world's directory. host_usb.c carries out the writes below
 * /sys/bus/usb.
 *
 * Lock: machine->lock, which the functions take.
 */
#include "machine.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE   (sizeof PCI_FOLDER + 128)
#define PCIBACK     "pciback"
#define DESCRIPTORS 1024 /* descriptors with higher numbers are never marked */

/*
 * The descriptors that may be open for writing below one of the two folders. A descriptor stays marked after it
 * was closed.
 */
static atomic_bool marked[DESCRIPTORS];

/* Returns the folder that the path is below, or NULL. */
static const char *folder_of(const char *path)
{
    static const char *const folders[] = {PCI_FOLDER, USB_FOLDER};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const size_t length = strlen(folders[i]);
        if (!strncmp(path, folders[i], length) && path[length] == '/')
            return folders[i];
    }
    return NULL;
}

void host_pci_opened(int fd, const char *path, int flags)
{
    if (fd >= 0 && fd < DESCRIPTORS && (flags & O_ACCMODE) != O_RDONLY && folder_of(path))
        marked[fd] = true;
}

/*
 * Finds the file of a descriptor below one of the two simulated folders. Returns the folder, and stores the path below
 * it in `path`. Returns NULL if the file is in neither folder.
 */
static const char *path_of(int fd, char *path, size_t size)
{
    char link[32], target[PATH_SIZE];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0)
        return NULL;
    target[length] = 0;
    const char *folder = folder_of(target);
    if (folder)
        snprintf(path, size, "%s", target + strlen(folder) + 1);
    return folder;
}

/* Stores the name of the device's driver; "" if no driver is bound. Returns whether the device exists. */
static bool driver_of(const char *bdf, char *name, size_t size)
{
    char path[PATH_SIZE], target[PATH_SIZE];
    snprintf(path, sizeof path, PCI_FOLDER "/devices/%s", bdf);
    if (access(path, F_OK))
        return false;
    strcat(path, "/driver");
    const ssize_t length = readlink(path, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = 0;
    snprintf(name, size, "%s", length < 0 ? "" : strrchr(target, '/') + 1);
    return true;
}

static void set_bound(const char *bdf, const char *driver, bool bound)
{
    char in_device[PATH_SIZE], in_driver[PATH_SIZE], target[PATH_SIZE];
    snprintf(in_device, sizeof in_device, PCI_FOLDER "/devices/%s/driver", bdf);
    snprintf(in_driver, sizeof in_driver, PCI_FOLDER "/drivers/%s/%s", driver, bdf);
    unlink(in_device);
    unlink(in_driver);
    if (!bound)
        return;
    snprintf(target, sizeof target, "../../drivers/%s", driver);
    if (symlink(target, in_device))
        return;
    snprintf(target, sizeof target, "../../devices/%s", bdf);
    if (symlink(target, in_driver))
        unlink(in_device);
}

/*
 * Adds a line to a file of pciback that lists devices, or removes the line. Returns 0, EEXIST or ENOENT.
 */
static int change_list(const char *name, const char *bdf, bool add)
{
    char path[PATH_SIZE], text[4096] = "", line[PCI_BDF_SIZE + 2];
    snprintf(path, sizeof path, PCI_FOLDER "/drivers/" PCIBACK "/%s", name);
    FILE *file = fopen(path, "r+e");
    if (!file)
        return ENOENT;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    snprintf(line, sizeof line, "%s\n", bdf);
    char *found = strstr(text, line);
    const int result = add && found ? EEXIST : !add && !found ? ENOENT : 0;
    if (!result && add)
        strcat(text, line);
    else if (!result)
        memmove(found, found + strlen(line), strlen(found + strlen(line)) + 1);
    rewind(file);
    if (!result && !ftruncate(fileno(file), 0))
        fputs(text, file);
    fclose(file);
    return result;
}

static bool has_slot(const char *bdf)
{
    const int result = change_list("slots", bdf, true);
    if (!result)
        change_list("slots", bdf, false);
    return result == EEXIST;
}

/* Carries out a write to a file of a driver. Returns 0 or an errno. */
static int write_driver(const char *driver, const char *file, const char *bdf)
{
    char bound[64];
    const bool pciback = !strcmp(driver, PCIBACK);
    const bool known = driver_of(bdf, bound, sizeof bound);
    if (!strcmp(file, "unbind")) {
        if (!known || strcmp(bound, driver) != 0)
            return ENODEV;
        set_bound(bdf, driver, false);
        return 0;
    }
    if (!strcmp(file, "bind")) {
        if (!known || *bound || (pciback && !has_slot(bdf)))
            return ENODEV;
        set_bound(bdf, driver, true);
        return 0;
    }
    if (pciback && !strcmp(file, "new_slot"))
        return change_list("slots", bdf, true);
    if (pciback && !strcmp(file, "remove_slot"))
        return change_list("slots", bdf, false);
    if (pciback && !strcmp(file, "permissive")) {
        if (!known || strcmp(bound, PCIBACK) != 0)
            return ENODEV;
        change_list("permissive", bdf, true);
        return 0;
    }
    return EIO;
}

static void log_write(const char *path, const char *value)
{
    char name[sizeof world_dir + 16];
    snprintf(name, sizeof name, "%s/pci.log", world_dir);
    FILE *log = fopen(name, "ae");
    if (!log)
        return;
    fprintf(log, "%s %s\n", path, value);
    fclose(log);
}

static int carry_out(const char *path, const char *value)
{
    char driver[64], file[64], bdf[PCI_BDF_SIZE];
    log_write(path, value);
    if (sscanf(path, "drivers/%63[^/]/%63s", driver, file) == 2)
        return write_driver(driver, file, value);
    return sscanf(path, "devices/%15[^/]/%63s", bdf, file) == 2 && !strcmp(file, "reset") ? 0 : EIO;
}

bool host_pci_write(int fd, const void *data, size_t size, long *result)
{
    char path[PATH_SIZE], value[64];
    if (fd < 0 || fd >= DESCRIPTORS || !marked[fd])
        return false;
    const char *folder = path_of(fd, path, sizeof path);
    if (!folder || !machine_attach()) {
        marked[fd] = false;
        return false;
    }
    snprintf(value, sizeof value, "%.*s", (int)(size < sizeof value ? size : sizeof value - 1),
             (const char *)data);
    value[strcspn(value, "\n")] = 0;
    const bool usb = !strcmp(folder, USB_FOLDER);
    int error = fault_check(usb ? CALL_HOST_USB_WRITE : CALL_HOST_PCI_WRITE);
    if (!error) {
        machine_lock();
        error = usb ? host_usb_write(path, value) : carry_out(path, value);
        machine_unlock();
    }
    *result = error ? -error : (long)size;
    return true;
}

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*next)(int, const void *, size_t);
    long result;
    if (host_pci_write(fd, data, size, &result))
        return result_of(result);
    if (!next)
        next = dlsym(RTLD_NEXT, "write");
    return next(fd, data, size);
}
