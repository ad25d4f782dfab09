/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing except the operation's state. The caller holds the context's lock. This file reads only the
 * nodes of backends, which guests cannot write.
 */
#include "disk_share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <linux/major.h>

#define BACKENDS "/local/domain/%u/backend/vbd"

struct libxl__other_disk {
    const char *domain;
    const libxl__xs_request *physical, *mode;
};

int libxl__disk_share_start(libxl__ao *ao, libxl__disk_share *share, uint32_t server, dev_t number,
                            bool writable, uint32_t except)
{
    const char *path = libxl__gc_printf(&ao->gc, BACKENDS, server);
    if (!path)
        return ERROR_NOMEM;
    share->server = server;
    share->number = number;
    share->writable = writable;
    share->except = except;
    return libxl__xs_directory_start(ao, &share->domains, path);
}

static int new_batch(libxl__ao *ao, libxl__disk_share *share)
{
    libxl__xs_batch_free(share->batch);
    share->batch = libxl__xs_batch_new(ao, 0);
    return share->batch ? 0 : ERROR_NOMEM;
}

static int run(libxl__disk_share *share)
{
    const int rc = libxl__xs_run(share->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int list_disks(libxl__ao *ao, libxl__disk_share *share)
{
    if (!share->domains.count)
        return 0;
    share->disks = libxl__gc_alloc(&ao->gc, share->domains.count * sizeof(*share->disks));
    const int rc = share->disks ? new_batch(ao, share) : ERROR_NOMEM;
    if (rc)
        return rc;
    for (uint32_t i = 0; i < share->domains.count; i++)
        share->disks[i] =
            libxl__xs_list(share->batch, 0, BACKENDS "/%s", share->server, share->domains.names[i]);
    return run(share);
}

int libxl__disk_share_start_file(libxl__ao *ao, libxl__disk_share *share, uint32_t server, uint32_t domid,
                                 const int *loops, int loop_count)
{
    const char **names = libxl__gc_alloc(&ao->gc, sizeof(*names));
    if (!names || !(*names = libxl__gc_printf(&ao->gc, "%u", domid)))
        return ERROR_NOMEM;
    share->server = server;
    share->except = LIBXL_DOMID_INVALID;
    share->loops = loops;
    share->loop_count = loop_count;
    share->domains.names = names;
    share->domains.count = 1;
    return list_disks(ao, share);
}

/*
 * Adds requests that read each disk to the batch. `batch` NULL: adds no requests. Returns the number of
 * disks.
 */
static uint32_t add_reads(libxl__disk_share *share, libxl__xs_batch *batch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < share->domains.count; i++) {
        size_t size = 0;
        const char *version, *name = libxl__xs_names(share->disks[i], &size, &version);
        for (const char *end = name + size; name && name < end && *name; name += strlen(name) + 1, count++) {
            if (!batch)
                continue;
            const char *domain = share->domains.names[i];
            share->others[count] = (struct libxl__other_disk){
                .domain = domain,
                .physical =
                    libxl__xs_read(batch, BACKENDS "/%s/%s/physical-device", share->server, domain, name),
                .mode = libxl__xs_read(batch, BACKENDS "/%s/%s/mode", share->server, domain, name)};
        }
    }
    return count;
}

static int read_disks(libxl__ao *ao, libxl__disk_share *share)
{
    share->count = add_reads(share, NULL);
    share->others = libxl__gc_alloc(&ao->gc, share->count * sizeof(*share->others));
    libxl__xs_batch *batch = libxl__xs_batch_new(ao, 0);
    if (!share->others || !batch)
        return ERROR_NOMEM;
    add_reads(share, batch);
    libxl__xs_batch_free(share->batch);
    share->batch = batch;
    return run(share);
}

/* Returns whether a disk has the block device. `physical` is the node physical-device of the disk, or NULL. */
static bool has(const char *physical, dev_t number)
{
    unsigned major_number, minor_number;
    return physical && sscanf(physical, "%x:%x", &major_number, &minor_number) == 2 &&
           makedev(major_number, minor_number) == number;
}

static int compare_loops(libxl__ao *ao, const libxl__disk_share *share, const char *path)
{
    for (int i = 0; i < share->loop_count; i++) {
        bool own = false;
        for (uint32_t k = 0; k < share->count && !own; k++)
            own = has(libxl__xs_value(share->others[k].physical),
                      makedev(LOOP_MAJOR, (unsigned)share->loops[i]));
        if (!own)
            return libxl__ao_fail(ao, ERROR_BUSY,
                                  "pdev_path: %s: /dev/loop%d has this file, and it or the disk is writable",
                                  path, share->loops[i]);
    }
    return 0;
}

static int compare(libxl__ao *ao, const libxl__disk_share *share, const char *path)
{
    if (share->loops)
        return compare_loops(ao, share, path);
    for (uint32_t i = 0; i < share->count; i++) {
        const struct libxl__other_disk *other = &share->others[i];
        if (strtoul(other->domain, NULL, 10) == share->except)
            continue;
        const char *physical = libxl__xs_value(other->physical), *mode = libxl__xs_value(other->mode);
        const bool writable = mode && strchr(mode, 'w');
        if (has(physical, share->number) && (writable || share->writable))
            return libxl__ao_fail(ao, ERROR_BUSY, "pdev_path: %s: domain %s uses it%s", path, other->domain,
                                  writable ? " and may write" : "");
    }
    return 0;
}

int libxl__disk_share_poll(libxl__ao *ao, libxl__disk_share *share, const char *path)
{
    int rc;
    if (!share->disks) {
        rc = libxl__xs_directory_step(ao, &share->domains);
        return rc ? rc : list_disks(ao, share);
    }
    if (!libxl__xs_done(share->batch))
        return LIBXL__AO_WAIT;
    rc = libxl__xs_result(share->batch);
    if (!rc && !share->others)
        return read_disks(ao, share);
    return rc ? rc : compare(ao, share, path);
}
