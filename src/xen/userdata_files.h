/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files that toolstacks keep for a domain, in /var/lib/xen. libxl uses the same files:
 *
 *    userdata-d.DOMID.UUID.NAME                   the data that is called NAME
 *    userdata-n.DOMID.UUID.NAME                   new data, while it is written; the file is renamed
 * afterwards
 *    userdata-l.DOMID.UUID.domain-userdata-lock   the lock; the file is removed when the lock is released
 *
 * NAME is "libxl-json" for the domain's configuration. A program that changes the files, for example `xl`,
 * first takes the lock.
 *
 * These functions block. Call them unlocked, on a worker or on a thread of the application. They own nothing
 * after a call.
 */
#ifndef LIBXL__USERDATA_FILES_H
#define LIBXL__USERDATA_FILES_H

#include <stdatomic.h>
#include <stddef.h>

#include <libxl.h>

#define LIBXL__USERDATA_JSON         "libxl-json"
#define LIBXL__USERDATA_LOCK         "domain-userdata-lock"
#define LIBXL__USERDATA_CHANGES_LOCK "libxl-device-changes-lock" /* the lock of change_lock.h */

enum {
    LIBXL__USERDATA_NAME = 64,         /* the greatest length of a NAME */
    LIBXL__USERDATA_SIZE = 16 << 20,   /* the greatest size of a file that is read, in octets */
    LIBXL__USERDATA_LOCK_LIMIT = 10000 /* the time that a change waits for the lock, in ms */
};

/* Names the domain whose files are used. Also has the error message of the last failure. */
typedef struct libxl__userdata_files {
    uint32_t domid;
    libxl_uuid uuid;
    char why[256]; /* the error message, set by a function that fails */
} libxl__userdata_files;

/* Checks that NAME can be part of a file's name: printable ASCII without '/'. Errors: INVAL. */
int libxl__userdata_check_name(libxl__userdata_files *files, const char *name);

/*
 * Tries once to take the lock NAME, and stores the lock's descriptor for libxl__userdata_release. Errors: LOCK_FAIL
 * (another program holds the lock), PERMISSION, FAIL.
 */
int libxl__userdata_try_lock(libxl__userdata_files *files, const char *name, int *lock_out);
/* Releases the lock NAME, and removes its file. */
void libxl__userdata_release(const libxl__userdata_files *files, const char *name, int lock);
/*
 * Takes the lock, and stores the lock's descriptor for libxl__userdata_unlock. Waits `limit_ms` at most.
 * Stops waiting when *cancel becomes true; `cancel` may be NULL. Errors: LOCK_FAIL (another program holds the
 * lock), ABORTED, PERMISSION, FAIL.
 */
int libxl__userdata_lock(libxl__userdata_files *files, unsigned limit_ms, const atomic_bool *cancel,
                         int *lock_out);
/* Releases the lock, and removes its file. */
void libxl__userdata_unlock(const libxl__userdata_files *files, int lock);

/*
 * Reads a file. The data is malloc'ed and is followed by a zero octet. If the file does not exist, returns 0
 * and sets *data_out to NULL. Errors: PERMISSION, NOMEM, FAIL.
 */
int libxl__userdata_get(libxl__userdata_files *files, const char *name, uint8_t **data_out, size_t *size_out);
/*
 * Replaces a file atomically: another program reads either the old data or the new data. After an error, the
 * old file is unchanged and no other file is left. Errors: PERMISSION, FAIL.
 */
int libxl__userdata_put(libxl__userdata_files *files, const char *name, const void *data, size_t size);
/* Removes a file. A missing file is not an error. Errors: PERMISSION, FAIL. */
int libxl__userdata_drop(libxl__userdata_files *files, const char *name);
/*
 * Removes all files of the domain except LIBXL__USERDATA_LOCK. A missing directory is not an error. If no descriptor is
 * free, the directory cannot be read. Then this function removes only the stored configuration. Errors:
 * PERMISSION, FAIL.
 */
int libxl__userdata_drop_all(libxl__userdata_files *files);
/*
 * Gives all files of the domain, except the lock, the names that they have for another UUID. After an error
 * some files have the new names. A missing directory is not an error. Errors: PERMISSION, NOMEM, FAIL.
 */
int libxl__userdata_move(libxl__userdata_files *files, const libxl_uuid *uuid);

/*
 * Checks that the domain exists and is not dying. If the domain does not exist or is dying, removes the file,
 * because no other program would remove it. Call this with the lock held, after each libxl__userdata_put.
 * Errors: DOMAIN_NOTFOUND.
 */
int libxl__userdata_confirm(libxl_ctx *ctx, libxl__userdata_files *files, const char *name);

#endif
