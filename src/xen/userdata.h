/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stored configuration of a domain, which is what `xl` and libvirt read of it (userdata_files.h has the files).
 * Operations store it, change it and read it by jobs, on a lane of their own. A disk that does not answer delays these
 * jobs only.
 *
 * Other programs may change the configuration too, so a change reads the file, changes it and writes it, all under
 * the lock that libxl uses. libxl writes the file before it commits the transaction that adds a device, and does not
 * change the file when a device is removed: a reader ignores devices that have no tree below /libxl/DOMID/device. An
 * operation that adds a device does the same: it waits for libxl__userdata_update, and then writes the nodes. An
 * operation that removes a device changes the file, too, because not every reader looks at every tree. It does so
 * before it removes the nodes: as long as they exist, no program adds a device with the same number.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__USERDATA_H
#define LIBXL__USERDATA_H

#include "ao.h"
#include "userdata_files.h"
#include "worker.h"

typedef struct libxl__userdata_work libxl__userdata_work;

/* One job. Embed this in the operation's state; zero-initialise it. It can be used again once the job is done. */
typedef struct libxl__userdata {
    libxl__source source;
    libxl__userdata_work *work; /* NULL: no job was started */
    bool changing_back;         /* the change was started a second time */
} libxl__userdata;

/*
 * Changes the configuration. Runs on a worker, unlocked, and may use `user` only. Returns 0, or an error that the
 * operation then gets; the file is unchanged in that case. Strings and arrays in the configuration are malloc'ed.
 */
typedef int libxl__userdata_change(libxl_domain_config *config, void *user);

/* Called once, while the context is made. */
void libxl__userdata_open(libxl_ctx *ctx);

/*
 * Starts to store the configuration of a new domain. `config` is read before this returns. When the operation ends
 * before the job, the job is stopped; the file may exist then, and libxl__userdata_remove removes it. Errors: NOMEM,
 * INVAL (a string is not UTF-8), FAIL, recorded in ao.
 */
int libxl__userdata_store(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid, const libxl_uuid *uuid,
                          const libxl_domain_config *config);
/*
 * Starts to change the stored configuration of a domain, under the lock. The job frees `user` by `dispose` (NULL: it is
 * not freed, and must outlive the context), also if this fails. When the operation ends before the job, the job goes on
 * or is stopped. Errors: NOMEM, FAIL, recorded in ao.
 */
int libxl__userdata_update(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid, const libxl_uuid *uuid,
                           libxl__userdata_change *change, void *user, void (*dispose)(void *user));
/*
 * For a change that takes itself back when it is made again. libxl__userdata_update starts it. Call
 * libxl__userdata_changed from the phase's poll, and return what it returns: a domain without a stored configuration,
 * or one that is gone, is no error. Call libxl__userdata_change_back from the phase's undo, and return what it returns. It
 * makes the change again if it was made. If that fails, the operation goes on: a reader compares the configuration
 * with xenstore.
 */
int libxl__userdata_changed(libxl__ao *ao, const libxl__userdata *userdata);
int libxl__userdata_change_back(libxl__ao *ao, libxl__userdata *userdata);
/* Starts to read the stored configuration. Errors: NOMEM, FAIL, recorded in ao. */
int libxl__userdata_read(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid, const libxl_uuid *uuid);

/* Returns whether the job is done. The operation is woken then. */
bool libxl__userdata_done(const libxl__userdata *userdata);
/*
 * Returns the result of a job that is done, and records an error in ao. Errors: NOTFOUND (a change or a read: the domain
 * has no stored configuration), DOMAIN_NOTFOUND (the domain is gone or dying; nothing is stored), LOCK_FAIL (another
 * program has held the lock for 10 s), INVAL (the file is not a configuration), PERMISSION, NOMEM, FAIL, or the error of
 * the change.
 */
int libxl__userdata_result(libxl__ao *ao, const libxl__userdata *userdata);
/* Returns the configuration that was read. It belongs to the job; the caller may move it away and initialise it anew. */
libxl_domain_config *libxl__userdata_config(const libxl__userdata *userdata);

/* The removal of all files of a domain. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__userdata_removal {
    libxl__source source; /* attached while a worker is reserved */
    libxl__job job;
    libxl__userdata_files files;
    int rc; /* result: 0, PERMISSION or FAIL; files.why has the words */
} libxl__userdata_removal;

/* Reserves a worker, so that libxl__userdata_remove cannot fail. Errors: FAIL, recorded in ao. */
int libxl__userdata_reserve_removal(libxl__ao *ao, libxl__userdata_removal *removal);
/*
 * Starts to remove the files of a domain that is gone or will be destroyed. The operation completes only after the job. A program
 * that holds the lock delays the removal for a second at most.
 */
void libxl__userdata_remove(libxl__ao *ao, libxl__userdata_removal *removal, uint32_t domid,
                            const libxl_uuid *uuid);
/* Returns whether the removal is done, or was not started. `rc` is valid then. */
bool libxl__userdata_removed(const libxl__userdata_removal *removal);

#endif
