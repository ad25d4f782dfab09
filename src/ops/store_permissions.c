/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Converts the permissions of a node between libxl_store_permission and xenstored's text. Also has the other
 * functions that the operations store_* share.
 *
 * Owns: nothing. The caller holds the context's lock.
 */
#include "store.h"
#include "store_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The letters by which xenstored names the kinds of access. */
static const char letters[] = "nrwb";

enum { LONGEST = 16 }; /* enough for a letter, a domid and a zero octet */

int libxl__store_check_path(libxl__ao *ao, const char *path)
{
    const char *fault = libxl__store_path_fault(path, false);
    if (!fault) {
        ao->subject.name = path;
        return 0;
    }
    return libxl__ao_fail(ao, ERROR_INVAL, "path: " LIBXL__STORE_PATH_FMT " %s", LIBXL__STORE_PATH_ARG(path),
                          fault);
}

int libxl__store_missing(libxl__ao *ao, const char *path)
{
    return libxl__ao_fail(ao, ERROR_NOTFOUND, "path: there is no node " LIBXL__STORE_PATH_FMT,
                          LIBXL__STORE_PATH_ARG(path));
}

libxl__xs_batch *libxl__store_batch(libxl__ao *ao)
{
    libxl__xs_batch *batch = libxl__xs_batch_new(ao, 0);
    if (batch)
        libxl__xs_for_application(batch);
    return batch;
}

/* Reads the permission of one domain. A letter that this release does not know gives no access. */
static libxl_store_permission read_one(const char *text)
{
    const char *letter = *text ? strchr(letters, *text) : NULL;
    return (libxl_store_permission){
        .domid = *text ? (libxl_domid)strtoul(text + 1, NULL, 10) : 0,
        .access = letter ? (libxl_store_access)(letter - letters) : 0,
    };
}

int libxl__store_permissions_read(libxl__ao *ao, const char *text, size_t size, libxl_store_permissions *out)
{
    int count = 0;
    for (size_t at = 0; at < size; at += strlen(text + at) + 1)
        count++;
    if (!count)
        return libxl__ao_fail(ao, ERROR_XENSTORE, "xenstore: the node has no owner");
    libxl_store_permission *domains = count > 1 ? calloc((size_t)count - 1, sizeof(*domains)) : NULL;
    if (count > 1 && !domains)
        return ERROR_NOMEM;
    const libxl_store_permission owner = read_one(text);
    for (int i = 0; i < count - 1; i++) {
        text += strlen(text) + 1;
        domains[i] = read_one(text);
    }
    *out = (libxl_store_permissions){
        .owner = owner.domid, .others = owner.access, .num_domains = count - 1, .domains = domains};
    return 0;
}

static char *write_one(char *at, unsigned access, libxl_domid domid)
{
    return at + snprintf(at, LONGEST, "%c%u", letters[access & 3], domid) + 1;
}

const char *libxl__store_permissions_text(libxl__ao *ao, const libxl_store_permissions *permissions,
                                          size_t *size_out)
{
    char *text = libxl__gc_alloc(&ao->gc, ((size_t)permissions->num_domains + 1) * LONGEST);
    if (!text)
        return NULL;
    char *at = write_one(text, permissions->others, permissions->owner);
    for (int i = 0; i < permissions->num_domains; i++)
        at = write_one(at, permissions->domains[i].access, permissions->domains[i].domid);
    *size_out = (size_t)(at - text);
    return text;
}
