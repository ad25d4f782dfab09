/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files that toolstacks keep for a domain, in /var/lib/xen. libxl has the same files:
 *
 *   userdata-d.DOMID.UUID.NAME                   the data that is called NAME
 *   userdata-n.DOMID.UUID.NAME                   new data, while it is written; it is then renamed
 *   userdata-l.DOMID.UUID.domain-userdata-lock   the lock; it is removed when it is released
 *
 * NAME is "libxl-json" for the domain's configuration. The lock excludes other programs that change the files, `xl` among
 * them.
 *
 * These functions block, so call them on a worker or in a thread of the application, with the context unlocked. They own
 * nothing after a call.
 */
#ifndef LIBXL__USERDATA_FILES_H
#define LIBXL__USERDATA_FILES_H

#include <stdatomic.h>
#include <stddef.h>

#include <libxl.h>

#define LIBXL__USERDATA_JSON "libxl-json"

enum {
    LIBXL__USERDATA_NAME = 64,         /* the greatest length of a NAME */
    LIBXL__USERDATA_SIZE = 16 << 20,   /* the greatest size of a file that is read, in octets */
    LIBXL__USERDATA_LOCK_LIMIT = 10000 /* ms: how long a change waits for the lock */
};

/* The domain, and the words of the first error. */
typedef struct libxl__userdata_files {
    uint32_t domid;
    libxl_uuid uuid;
    char why[256]; /* set by a function that fails */
} libxl__userdata_files;

/* Returns 0 if NAME can be part of a file's name: printable ASCII without '/'. Otherwise returns INVAL. */
int libxl__userdata_check_name(libxl__userdata_files *files, const char *name);

/*
 * Takes the lock, and stores its descriptor for libxl__userdata_unlock. Waits `limit_ms` at most, and ends early when
 * *cancel becomes true (NULL: it does not). Errors: LOCK_FAIL (another program holds the lock), ABORTED, PERMISSION,
 * FAIL.
 */
int libxl__userdata_lock(libxl__userdata_files *files, unsigned limit_ms, const atomic_bool *cancel,
                         int *lock_out);
/* Releases the lock, and removes its file. */
void libxl__userdata_unlock(const libxl__userdata_files *files, int lock);

/*
 * Reads a file. The data is malloc'ed, and one zero octet follows it. If there is no such file, *data_out is NULL and
 * the result is 0. Errors: PERMISSION, NOMEM, FAIL.
 */
int libxl__userdata_get(libxl__userdata_files *files, const char *name, uint8_t **data_out, size_t *size_out);
/*
 * Replaces a file at once: another program reads the old data or the new data. After an error, the old file is
 * unchanged, and nothing else is left. Errors: PERMISSION, FAIL.
 */
int libxl__userdata_put(libxl__userdata_files *files, const char *name, const void *data, size_t size);
/* Removes a file. A missing file is not an error. Errors: PERMISSION, FAIL. */
int libxl__userdata_drop(libxl__userdata_files *files, const char *name);
/*
 * Removes all files of the domain but the lock. A missing directory is not an error. Without a free descriptor the
 * directory cannot be read, and only the configuration is removed. Errors: PERMISSION, FAIL.
 */
int libxl__userdata_drop_all(libxl__userdata_files *files);

/*
 * Checks that the hypervisor has the domain, and that it is not dying. If not, removes the file, because nobody else
 * would. Call this with the lock held, after each libxl__userdata_put. Errors: DOMAIN_NOTFOUND.
 */
int libxl__userdata_confirm(libxl_ctx *ctx, libxl__userdata_files *files, const char *name);

#endif
