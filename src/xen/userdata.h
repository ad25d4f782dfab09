/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stored configuration of a domain, which `xl` and libvirt read (userdata_files.h describes the files).
 * Operations use jobs to store, change and read the configuration. These jobs have a separate lane, so a disk
 * that does not answer delays only these jobs.
 *
 * Other programs may change the configuration, too. So a job that changes the configuration takes the lock
 * that libxl uses. It holds the lock while it reads, changes and writes the file.
 *
 * libxl changes the file when it adds a device: it writes the file before it commits the transaction with the
 * device's nodes. libxl does not change the file when it removes a device. Therefore readers ignore devices
 * that have no tree below /libxl/DOMID/device.
 *
 * An operation of this library that adds a device waits for libxl__userdata_update, and then writes the
 * nodes. An operation that removes a device changes the file, too, because not every reader compares the file
 * with the trees. It changes the file before it removes the nodes: while the nodes exist, no program adds a
 * device with the same number.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__USERDATA_H
#define LIBXL__USERDATA_H

#include "ao.h"
#include "userdata_files.h"
#include "reserved_worker.h"

typedef struct libxl__userdata_work libxl__userdata_work;

/*
 * One job on the stored configuration. Embed this in the operation's state; zero-initialise it. The structure
 * can be used again once the job is done.
 */
typedef struct libxl__userdata {
    libxl__source source;
    libxl__userdata_work *work; /* the data of the job; NULL: no job was started */
    bool changing_back;         /* libxl__userdata_change_back has started the change a second time */
} libxl__userdata;

/*
 * A function that changes a configuration. Called on a worker, unlocked; may use only `config` and `user`.
 * Returns 0, or an error that becomes the operation's error. After an error the file is unchanged. Strings
 * and arrays in the configuration must be malloc'ed.
 */
typedef int libxl__userdata_change(libxl_domain_config *config, void *user);

/* Opens the lane of these jobs. Called once, while the context is made. */
void libxl__userdata_open(libxl_ctx *ctx);

/*
 * Starts a job that stores the configuration of a new domain. `config` is not used after this function has
 * returned. If the operation ends before the job, the job is stopped. The file may exist afterwards;
 * libxl__userdata_remove removes it. Errors: NOMEM, INVAL (a string is not UTF-8), FAIL, recorded in ao.
 */
int libxl__userdata_store(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid, const libxl_uuid *uuid,
                          const libxl_domain_config *config);
/*
 * Starts a job that changes the stored configuration of a domain, under the lock. `dispose` frees `user` when the job
 * has ended and `userdata` has ended or has started another job. If the job cannot be started, it frees `user` at
 * once. `dispose` NULL: `user` is not freed, and must outlive the context. If the operation ends before the job, the
 * job either goes on or is stopped. Errors: NOMEM, FAIL, recorded in ao.
 */
int libxl__userdata_update(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid, const libxl_uuid *uuid,
                           libxl__userdata_change *change, void *user, void (*dispose)(void *user));
/*
 * The next two functions are for a phase that starts libxl__userdata_update. The phase's change must be one
 * that reverses itself when it is made a second time.
 *
 * Call libxl__userdata_changed from the phase's poll, and return the function's result. The result is 0, too,
 * if the domain has no stored configuration or is gone.
 *
 * Call libxl__userdata_change_back from the phase's undo, and return the function's result. If the change was
 * made, the function makes the change a second time. A failure of the second change is ignored, because
 * readers compare the configuration with xenstore.
 */
int libxl__userdata_changed(libxl__ao *ao, const libxl__userdata *userdata);
int libxl__userdata_change_back(libxl__ao *ao, libxl__userdata *userdata);
/* Starts a job that reads the stored configuration. Errors: NOMEM, FAIL, recorded in ao. */
int libxl__userdata_read(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid, const libxl_uuid *uuid);

/* Returns whether the job is done. The job wakes the operation when it is done. */
bool libxl__userdata_done(const libxl__userdata *userdata);
/*
 * Returns the result of a job that is done, and records an error in ao. Errors: NOTFOUND (the domain has no
 * stored configuration to change or read), DOMAIN_NOTFOUND (the domain is gone or dying; nothing was stored),
 * LOCK_FAIL (another program has held the lock for 10 s), INVAL (the file is not a configuration),
 * PERMISSION, NOMEM, FAIL, or the error of the change.
 */
int libxl__userdata_result(libxl__ao *ao, const libxl__userdata *userdata);
/*
 * Returns the configuration that the job has read. The configuration belongs to the job. The caller may move
 * the configuration to another place, and must then initialise the returned structure again.
 */
libxl_domain_config *libxl__userdata_config(const libxl__userdata *userdata);

/* A job that removes all files of a domain. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__userdata_removal {
    libxl__reserved_worker worker;
    libxl__job job;
    libxl__userdata_files files;
    /* Valid once the job is done: 0, PERMISSION or FAIL; files.why has the error message. */
    int rc;
} libxl__userdata_removal;

/* Reserves a worker, so that libxl__userdata_remove cannot fail. Errors: FAIL, recorded in ao. */
int libxl__userdata_reserve_removal(libxl__ao *ao, libxl__userdata_removal *removal);
/*
 * Starts a job that removes the files of a domain that is gone or will be destroyed. The operation completes
 * after the job has ended. If another program holds the lock, the job waits for the lock for at most a
 * second, and then removes the files.
 */
void libxl__userdata_remove(libxl__ao *ao, libxl__userdata_removal *removal, uint32_t domid,
                            const libxl_uuid *uuid);
/*
 * Returns true if the job is done or was never started; removal->rc is valid then. Otherwise returns false.
 */
bool libxl__userdata_removed(const libxl__userdata_removal *removal);

#endif
