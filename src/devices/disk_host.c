/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk's work on this host. This file first checks the block device or file, before any node is written.
 * Then it gives the kernel's backend the number of the block device, or the number of a loop device with the
 * file. At the end it releases the loop device.
 *
 * The fast path connects a block device or a file without running a script. It writes the node
 * physical-device, because the kernel's backend waits for this node. It also writes the other nodes that the
 * script would write.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "disk_host.h"

#include <stdio.h>
#include <string.h>

#include <linux/major.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { LONGEST_STEP_MS = 64, OPEN_LIMIT_MS = 1000, RELEASE_LIMIT_MS = 10000 };

static const libxl_device_disk *disk_of(const libxl__device *device)
{
    return device->config;
}

/* ---- probe: a worker looks at the block device or file */

static bool has_default_script(const libxl_device_disk *disk)
{
    return !disk->script || !strcmp(disk->script, "block") || !strcmp(disk->script, LIBXL__DISK_SCRIPT);
}

static int check_script(libxl__ao *ao, const libxl__device *device)
{
    const char *script = disk_of(device)->script;
    if (!libxl__device_is_served_here(device) || !script)
        return 0;
    const char *path = libxl__device_script_path(ao, script);
    if (!path)
        return ERROR_NOMEM;
    return access(path, X_OK) ? libxl__ao_fail(ao, ERROR_SCRIPT, "script: %s: %m", path) : 0;
}

int libxl__disk_probe_start(libxl__ao *ao, libxl__device *device)
{
    libxl__disk_host *host = device->host;
    if (device->unserved)
        return 0;
    /* pdev_path need not be a path if the script is not the default one, or if another domain serves the disk. */
    if (!has_default_script(disk_of(device)) || !libxl__device_is_served_here(device))
        return check_script(ao, device);
    host->look.path = disk_of(device)->pdev_path;
    host->look.read_only = !disk_of(device)->readwrite;
    host->look.finds_loops = device->replaces && disk_of(device)->backend != LIBXL_DISK_BACKEND_QDISK;
    const int rc = libxl__file_look_start(ao, &host->look);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__disk_probe_poll(libxl__ao *ao, libxl__device *device)
{
    libxl__disk_host *host = device->host;
    const libxl__file_facts *facts = &host->look.facts;
    int rc;
    if (host->sharing)
        return libxl__disk_share_poll(ao, &host->share, host->look.path);
    rc = libxl__file_look_poll(ao, &host->look, "pdev_path");
    if (rc)
        return rc;
    if (S_ISREG(facts->mode)) {
        if (!facts->loop_count)
            return 0;
        host->sharing = true;
        rc = libxl__disk_share_start_file(ao, &host->share, device->backend_domid, device->domid,
                                          facts->loops, facts->loop_count);
        return rc ? rc : LIBXL__AO_WAIT;
    }
    if (facts->mounted == LIBXL__MOUNTED_WRITABLE || (facts->mounted && !host->look.read_only))
        return libxl__ao_fail(ao, ERROR_BUSY, "pdev_path: %s: it is mounted on this host", host->look.path);
    if (S_ISBLK(facts->mode)) {
        /*
         * If this operation gives the device to the kernel's backend, claim() checks later whether another domain
         * uses it.
         */
        if (disk_of(device)->backend != LIBXL_DISK_BACKEND_QDISK && !device->replaces)
            return 0;
        host->sharing = true;
        rc = libxl__disk_share_start(ao, &host->share, device->backend_domid, facts->device,
                                     !host->look.read_only,
                                     device->replaces ? device->domid : LIBXL_DOMID_INVALID);
        return rc ? rc : LIBXL__AO_WAIT;
    }
    return libxl__ao_fail(ao, ERROR_INVAL, "pdev_path: %s: neither a file nor a block device",
                          host->look.path);
}

/* ---- online: give the kernel's backend the number of the block device, or of a loop device with the file */

static int write_number(libxl__ao *ao, libxl__device *device)
{
    libxl__disk_host *host = device->host;
    const bool loop = *host->loop.path;
    host->step = LIBXL__DISK_WRITING;
    const dev_t number = loop ? makedev(LOOP_MAJOR, host->loop.number) : host->look.facts.device;
    char text[32];
    host->batch = libxl__xs_batch_new(ao, device->domid);
    if (!host->batch)
        return ERROR_NOMEM;
    snprintf(text, sizeof(text), "%x:%x", major(number), minor(number));
#define NODE(key, value)                                                                                     \
    libxl__xs_write(host->batch, LIBXL__XS_INHERITS, value, LIBXL__BACKEND "/" key, LIBXL__BACKEND_OF(device))
    libxl__xs_require(host->batch, ERROR_DOMAIN_DESTROYED, NULL, LIBXL__BACKEND "/state",
                      LIBXL__BACKEND_OF(device));
    if (loop)
        NODE("node", host->loop.path);
    NODE("physical-device-path", loop ? host->loop.path : host->look.path);
    NODE("physical-device", text);
    NODE("hotplug-status", "connected");
#undef NODE
    const int rc = libxl__xs_run(host->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Sets the alarm for the next check. The first wait takes 1 ms, and each further wait takes twice as long as
 * the one before. Returns LIBXL__AO_WAIT or an error. Returns 0 when all waits together have taken
 * `limit_ms`.
 */
static int look_later(libxl__ao *ao, libxl__disk_host *host, unsigned limit_ms)
{
    if (host->alarm.source.ao && !host->alarm.rang)
        return LIBXL__AO_WAIT;
    if (host->waited_ms >= limit_ms)
        return 0;
    host->step_ms = host->step_ms ? host->step_ms * 2 : 1;
    if (host->step_ms > LONGEST_STEP_MS)
        host->step_ms = LONGEST_STEP_MS;
    host->waited_ms += host->step_ms;
    const int rc = libxl__alarm_set(ao, &host->alarm, LIBXL__MILLISECONDS(host->step_ms));
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Waits until the kernel's backend has opened the block device. If the backend cannot open the device, it
 * writes an error node. The caller watches this node. If /sys is not mounted, the wait ends after
 * OPEN_LIMIT_MS.
 */
static int wait_opened(libxl__ao *ao, const libxl__device *device)
{
    libxl__disk_host *host = device->host;
    char path[80];
    snprintf(path, sizeof(path), "/sys/bus/xen-backend/devices/vbd-%u-%u/physical_device", device->domid,
             device->devid);
    host->step = LIBXL__DISK_OPENING;
    const int rc = !access(path, F_OK) ? 0 : look_later(ao, host, OPEN_LIMIT_MS);
    if (rc || !host->loop.holder)
        return rc;
    host->step = LIBXL__DISK_CLOSING; /* the backend has the loop device open now */
    libxl__loop_close_start(ao, &host->loop);
    return LIBXL__AO_WAIT;
}

/*
 * Called when xenstored has written the number of the loop device. After that, any program that removes the
 * disk finds the loop device in the tree and can release it. So this operation does not own the loop device
 * any more.
 */
static int number_written(libxl__ao *ao, const libxl__device *device)
{
    libxl__disk_host *host = device->host;
    int rc = libxl__xs_result(host->batch);
    libxl__block_lock_leave(ao->ctx, &host->lock); /* releases the lock that was taken for a block device */
    if (rc || !*host->loop.path)
        return rc ? rc : wait_opened(ao, device);
    host->step = LIBXL__DISK_KEEPING;
    rc = libxl__loop_keep_start(ao, &host->keep, host->loop.number);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int start_script(libxl__ao *ao, const libxl__device *device, const char *script, const char *action)
{
    libxl__disk_host *host = device->host;
    const char *path = libxl__device_script_path(ao, script);
    host->step = LIBXL__DISK_RUNNING;
    const int rc =
        path ? libxl__device_script_start(ao, &host->run, device, path, action, NULL) : ERROR_NOMEM;
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Checks whether another domain uses the block device, and gives the device to the backend. Holds the lock of Xen's
 * block scripts from the check until xenstored has written the number of the device. So if two programs add the same
 * device at the same time, the second program finds the number that the first one has written.
 */
static int claim(libxl__ao *ao, libxl__device *device)
{
    libxl__disk_host *host = device->host;
    int rc = 0;
    if (host->step == LIBXL__DISK_LOCKING) {
        rc = libxl__block_lock_take(ao, &host->lock);
        if (rc)
            return rc;
        host->step = LIBXL__DISK_SHARING;
        rc = libxl__disk_share_start(ao, &host->share, device->backend_domid, host->look.facts.device,
                                     !host->look.read_only, LIBXL_DOMID_INVALID);
    } else {
        rc = libxl__disk_share_poll(ao, &host->share, host->look.path);
        if (!rc)
            return write_number(ao, device);
    }
    if (rc && rc != LIBXL__AO_WAIT)
        libxl__block_lock_leave(ao->ctx, &host->lock);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__disk_online_start(libxl__ao *ao, libxl__device *device)
{
    libxl__disk_host *host = device->host;
    if (disk_of(device)->backend == LIBXL_DISK_BACKEND_QDISK)
        return 0;
    if (!host->look.path)
        return start_script(ao, device, disk_of(device)->script, "add");
    if (S_ISBLK(host->look.facts.mode)) {
        host->step = LIBXL__DISK_LOCKING;
        return claim(ao, device);
    }
    host->loop.file = host->look.path;
    host->loop.read_only = host->look.read_only;
    const int rc = libxl__loop_take(ao, &host->loop);
    return rc ? rc : LIBXL__AO_WAIT;
}

const char *libxl__disk_loop(const libxl__device *device)
{
    const libxl__disk_host *host = device->host;
    const bool given = host->step == LIBXL__DISK_KEEPING || host->step == LIBXL__DISK_OPENING ||
                       host->step == LIBXL__DISK_CLOSING;
    return given && *host->loop.path ? host->loop.path : NULL;
}

int libxl__disk_online_poll(libxl__ao *ao, libxl__device *device)
{
    libxl__disk_host *host = device->host;
    int rc = 0;
    switch (host->step) {
    case LIBXL__DISK_TAKING:
        rc = libxl__loop_take_poll(ao, &host->loop, "pdev_path");
        return rc ? rc : write_number(ao, device);
    case LIBXL__DISK_RUNNING: rc = libxl__device_script_poll(ao, &host->run, device); break;
    case LIBXL__DISK_LOCKING:
    case LIBXL__DISK_SHARING: return claim(ao, device);
    case LIBXL__DISK_WRITING:
        return libxl__xs_done(host->batch) ? number_written(ao, device) : LIBXL__AO_WAIT;
    case LIBXL__DISK_KEEPING: rc = libxl__loop_job_poll(ao, &host->keep); break;
    case LIBXL__DISK_OPENING: break;
    case LIBXL__DISK_CLOSING: return libxl__loop_close_poll(ao, &host->loop);
    }
    return rc ? rc : wait_opened(ao, device);
}

/*
 * Takes back the transaction that writes the number, or waits for its end. The operation holds the lock and
 * the loop device meanwhile, because the transaction may still give the device to the backend. Waits for the job that
 * keeps the loop device: if that job removed the flag AUTOCLEAR after the removal has set it, the loop device would stay,
 * and nothing would name it. Does not wait
 * for the release of the loop device. The removal that follows waits until no process has the loop device
 * open.
 */
int libxl__disk_abandon(libxl__ao *ao, libxl__device *device)
{
    libxl__disk_host *host = device->host;
    if (host->batch && !libxl__xs_take_back(host->batch) && !libxl__xs_done(host->batch))
        return LIBXL__AO_WAIT;
    if (libxl__loop_job_busy(&host->keep))
        return LIBXL__AO_WAIT;
    libxl__xs_batch_free(host->batch);
    host->batch = NULL;
    libxl__block_lock_leave(ao->ctx, &host->lock);
    libxl__loop_let_go(ao->ctx, &host->loop);
    return 0;
}

/*
 * ---- offline: release the loop device that this library or the script `block` has taken, or run a script of another
 * kind
 */

enum { SCRIPT_KEY = LIBXL__DISK_NODE_KEY + 1 };
const char *const libxl__disk_offline_keys[] = {"node", "script", NULL};

int libxl__disk_offline_start(libxl__ao *ao, libxl__device *device)
{
    libxl__disk_host *host = device->host;
    const char *node = device->values[LIBXL__DISK_NODE_KEY], *script = device->values[SCRIPT_KEY];
    char rest;
    if (script && strcmp(script, LIBXL__DISK_SCRIPT) != 0 && !access(script, X_OK))
        return start_script(ao, device, script, "remove");
    if (!node || sscanf(node, "/dev/loop%d%c", &host->number, &rest) != 1)
        return 0;
    const int rc = libxl__loop_release_start(ao, &host->release, host->number);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Waits until the backend has closed the loop device. The backend closes the loop device after it has written
 * the state Closed.
 */
int libxl__disk_offline_poll(libxl__ao *ao, libxl__device *device)
{
    libxl__disk_host *host = device->host;
    if (host->step == LIBXL__DISK_RUNNING)
        return libxl__device_script_poll(ao, &host->run, device);
    const int rc = libxl__loop_job_poll(ao, &host->release);
    if (rc || !libxl__loop_in_use(host->number))
        return rc;
    return look_later(ao, host, RELEASE_LIMIT_MS);
}
