/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_domain_preserve: gives a domain another name and another UUID, so that a new domain can have the
 * former ones. It has four steps. If a step fails, the steps before it are undone.
 *
 * Owns: nothing. Any thread may call this function, without the context's lock. It blocks in the calling
 * thread.
 */
#include "ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 7, PATH = 64 };

struct identities {
    uint32_t domid;
    libxl_uuid before, after;
    char *name, *preserved;
};

static void add(libxl_store_steps *all, libxl_store_action action, const char *path, const char *value)
{
    libxl_store_step *step = &all->steps[all->num_steps++];
    libxl_store_step_init(step);
    step->action = action;
    if (!value || !libxl_blob_set(&step->value, value, (uint32_t)strlen(value)))
        step->path = strdup(path);
}

/*
 * Adds the step that lets the domain, and no other guest, read the node `path`. Nodes that are made below this node
 * later get the same permissions.
 */
static void add_permissions(libxl_store_steps *all, const char *path, uint32_t domid)
{
    add(all, LIBXL_STORE_ACTION_SET_PERMISSIONS, path, NULL);
    libxl_store_permissions *permissions = &all->steps[all->num_steps - 1].permissions;
    permissions->domains = calloc(1, sizeof(*permissions->domains));
    if (!permissions->domains)
        return;
    permissions->num_domains = 1;
    permissions->domains[0] = (libxl_store_permission){.domid = domid, .access = LIBXL_STORE_ACCESS_READ};
}

/*
 * Makes the nodes of the new UUID and removes the nodes of the former UUID, in one transaction. If there is no memory
 * for a step's path or value, the step has no path, and libxl_store_commit refuses it.
 */
static int change_nodes(libxl_ctx *ctx, const struct identities *of)
{
    char domain[PATH], before[PATH], after[PATH], node[PATH + 8], uuid[40];
    libxl_store_step steps[STEPS];
    libxl_store_steps all = {.steps = steps};
    snprintf(domain, sizeof(domain), "/local/domain/%u/vm", of->domid);
    snprintf(before, sizeof(before), "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(of->before));
    snprintf(after, sizeof(after), "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(of->after));
    snprintf(uuid, sizeof(uuid), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(of->after));
    add(&all, LIBXL_STORE_ACTION_CHECK_VALUE, domain, before);
    add(&all, LIBXL_STORE_ACTION_CHECK_MISSING, after, NULL);
    add(&all, LIBXL_STORE_ACTION_WRITE, after, "");
    add_permissions(&all, after, of->domid);
    snprintf(node, sizeof(node), "%s/uuid", after);
    add(&all, LIBXL_STORE_ACTION_WRITE, node, uuid);
    add(&all, LIBXL_STORE_ACTION_WRITE, domain, after);
    add(&all, LIBXL_STORE_ACTION_REMOVE, before, NULL);
    const int rc = libxl_store_commit(ctx, &all, NULL);
    for (int i = 0; i < all.num_steps; i++)
        libxl_store_step_dispose(&steps[i]);
    return rc;
}

static int set_handle(libxl_ctx *ctx, uint32_t domid, const libxl_uuid *uuid)
{
    uint8_t handle[sizeof(uuid->uuid)];
    memcpy(handle, uuid->uuid, sizeof(handle));
    return xc_domain_sethandle(libxl__xch(ctx), domid, handle)
               ? libxl__refuse(ERROR_FAIL, "domid: the UUID of domain %u: %s", domid, strerror(errno))
               : 0;
}

static int move_files(const struct identities *of, bool back)
{
    libxl__userdata_files files = {.domid = of->domid, .uuid = back ? of->after : of->before};
    const int rc = libxl__userdata_move(&files, back ? &of->before : &of->after);
    return rc ? libxl__refuse(rc, "%s", files.why) : 0;
}

/* Changes the UUID. After an error the domain has its former UUID. */
static int change_uuid(libxl_ctx *ctx, const struct identities *of)
{
    int rc = move_files(of, false);
    if (rc)
        return rc;
    rc = set_handle(ctx, of->domid, &of->after);
    if (!rc) {
        rc = change_nodes(ctx, of);
        if (!rc)
            return 0;
        set_handle(ctx, of->domid, &of->before);
    }
    move_files(of, true);
    return rc;
}

static int preserve(libxl_ctx *ctx, const struct identities *of)
{
    int rc = libxl_domain_rename(ctx, of->domid, of->name, of->preserved);
    if (rc)
        return rc;
    rc = change_uuid(ctx, of);
    if (rc)
        libxl_domain_rename(ctx, of->domid, of->preserved, of->name);
    return rc;
}

int libxl_domain_preserve(libxl_ctx *ctx, uint32_t domid, libxl_domain_create_info *info,
                          const char *name_suffix, libxl_uuid new_uuid)
{
    struct identities of = {.domid = domid, .after = new_uuid, .name = info->name};
    libxl_dominfo now;
    if (!info->name || !name_suffix)
        return libxl__refuse(ERROR_INVAL, info->name ? "name_suffix: missing" : "info.name: missing");
    if (libxl_uuid_is_nil(&new_uuid))
        return libxl__refuse(ERROR_INVAL, "new_uuid: missing");
    int rc = libxl_domain_get_info(ctx, domid, &now, NULL);
    if (rc)
        return rc;
    of.before = now.uuid;
    libxl_dominfo_dispose(&now);
    if (asprintf(&of.preserved, "%s%s", info->name, name_suffix) < 0)
        return ERROR_NOMEM;
    rc = preserve(ctx, &of);
    free(of.preserved);
    return rc;
}
