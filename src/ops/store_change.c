/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations that change nodes of xenstore: store_write, store_remove, store_set_permissions and
 * store_commit. Each sends one batch. A batch of several requests is a transaction.
 *
 * An application reads nodes, computes, and then commits its changes together with checks that these nodes
 * have not changed. So no transaction is open while the application computes. A context has few transactions
 * at a time, so an open transaction would delay the library's own operations.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "setting.h"
#include "store.h"
#include "store_path.h"

#include <stdio.h>
#include <string.h>

#include <xen/io/xs_wire.h>

typedef libxl__setting store_change_state;

/* ---- filling the batch. Errors: NOMEM; INVAL, recorded in ao */

/* Checks the size of a value. `field` names the value in the message. */
static int check_value(libxl__ao *ao, const char *field, const char *path, const libxl_blob *value)
{
    const size_t room = XENSTORE_PAYLOAD_MAX - strlen(path) - 1;
    if (value->size <= room)
        return 0;
    return libxl__ao_fail(ao, ERROR_INVAL,
                          "%s: %u octets are more than the %zu that xenstored accepts with this path", field,
                          value->size, room);
}

static int set_permissions(libxl__ao *ao, libxl__xs_batch *batch, const char *path,
                           const libxl_store_permissions *permissions)
{
    size_t size;
    const char *text = libxl__store_permissions_text(ao, permissions, &size);
    if (!text)
        return ERROR_NOMEM;
    libxl__xs_write_permissions(batch, text, size, path);
    return 0;
}

static int fill_write(libxl__ao *ao, libxl__xs_batch *batch)
{
    const libxl__store_write_args *args = libxl__ao_args(ao);
    int rc = libxl__store_check_path(ao, args->in.path);
    if (!rc)
        rc = check_value(ao, "value", args->in.path, &args->in.value);
    if (rc)
        return rc;
    libxl__xs_write_octets(batch, args->in.value.data, args->in.value.size, args->in.path);
    return args->in.has_permissions ? set_permissions(ao, batch, args->in.path, &args->in.permissions) : 0;
}

static int fill_remove(libxl__ao *ao, libxl__xs_batch *batch)
{
    const libxl__store_remove_args *args = libxl__ao_args(ao);
    const int rc = libxl__store_check_path(ao, args->in.path);
    if (!rc)
        libxl__xs_remove(batch, "%s", args->in.path);
    return rc;
}

static int fill_set_permissions(libxl__ao *ao, libxl__xs_batch *batch)
{
    const libxl__store_set_permissions_args *args = libxl__ao_args(ao);
    const int rc = libxl__store_check_path(ao, args->in.path);
    return rc ? rc : set_permissions(ao, batch, args->in.path, &args->in.permissions);
}

static int require_names(libxl__ao *ao, libxl__xs_batch *batch, const libxl_store_step *step)
{
    size_t size = 0;
    for (char **name = step->names; name && *name; name++)
        size += strlen(*name) + 1;
    char *names = libxl__gc_alloc(&ao->gc, size), *at = names;
    if (!names)
        return ERROR_NOMEM;
    for (char **name = step->names; name && *name; name++)
        at = stpcpy(at, *name) + 1;
    libxl__xs_require_names(batch, ERROR_CONFLICT, names, size, step->path);
    return 0;
}

static int add_step(libxl__ao *ao, libxl__xs_batch *batch, const libxl_store_step *step, int index)
{
    const char *path = step->path ? step->path : "", *fault = libxl__store_path_fault(path, false);
    char field[48];
    if (fault)
        return libxl__ao_fail(ao, ERROR_INVAL, "steps.steps[%d].path: " LIBXL__STORE_PATH_FMT " %s", index,
                              LIBXL__STORE_PATH_ARG(path), fault);
    snprintf(field, sizeof(field), "steps.steps[%d].value", index);
    const int rc = check_value(ao, field, path, &step->value);
    if (rc)
        return rc;
    switch (step->action) {
    case LIBXL_STORE_ACTION_CHECK_VALUE:
        libxl__xs_require_octets(batch, ERROR_CONFLICT, step->value.data, step->value.size, path);
        break;
    case LIBXL_STORE_ACTION_CHECK_MISSING: libxl__xs_require_absent(batch, ERROR_CONFLICT, "%s", path); break;
    case LIBXL_STORE_ACTION_CHECK_NAMES: return require_names(ao, batch, step);
    case LIBXL_STORE_ACTION_WRITE:
        libxl__xs_write_octets(batch, step->value.data, step->value.size, path);
        break;
    case LIBXL_STORE_ACTION_REMOVE: libxl__xs_remove(batch, "%s", path); break;
    case LIBXL_STORE_ACTION_SET_PERMISSIONS: return set_permissions(ao, batch, path, &step->permissions);
    }
    return 0;
}

static int fill_commit(libxl__ao *ao, libxl__xs_batch *batch)
{
    const libxl__store_commit_args *args = libxl__ao_args(ao);
    int rc = 0;
    for (int i = 0; i < args->in.steps.num_steps && !rc; i++)
        rc = add_step(ao, batch, &args->in.steps.steps[i], i);
    return rc;
}

/* ---- change: sends the batch */

static int fill(libxl__ao *ao, libxl__xs_batch *batch)
{
    switch (ao->cls - libxl__operations) {
    case LIBXL__OP_STORE_WRITE: return fill_write(ao, batch);
    case LIBXL__OP_STORE_REMOVE: return fill_remove(ao, batch);
    case LIBXL__OP_STORE_SET_PERMISSIONS: return fill_set_permissions(ao, batch);
    default: return fill_commit(ao, batch);
    }
}

/*
 * Returns whether the operation needs a transaction. xenstored carries out a single request as a whole,
 * without a transaction.
 */
static bool is_transaction(libxl__ao *ao)
{
    const libxl__store_write_args *args = libxl__ao_args(ao);
    const ptrdiff_t operation = ao->cls - libxl__operations;
    return operation == LIBXL__OP_STORE_COMMIT ||
           (operation == LIBXL__OP_STORE_WRITE && args->in.has_permissions);
}

static int change_start(libxl__ao *ao, libxl__setting *setting)
{
    setting->batch = libxl__store_batch(ao);
    if (!setting->batch)
        return ERROR_NOMEM;
    int rc = fill(ao, setting->batch);
    if (!rc)
        rc = libxl__xs_run(setting->batch, is_transaction(ao) ? LIBXL__XS_TRANSACTION : LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int change_poll(libxl__ao *ao, libxl__setting *setting)
{
    return libxl__setting_poll(ao, setting);
}

static void change_stop(libxl__ao *ao, libxl__setting *setting)
{
    (void)ao;
    libxl__setting_stop(setting);
}

#include "_libxl_phases_store_change.h"
