/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations that read a node of xenstore: store_read, store_get_permissions and store_list.
 *
 * Guests write values. So a value is only copied, with its length.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

/* ---- store_read and store_get_permissions */

typedef struct store_query {
    libxl__xs_batch *batch;
    const libxl__xs_request *request;
    const char *path;
} store_query_state;

static bool reads_value(const libxl__ao *ao)
{
    return ao->cls == &libxl__operations[LIBXL__OP_STORE_READ];
}

static int ask_start(libxl__ao *ao, struct store_query *s)
{
    const libxl__store_read_args *of_value = libxl__ao_args(ao);
    const libxl__store_get_permissions_args *of_permissions = libxl__ao_args(ao);
    s->path = reads_value(ao) ? of_value->in.path : of_permissions->in.path;
    int rc = libxl__store_check_path(ao, s->path);
    if (rc)
        return rc;
    s->batch = libxl__store_batch(ao);
    if (!s->batch)
        return ERROR_NOMEM;
    s->request = reads_value(ao) ? libxl__xs_read(s->batch, "%s", s->path)
                                 : libxl__xs_read_permissions(s->batch, s->path);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int ask_poll(libxl__ao *ao, struct store_query *s)
{
    const libxl__store_read_args *of_value = libxl__ao_args(ao);
    const libxl__store_get_permissions_args *of_permissions = libxl__ao_args(ao);
    size_t size;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    const char *octets = libxl__xs_octets(s->request, &size);
    if (!octets)
        return libxl__store_missing(ao, s->path);
    if (reads_value(ao))
        return libxl_blob_set(of_value->out.value, octets, (uint32_t)size);
    return libxl__store_permissions_read(ao, octets, size, of_permissions->out.permissions);
}

#include "_libxl_phases_store_query.h"

/* ---- store_list */

typedef libxl__xs_directory store_list_state;

static int list_start(libxl__ao *ao, libxl__xs_directory *directory)
{
    const libxl__store_list_args *args = libxl__ao_args(ao);
    const int rc = libxl__store_check_path(ao, args->in.path);
    directory->for_application = true;
    return rc ? rc : libxl__xs_directory_start(ao, directory, args->in.path);
}

static int list_poll(libxl__ao *ao, libxl__xs_directory *directory)
{
    const libxl__store_list_args *args = libxl__ao_args(ao);
    const int rc = libxl__xs_directory_step(ao, directory);
    if (rc)
        return rc;
    if (directory->missing)
        return libxl__store_missing(ao, args->in.path);
    libxl_string_list list = calloc((size_t)directory->count + 1, sizeof(*list));
    if (!list)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < directory->count; i++)
        if (!(list[i] = strdup(directory->names[i]))) {
            libxl_string_list_dispose(&list);
            return ERROR_NOMEM;
        }
    *args->out.names = list;
    return 0;
}

#include "_libxl_phases_store_list.h"
