/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of the operations on xenstore (idl/store_operations.idl). Owns: nothing. */
#include "operations.h"

#include <stdio.h>

#define STORE_NODE "/tool/starter"

static libxl_blob starter_value = {.size = 1, .data = (uint8_t *)"x"};
static libxl_store_permissions starter_permissions;

/*
 * Returns the path of the node that the scenarios use. It is in the guest's tree, so it is removed with the
 * tree.
 */
static char *store_node(const struct subject *s)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/control", s->guest);
    return strdup(path);
}

STARTS(store_read, blob, libxl_store_read(s->ctx, "/tool", &out, NULL))
FILLS(store_read, store_read, args->in.path = store_node(s), args->out.value = &s->results.value)

STARTS(store_list, string_list, libxl_store_list(s->ctx, "/tool", &out, NULL))
FILLS(store_list, store_list, args->in.path = store_node(s), args->out.names = &s->results.names)

STARTS(store_get_permissions, store_permissions, libxl_store_get_permissions(s->ctx, "/tool", &out, NULL))

STARTS_PLAIN(store_write, (void)0, libxl_store_write(s->ctx, STORE_NODE, &starter_value, NULL, NULL))
/*
 * The row of store_write stands for the four operations that share its phases. A transaction has more than
 * one round trip, so its phases wait.
 */
FILLS(store_write, store_write, args->in.path = store_node(s), libxl_blob_set(&args->in.value, "x", 1),
      args->in.has_permissions = true, args->in.permissions.owner = s->guest)

STARTS_PLAIN(store_remove, (void)0, libxl_store_remove(s->ctx, STORE_NODE, NULL))
STARTS_PLAIN(store_set_permissions, (void)0,
             libxl_store_set_permissions(s->ctx, "/tool", &starter_permissions, NULL))

static int start_store_commit(struct starter *s)
{
    libxl_store_step step = {.action = LIBXL_STORE_ACTION_REMOVE, .path = (char *)STORE_NODE};
    const libxl_store_steps steps = {.num_steps = 1, .steps = &step};
    return libxl_store_commit(s->ctx, &steps, NULL);
}

static const struct operation_row rows[] = {
    {SWEPT(STORE_READ, store_read, fill_store_read, ANY_GUEST)},
    {SWEPT(STORE_LIST, store_list, fill_store_list, ANY_GUEST)},
    {STARTED(STORE_GET_PERMISSIONS, store_get_permissions)},
    {SWEPT(STORE_WRITE, store_write, fill_store_write, ANY_GUEST)},
    {STARTED(STORE_REMOVE, store_remove)},
    {STARTED(STORE_SET_PERMISSIONS, store_set_permissions)},
    {STARTED(STORE_COMMIT, store_commit)},
};
OPERATION_FAMILY(store_operations);
