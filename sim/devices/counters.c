/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the files in sysfs with the counters of Linux's backend drivers. Only backends in domain 0 have these
 * files. File number N of a device of domain D contains the number 1000 * D + N. devices.h describes the
 * lock.
 */
#include "devices.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const of_vbd[] = {"oo_req", "rd_req",  "wr_req",  "f_req",
                                     "ds_req", "rd_sect", "wr_sect", NULL};
static const char *const of_vif[] = {"rx_bytes",   "rx_packets", "rx_errors",  "rx_dropped", "tx_bytes",
                                     "tx_packets", "tx_errors",  "tx_dropped", NULL};

static const struct counted {
    /*
     * `kind`: the kind of device. `directory`: the format of the device's directory, with the guest's domid
     * and the device's number.
     */
    const char *kind, *directory;
    const char *const *files;
} table[] = {
    {"vbd", "/sys/bus/xen-backend/devices/vbd-%u-%u", of_vbd},
    {"vif", "/sys/class/net/vif%u.%u", of_vif},
};

static const struct counted *counted(const struct device *d)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!d->backend_domid && !strcmp(table[i].kind, d->kind->name))
            return &table[i];
    return NULL;
}

/* Stores the path of the device's directory with `rest` appended. Returns the path. */
static const char *path_of(const struct counted *c, const struct device *d, const char *rest,
                           char path[PATH_SIZE])
{
    /*
     * The files of disks are in the world's directory, because libaioxen-sim.so opens paths below /sys/bus
     * there.
     */
    int used = snprintf(path, PATH_SIZE, "%s", c->files == of_vbd ? world_dir : "");
    used += snprintf(path + used, (size_t)(PATH_SIZE - used), c->directory, d->guest, d->number);
    snprintf(path + used, (size_t)(PATH_SIZE - used), "%s", rest);
    return path;
}

static void write_file(const char *path, unsigned number)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
    if (fd < 0)
        return;
    dprintf(fd, "%u\n", number);
    close(fd);
}

void counters_make(const struct device *d)
{
    const struct counted *c = counted(d);
    char path[PATH_SIZE], file[32];
    if (!c)
        return;
    mkdir(path_of(c, d, "", path), 0755);
    mkdir(path_of(c, d, "/statistics", path), 0755);
    for (unsigned i = 0; c->files[i]; i++) {
        snprintf(file, sizeof file, "/statistics/%s", c->files[i]);
        write_file(path_of(c, d, file, path), 1000 * d->guest + i);
    }
}

void counters_remove(const struct device *d)
{
    const struct counted *c = counted(d);
    char path[PATH_SIZE], file[32];
    if (!c)
        return;
    for (unsigned i = 0; c->files[i]; i++) {
        snprintf(file, sizeof file, "/statistics/%s", c->files[i]);
        unlink(path_of(c, d, file, path));
    }
    rmdir(path_of(c, d, "/statistics", path));
    rmdir(path_of(c, d, "", path));
}
